import type { Clock } from '../lib/clock.ts'
import type { Metrics } from './metrics.ts'

/** What this instance has counted since it started. */
export interface LiveCounts {
  /** ms since the epoch. */
  readonly since: number
  readonly openSubscriptions: number
  readonly acceptedMessages: number
  /** By the code of the refusal. */
  readonly refusedMessages: ReadonlyMap<string, number>
  /** By the status, and the code of a failure. */
  readonly endedReplies: ReadonlyMap<string, number>
  /** By the reason. */
  readonly endedSubscriptions: ReadonlyMap<string, number>
  /** Failed attempts of upstream calls, by the call and the code. */
  readonly upstreamErrors: ReadonlyMap<string, number>
  /** The times from accepting a message to its first text, of the last replies, in ms and in order of size. */
  readonly firstDeltaMs: readonly number[]
}

/** How many first deltas are remembered. */
const maxDeltas = 256

/** Counts for the operators' console what goes to the metrics. */
export function createLiveCounts(
  metrics: Metrics,
  clock: Clock,
): { readonly metrics: Metrics; readonly read: () => LiveCounts } {
  const since = clock.now()
  let openSubscriptions = 0
  let acceptedMessages = 0
  const refusedMessages = new Map<string, number>()
  const endedReplies = new Map<string, number>()
  const endedSubscriptions = new Map<string, number>()
  const upstreamErrors = new Map<string, number>()
  const firstDeltas: number[] = []
  const count = (counts: Map<string, number>, name: string) =>
    void counts.set(name, (counts.get(name) ?? 0) + 1)

  const counted: Partial<Metrics> = {
    messageTaken(code) {
      if (code === undefined) acceptedMessages += 1
      else count(refusedMessages, code)
    },
    replyEnded: (status, code) =>
      count(endedReplies, code === undefined ? status : `${status} ${code}`),
    firstDelta(ms) {
      firstDeltas.push(ms)
      if (firstDeltas.length > maxDeltas) firstDeltas.shift()
    },
    subscriptionOpened: () => void (openSubscriptions += 1),
    subscriptionEnded(reason) {
      openSubscriptions -= 1
      count(endedSubscriptions, reason)
    },
    upstreamError: (call, _kind, code) => count(upstreamErrors, `${call} ${code}`),
  }

  return {
    metrics: new Proxy(metrics, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        const also: unknown = Reflect.get(counted, name)
        if (typeof method !== 'function' || typeof also !== 'function') return method
        return (...facts: readonly unknown[]): void => {
          Reflect.apply(also, counted, facts)
          Reflect.apply(method, target, facts)
        }
      },
    }),
    read: () => ({
      since,
      openSubscriptions,
      acceptedMessages,
      refusedMessages,
      endedReplies,
      endedSubscriptions,
      upstreamErrors,
      firstDeltaMs: firstDeltas.toSorted((a, b) => a - b),
    }),
  }
}
