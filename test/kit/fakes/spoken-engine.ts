import { EngineClient, type EngineListener } from '../../../src/store/main-half/engine-client.ts'
import type { AnswerMessage, CallMessage } from '../../../src/store/main-half/messages.ts'
import type { StoreError } from '../../../src/store/store.ts'
import { createFakeClock } from './clock.ts'
import { silentLogger } from './logger.ts'

/** A client before an engine that the test speaks for. */
export function createSpokenClient(options: { readonly bearMs?: number } = {}) {
  const clock = createFakeClock()
  const posted: CallMessage[][] = []
  const kept: boolean[] = []
  const died: Error[] = []
  const commits: number[] = []
  let listener: EngineListener | undefined
  let isTerminated = false
  let failures = 0
  let givenUp = 0
  const client = new EngineClient(
    (main) => {
      listener = main
      return {
        post: (calls) => void posted.push([...calls]),
        keepAlive: (isKept) => void kept.push(isKept),
        async terminate() {
          isTerminated = true
        },
      }
    },
    {
      clock,
      logger: silentLogger,
      metrics: { storeWritten: (ms) => commits.push(ms) },
      onFailing: () => (failures += 1),
      held: () => [],
      onLost() {},
      onGivenUp: () => (givenUp += 1),
      ...options,
      onDied: (error) => died.push(error),
    },
  )
  const say: EngineListener['message'] = (message) => listener?.message(message)
  const answer = (...answers: readonly AnswerMessage[]) =>
    say({ type: 'answers', answers, commitMs: 2 })
  return {
    client,
    clock,
    posted,
    kept,
    died,
    commits,
    say,
    answer,
    open: () => say({ type: 'opened', running: 0 }),
    die: (error: Error) => listener?.died(error),
    get isTerminated() {
      return isTerminated
    },
    get failures() {
      return failures
    },
    get givenUp() {
      return givenUp
    },
  }
}

export const done = (id: number, value?: unknown): AnswerMessage => ({
  id,
  type: 'done',
  value,
  events: [],
})
export const failed = (id: number, kind?: StoreError['kind'], scope?: 'call'): AnswerMessage => ({
  id,
  type: 'failed',
  kind,
  message: 'no',
  ...(scope && { scope }),
})
