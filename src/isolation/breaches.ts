import type { ReplyFailure, SessionId } from '../domain.ts'
import type { Evidence, IsolationTarget } from '../domain/isolation.ts'
import { compareDecimals, isDecimal } from '../lib/decimal.ts'

/**
 * Every way to a breach. A breach takes an assistant away from everybody, so each rests on evidence that cannot be our own
 * doing: not a seeded history, a cancelled or lost run, a restart of the platform, a conversation that it replaced, or a
 * message that it repeats. `what` is the sentence for operators; the comment is the evidence, and what looks like it.
 *
 * The consequences of a breach need no evidence of their own: every reply that runs in the shared conversation ends with
 * {@link breachFailures} `shared`, and messages to an assistant that is out of service end with `outOfService`.
 */
export const breachWays = {
  /**
   * The store holds a binding of the upstream conversation to another session. Bindings are written for conversations that
   * the platform gave to that session alone, and are never reassigned. A conversation that this one had before, whose
   * binding is its own, is none: a platform may open it again for a repeated or a retried call.
   */
  'of-another-session': {
    what: 'Two sessions were given one upstream conversation.',
  },
  /** The same, bound to another conversation of the same session. */
  'of-another-conversation': {
    what: 'Two conversations of one session were given one upstream conversation.',
  },
  /**
   * A conversation that a run has just revealed holds messages older than that run. A name is used for one message only, so
   * no run of ours was there before. Newer rows prove nothing: Studio stores a seeded history under chats of its own, each
   * newer than the question's. Rows that repeat what this run brought, or that name no chat, prove nothing either.
   */
  'used-before': {
    what: 'A conversation that should be new had been used before.',
  },
  /**
   * Coze's cloud lets each identity read its own conversations only: a run that went on in a conversation of its own choice
   * which its session may not read is in another's. Studio has one identity for all, and refuses nobody.
   */
  'not-readable': {
    what: 'A reply was written in an upstream conversation that its session may not read.',
  },
  /**
   * An event or a looked-up row of a run names another conversation than the run's own, after that was known. The run's
   * first event is none: it tells where the platform goes on, be it in a new conversation because the old one is gone.
   * Neither is a conversation that this one had before: whatever strays from there is the same person's.
   */
  'event-of-another-conversation': {
    what: 'A reply was told what is of another upstream conversation.',
  },
  /** The same for another chat of the run's conversation, unless it is one that we ran there before. */
  'event-of-another-chat': {
    what: 'A reply was told what is of another chat of its conversation.',
  },
  /** The platform was asked for the messages of one conversation, and listed those of one that this one never had. */
  'list-of-another-conversation': {
    what: 'A list of older messages held those of another upstream conversation.',
  },
  /** Two sessions that were made up for the look at the start were given one conversation. Nobody else knows their names. */
  'shared-at-start': {
    what: 'Two sessions were given one upstream conversation.',
  },
} as const satisfies Readonly<Record<string, { readonly what: string }>>

export type BreachWay = keyof typeof breachWays

/** Two have met, as {@link breachWays} says. */
export interface Breach extends Omit<Evidence, 'sessions' | 'what'> {
  readonly way: BreachWay
  readonly target: IsolationTarget
  readonly sessions: readonly SessionId[]
  /** False: it was known before that two have met in this conversation. */
  readonly isNew: boolean
}

/** How replies end for a breach. */
export const breachFailures = {
  /** The run met what is another's, or its conversation was met by another. */
  shared: isolationFailure(
    'The assistant answered in a conversation that is not yours alone. Nothing of it was delivered.',
  ),
  /** The run was told what is another's. */
  mixed: isolationFailure('The assistant mixed this reply with another conversation.'),
  /** No verdict lets the assistant serve. */
  outOfService: isolationFailure(
    'The assistant was taken out of service, as it may mix up conversations. The message was not sent.',
  ),
} as const

function isolationFailure(message: string): ReplyFailure {
  return { code: 'ISOLATION_BREACH', message, retryable: false, retryAfterMs: null }
}

/** A stored message of a conversation that a run has just revealed. */
export interface RevealedRow {
  /** Undefined: no chat made it. */
  readonly chatId: string | undefined
  /** ms since the epoch; null: the platform does not say. */
  readonly createdAt: number | null
  /** The run itself brought it, be it under a chat of its own. */
  readonly isOurs: boolean
}

/** The platform's list of its messages. `not-listed`: there is none. `not-readable`: it keeps the session out. */
export type RevealedRows = readonly RevealedRow[] | 'not-listed' | 'not-readable'

/** The breach that the rows of a conversation prove which the run `chatId` has revealed; undefined: none. */
export function judgeRevealed(
  rows: RevealedRows,
  chatId: string,
): Extract<BreachWay, 'used-before' | 'not-readable'> | undefined {
  if (rows === 'not-listed') return undefined
  if (rows === 'not-readable') return 'not-readable'
  const times = rows.flatMap((row) =>
    row.chatId === chatId && row.createdAt !== null ? row.createdAt : [],
  )
  // Where the run itself is not listed yet, no time is known to be older.
  const began = times.length === 0 ? -Infinity : Math.min(...times)
  const isOlder = (row: RevealedRow & { readonly chatId: string }) =>
    isDecimal(row.chatId) && isDecimal(chatId)
      ? compareDecimals(row.chatId, chatId) < 0
      : row.createdAt !== null && row.createdAt < began
  const isOthers = (row: RevealedRow) =>
    !row.isOurs &&
    row.chatId !== undefined &&
    row.chatId !== chatId &&
    isOlder({ ...row, chatId: row.chatId })
  return rows.some(isOthers) ? 'used-before' : undefined
}
