import { ChatError } from '../../client/client.ts'
import { redraw } from '../page.ts'
import { words } from '../words/words.ts'
import { followProbe, type Operator } from './operator.ts'

/** A probe that the page has begun, step by step. */
export interface Prober {
  readonly isRunning: boolean
  readonly steps: readonly string[]
  /** The most platform calls that the probe makes. */
  readonly maxCalls: number | undefined
  readonly problem: string | undefined
  /** Resolves when the probe has ended, and what it found has been read. Undefined: all assistants. */
  run(assistantId: string | undefined): Promise<void>
}

interface Begun {
  readonly probeAssistant: {
    readonly message?: string
    readonly probe?: { readonly id: string; readonly maxUpstreamCalls: number }
  }
}

const begin = `mutation ($input: ProbeAssistantInput!) {
  probeAssistant(input: $input) {
    ... on ProbeAssistantSuccess { probe { id maxUpstreamCalls } }
    ... on UserError { message }
  }
}`

/** `depth`: what the probe asks beyond what every probe does. `onEnd`: reads what it found. */
export function createProber(
  operator: Operator,
  depth: object,
  onEnd: () => Promise<void>,
): Prober {
  let isRunning = false
  let steps: readonly string[] = []
  let maxCalls: number | undefined
  let problem: string | undefined

  async function probe(assistantId: string | undefined): Promise<void> {
    const input = { ...depth, ...(assistantId !== undefined && { assistantId }) }
    const { probeAssistant } = await operator.chat.query<Begun>(begin, { input })
    problem = probeAssistant.message
    if (!probeAssistant.probe) return
    maxCalls = probeAssistant.probe.maxUpstreamCalls
    await followProbe(operator, probeAssistant.probe.id, ({ step, message }) => {
      if (step !== undefined) steps = [...steps, step]
      problem ??= message
      redraw()
    })
  }

  return {
    get isRunning() {
      return isRunning
    },
    get steps() {
      return steps
    },
    get maxCalls() {
      return maxCalls
    },
    get problem() {
      return problem
    },
    async run(assistantId) {
      if (isRunning) return
      isRunning = true
      steps = []
      maxCalls = undefined
      problem = undefined
      redraw()
      try {
        await probe(assistantId)
        await onEnd()
      } catch (error) {
        problem = error instanceof ChatError ? words().errors[error.code] : String(error)
      } finally {
        isRunning = false
        redraw()
      }
    },
  }
}
