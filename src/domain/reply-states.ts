import type { ReplyStatus } from '../domain.ts'

/**
 * The states of a reply, and the steps of a running one: the one table that the store, the engine and the simulation use.
 *
 * ```
 *              begin, claim                       complete, fail, cancel
 *   QUEUED ────────────────▶ RUNNING ───────────────────────────▶ COMPLETED | FAILED | CANCELLED
 *     ▲  │                   │  ▲  │                                         ▲
 *     │  └─ fail, cancel ────┼──┼──┼─────────────────────────────────────────┤
 *     └───── requeue ────────┘  │  └─ require-action ─▶ ACTION_REQUIRED ─────┘
 *                               └────── take-outputs ───────┘
 * ```
 */
export type ReplyWrite =
  /** Accepted, claimed and intended in one write. */
  | 'begin'
  | 'claim'
  /** Only while its step is `claimed`. */
  | 'requeue'
  | 'require-action'
  | 'take-outputs'
  | 'complete'
  | 'fail'
  | 'cancel'

const ends = { complete: 'COMPLETED', fail: 'FAILED', cancel: 'CANCELLED' } as const

/** What a write makes of a reply in a state; a write that is not named there is refused. */
export const replyStates: Readonly<
  Record<ReplyStatus, Readonly<Partial<Record<ReplyWrite, ReplyStatus>>>>
> = {
  QUEUED: { begin: 'RUNNING', claim: 'RUNNING', fail: 'FAILED', cancel: 'CANCELLED' },
  RUNNING: { requeue: 'QUEUED', 'require-action': 'ACTION_REQUIRED', ...ends },
  ACTION_REQUIRED: { 'take-outputs': 'RUNNING', ...ends },
  COMPLETED: {},
  FAILED: {},
  CANCELLED: {},
}

/**
 * The steps of the order of writes that a running reply has behind it, and what whoever finds it after a crash does.
 * Nothing is ever sent again once the send intent was written.
 */
export const runSteps = {
  /** Claimed; nothing was sent. */
  claimed: { recovery: 'requeue' },
  /** The send intent is written: whether the message was sent is not known. */
  intended: { recovery: 'look-up' },
  /** The run has told its conversation, and that nobody else is in it was not found out yet. */
  revealed: { recovery: 'fail' },
  /** The upstream's id of the run is known. */
  streaming: { recovery: 'look-up' },
  /** ACTION_REQUIRED: it waits for tool outputs. */
  waiting: { recovery: 'wait' },
  /** Tool outputs were taken: whether they were sent is not known. */
  answered: { recovery: 'look-up' },
} as const satisfies Readonly<Record<string, { readonly recovery: Recovery }>>

export type RunStep = keyof typeof runSteps
export type Recovery = 'requeue' | 'look-up' | 'fail' | 'wait'

/** What a write makes of a reply in a state; whoever asks has seen that it may be made. */
export function after(status: ReplyStatus, write: ReplyWrite): ReplyStatus {
  const next = replyStates[status][write]
  if (next === undefined) throw new TypeError(`a reply that is ${status} cannot ${write}`)
  return next
}
