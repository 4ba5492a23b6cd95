import type { ReplyFailureCode } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'

export type CircuitState = 'closed' | 'open' | 'half-open'

/**
 * Leaves an upstream alone that cannot be reached.
 *
 *     closed ──failures in a row──▶ open ──after a while──▶ half-open: one is let through
 *        ▲                           ▲                          │            │
 *        │                           └──── cannot be reached ───┘            │
 *        └──────────────────────────── it answers ──────────────────────────┘
 */
export interface Circuit {
  readonly state: CircuitState
  /** How long nothing is asked of the upstream, in whole ms; undefined: it may be asked. */
  readonly retryAfterMs: number | undefined
  /** Lets one through, if it may be asked now. Dispose it when it is done: one that learnt nothing makes way for another. */
  admit(): Disposable | undefined
  /** The upstream answered, be it with an error. */
  reached(): void
  unreachable(): void
  /** Calls `run` whenever another might be let through, until disposed. */
  listen(run: () => void): Disposable
}

export function createCircuit(options: {
  /** In a row, that open it. */
  readonly failures: number
  /** How long it stays open, in ms. */
  readonly openMs: number
  readonly clock: Clock
  readonly onChange: (state: CircuitState) => void
}): Circuit {
  const { clock, openMs } = options
  const listeners = new Set<() => void>()
  let state: CircuitState = 'closed'
  let failures = 0
  let openedAt = 0
  /** The one that was let through while half-open. */
  let trial: object | undefined

  function become(next: CircuitState): void {
    if (state === next) return
    state = next
    options.onChange(next)
  }

  function wake(): void {
    for (const run of listeners) run()
  }

  function retryAfterMs(): number | undefined {
    if (state !== 'open') return undefined
    const left = openedAt + openMs - clock.monotonic()
    return left > 0 ? Math.ceil(left) : undefined
  }

  function admitTrial(): Disposable {
    const mine = {}
    trial = mine
    become('half-open')
    return {
      [Symbol.dispose]() {
        if (trial !== mine) return
        trial = undefined
        wake()
      },
    }
  }

  return {
    get state() {
      return state
    },
    get retryAfterMs() {
      return retryAfterMs()
    },
    admit() {
      if (state === 'closed') return free
      if (retryAfterMs() !== undefined || trial !== undefined) return undefined
      return admitTrial()
    },
    reached() {
      failures = 0
      trial = undefined
      if (state === 'closed') return
      become('closed')
      wake()
    },
    unreachable() {
      failures += 1
      if (state === 'open' || (state === 'closed' && failures < options.failures)) return
      trial = undefined
      openedAt = clock.monotonic()
      become('open')
    },
    listen(run) {
      listeners.add(run)
      return { [Symbol.dispose]: () => void listeners.delete(run) }
    },
  }
}

const free: Disposable = { [Symbol.dispose]: () => undefined }

/** What a failure says of the upstream; undefined: nothing. */
export function reachOf(code: ReplyFailureCode): 'reached' | 'unreachable' | undefined {
  switch (code) {
    case 'UPSTREAM_UNAVAILABLE':
    case 'UPSTREAM_TLS':
      return 'unreachable'
    case 'UPSTREAM_AUTH':
    case 'UPSTREAM_RATE_LIMITED':
    case 'UPSTREAM_QUOTA':
    case 'UPSTREAM_ERROR':
    case 'UPSTREAM_TRUNCATED':
    case 'UPSTREAM_PROTOCOL':
    case 'UPSTREAM_TOO_LARGE':
    case 'UPSTREAM_REFUSED':
    case 'CONVERSATION_BUSY':
      return 'reached'
    case 'UPSTREAM_TIMEOUT':
    case 'UPSTREAM_OUTCOME_UNKNOWN':
    case 'ACTION_EXPIRED':
    case 'ACTION_UNSUPPORTED':
    case 'ISOLATION_BREACH':
    case 'LIMIT':
    case 'EXPIRED':
    case 'SHUTDOWN':
    case 'STORE_UNAVAILABLE':
    case 'STORE_FULL':
    case 'STORE_LOST':
    case 'INTERNAL':
      return undefined
  }
}
