import type { Caller } from './pane.ts'

/** What the demo gives its page: callers, an operator, and a platform that leaks on demand. */
export interface Stage {
  readonly callers: readonly Caller[]
  readonly operator: Caller
  /** The leak that is on. */
  readonly leak: string | null
  readonly leaks: readonly Leak[]
  /** What a probe has to ask so that it finds every leak. */
  readonly probe: object
}

export interface Leak {
  readonly name: string
  readonly about: string
  /** What to say to see it. */
  readonly talk: readonly (readonly [name: string, text: string])[]
}

const path = 'pages/demo'

export async function readStage(): Promise<Stage> {
  const response = await fetch(path)
  return await response.json()
}

export async function switchLeak(leak: string | null): Promise<Stage> {
  const response = await fetch(path, { method: 'PUT', body: JSON.stringify({ leak }) })
  return await response.json()
}
