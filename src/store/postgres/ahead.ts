import type { ConversationId, SessionId } from '../../domain.ts'
import { remember } from '../../lib/remember.ts'
import { firstWords } from '../engine/accepting.ts'
import { integer, type StoredRow, rowOf } from '../engine/columns.ts'
import { conversationIdOf } from '../engine/records.ts'
import type { AcceptRequest } from '../ledger.ts'
import type { FinishArgs, StoredRun } from '../main-half/stored.ts'
import type { SessionWrite } from './session-write.ts'

/** Sessions of which it is known ahead what their next write will be decided on. */
const maxSessions = 10_000

/** A write that was done, and what it was decided on. */
export interface Decision {
  readonly found: StoredRow
  readonly write: SessionWrite
}

/** What the next message in a conversation will be decided on, as `findFor` finds it. */
interface NextMessage {
  readonly conversationId: ConversationId
  readonly found: StoredRow
}

/** What the end of a run will be decided on, as `createFinish` finds it, and its conversation with what `findFor` finds beside it. */
interface NextEnd {
  readonly fence: string
  readonly found: StoredRow
  readonly message: StoredRow
}

/**
 * What is known of sessions since their last write here: the next one is decided on it and costs one statement, in place of a
 * question and a statement. It may be old. A write holds only where nobody has written in the session since, so that one which
 * was decided on what is old does nothing, and is decided anew.
 */
export class Ahead {
  readonly #messages = new Map<SessionId, NextMessage>()
  readonly #ends = new Map<SessionId, NextEnd>()

  /** Undefined: it has to be asked for. */
  takeMessage(
    sessionId: SessionId,
    { conversationId, assistantId, defaultAssistantId }: AcceptRequest,
  ): StoredRow | undefined {
    const next = this.#messages.get(sessionId)
    this.#messages.delete(sessionId)
    if (next === undefined) return undefined
    if (conversationId !== undefined) {
      return next.conversationId === conversationId ? next.found : undefined
    }
    // A message that names none goes to the assistant's most recently used one.
    const conversation = rowOf(next.found['conversation'])
    const isLast = rowOf(next.found['last'])?.['id'] === conversation?.['id']
    const isOfAssistant = conversation?.['assistant'] === (assistantId ?? defaultAssistantId)
    return isLast && isOfAssistant ? next.found : undefined
  }

  /** Undefined: it has to be asked for, as where some of the text is stored. */
  takeEnd({ sessionId, text }: FinishArgs): StoredRow | undefined {
    const next = this.#ends.get(sessionId)
    if (next === undefined || next.fence !== text?.fence) return undefined
    const { answer, reasoning } = text.kept ?? { answer: 1, reasoning: 1 }
    return answer + reasoning === 0 ? next.found : undefined
  }

  /** What the next message will be decided on was asked for. */
  asked(sessionId: SessionId, conversationId: ConversationId, found: StoredRow): void {
    remember(this.#messages, sessionId, { conversationId, found }, maxSessions)
  }

  /** A message was accepted in a conversation that was idle, and its reply runs. */
  began({ text }: AcceptRequest, run: StoredRun, { found, write }: Decision): void {
    const conversation = rowOf(found['conversation'])
    const row = write.after.running.at(-1)?.id
    if (conversation === null || row === undefined) return
    const { reply } = run.claim
    const last = rowOf(found['last'])
    const isLast = last?.['id'] === conversation['id']
    const next: NextEnd = {
      fence: run.fence,
      found: {
        ...write.after,
        reply: {
          ...newRow,
          row,
          reply: reply.id,
          message: reply.messageId,
          created_at: reply.createdAt,
          started_at: reply.startedAt,
          fence: run.fence,
          instance: write.instance.name,
          revisions: JSON.stringify(run.revisions),
          conversation_row: conversation['id'],
          conversation: conversation['conversation'],
          assistant: conversation['assistant'],
          origin: conversation['origin'],
          account: conversation['account'],
          strategy: conversation['strategy'],
          upstream: conversation['upstream'],
        },
      },
      message: {
        conversation: {
          ...conversation,
          first_words: conversation['first_words'] ?? firstWords(text),
        },
        last: {
          id: conversation['id'],
          used: integer(last?.['used'] ?? 0) + (isLast ? 0 : 1),
        },
        // It runs no more when it has ended.
        busy: found['busy'],
        open: found['open'],
      },
    }
    remember(this.#ends, write.sessionId, next, maxSessions)
  }

  knowsMessage(sessionId: SessionId): boolean {
    return this.#messages.has(sessionId)
  }

  /** A run has ended: where that was decided on what was known, what follows is known as well. */
  ended({ event, resetUpstream, at }: FinishArgs, { found, write }: Decision): void {
    const { sessionId } = write
    this.#messages.delete(sessionId)
    const end = this.#ends.get(sessionId)
    this.#ends.delete(sessionId)
    if (end === undefined || end.found !== found || resetUpstream) return
    const { message } = end
    const conversation = rowOf(message['conversation'])
    if (conversation === null) return
    const asked =
      event.type === 'completed' && event.question !== null ? JSON.stringify(event.question) : null
    this.asked(sessionId, conversationIdOf(conversation), {
      ...write.after,
      ...message,
      conversation: { ...conversation, freed_at: at },
      used: null,
      others: [],
      waiting: null,
      interrupted: null,
      attachments: [],
      asked: { question: asked },
    })
  }
}

/** The row of a reply that has just begun to run. */
const newRow = {
  answer: null,
  status: 'RUNNING',
  usage: null,
  follow_ups: null,
  question: null,
  omitted: null,
  tool_calls: null,
  action_expires_at: null,
  explanation: null,
  context_reset: 0,
  failure: null,
  upstream_cancelled: 0,
  ended_at: null,
  queue_position: null,
  chat: null,
  answer_length: 0,
  reasoning_length: 0,
  answer_place: null,
  reasoning_place: null,
  text_writes: 0,
  has_next: 0,
}
