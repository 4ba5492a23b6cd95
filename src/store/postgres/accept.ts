import type { AssistantId, ConversationId, SessionId } from '../../domain.ts'
import type { NewId } from '../../lib/id.ts'
import { type StoredRow, rowOf } from '../engine/columns.ts'
import type { AcceptRequest } from '../ledger.ts'
import type { ArgsOf } from '../main-half/calls.ts'
import type { AcceptedCall } from '../main-half/stored.ts'
import { findLast } from './conversations.ts'
import { selectReplyToEnd } from './finish.ts'
import { countRunning } from './claims.ts'
import { replyOf, selectAttachment, selectReply, selectReplyRecord } from './rows.ts'
import { decideAcceptance } from './acceptance.ts'
import type { Ahead, Decision } from './ahead.ts'
import type { CallContext, Find, Sessions } from './sessions.ts'
import { row as one, rows, sql } from './sql.ts'

export interface Accepting {
  accept(args: ArgsOf<'accept'>, context: CallContext): Promise<AcceptedCall>
  /** Asks what the next message in a conversation will be decided on, so that it costs one statement. */
  askAhead(sessionId: SessionId, conversationId: ConversationId): Promise<void>
}

export function createAccept(
  sessions: Sessions,
  newId: NewId,
  maxRunningPerSession: number,
  ahead: Ahead,
): Accepting {
  async function accept(
    { sessionId, request }: ArgsOf<'accept'>,
    context: CallContext,
    known?: StoredRow,
  ): Promise<AcceptedCall> {
    let decision: Decision | undefined
    const outcome = await sessions.change(
      sessionId,
      findFor(request),
      (found, write) => {
        decision = { found, write }
        return decideAcceptance(request, found, write, { newId, maxRunningPerSession })
      },
      context,
      known,
    )
    if (outcome.type === 'accepted' && outcome.run !== undefined && decision !== undefined) {
      ahead.began(request, outcome.run, decision)
    }
    if (outcome.type !== 'repeated') return outcome
    const read = await sessions.read(sessionId, {
      reply: one(sql`${selectReply} WHERE r.session = s.id AND r.key = ${outcome.replyId}`),
    })
    const reply = rowOf(read?.['reply'])
    // It was deleted meanwhile, and its key with it.
    if (reply === null) return accept({ sessionId, request }, context)
    return { type: 'repeated', reply: replyOf(reply) }
  }

  return {
    accept(args, context) {
      const { sessionId, request } = args
      const known = ahead.takeMessage(sessionId, request)
      return accept(args, context, isPlain(request) ? known : undefined)
    },
    async askAhead(sessionId, conversationId) {
      const found = await sessions.ask(sessionId, findFor({ ...plainMessage, conversationId }))
      ahead.asked(sessionId, conversationId, found)
    },
  }
}

/** What is asked for depends on this of a message. */
type Asking = Pick<
  AcceptRequest,
  | 'conversationId'
  | 'assistantId'
  | 'defaultAssistantId'
  | 'idempotency'
  | 'attachmentIds'
  | 'onBusy'
>

const plainMessage = {
  assistantId: undefined,
  defaultAssistantId: '' as AssistantId,
  idempotency: undefined,
  attachmentIds: [],
  onBusy: 'QUEUE',
} as const

/** A key that was used before is found by the table, which refuses it. */
function isPlain({ attachmentIds, onBusy }: AcceptRequest): boolean {
  return attachmentIds.length === 0 && onBusy !== 'INTERRUPT'
}

/** All that the decision needs, in one question. */
function findFor({ idempotency, conversationId, ...request }: Asking): Find {
  const assistant = request.assistantId ?? request.defaultAssistantId
  const columns = sql`
    SELECT c.id, c.key AS conversation, c.assistant, c.first_words, c.origin, c.account, c.strategy, c.upstream,
      c.generation, c.reset_pending, c.freed_at, c.cleared_seq
    FROM conversations c WHERE c.session = s.id`
  const conversation =
    conversationId === undefined
      ? sql`${columns} AND c.assistant = ${assistant} ORDER BY c.used DESC LIMIT 1`
      : sql`${columns} AND c.key = ${conversationId}`
  const within = sql`FROM replies r JOIN (${conversation}) c ON r.conversation = c.id WHERE r.session = s.id`
  return {
    conversation: one(conversation),
    last: findLast,
    used:
      idempotency === undefined
        ? sql`NULL::json`
        : one(sql`
            SELECT i.digest, r.key AS reply, c.id AS conversation FROM idempotency i
            LEFT JOIN replies r ON r.session = i.session AND r.id = i.reply
            LEFT JOIN conversations c ON c.session = r.session AND c.id = r.conversation
            WHERE i.session = s.id AND i.key = ${idempotency.key}`),
    others: rows(
      sql`SELECT r.id, r.key AS reply, r.status, r.rank, r.instance ${within} AND r.ended_at IS NULL ORDER BY r.rank`,
    ),
    waiting:
      request.onBusy === 'INTERRUPT'
        ? rows(sql`
            ${selectReplyRecord()} WHERE r.session = s.id AND r.ended_at IS NULL AND r.status = 'QUEUED'
              AND r.conversation = (SELECT id FROM (${conversation}) c) ORDER BY r.rank`)
        : sql`NULL::json`,
    interrupted:
      request.onBusy === 'INTERRUPT'
        ? one(sql`
            ${selectReplyToEnd(undefined)} WHERE r.session = s.id AND r.status IN ('RUNNING', 'ACTION_REQUIRED')
              AND r.conversation = (SELECT id FROM (${conversation}) c)`)
        : sql`NULL::json`,
    busy: countRunning,
    open: sql`(SELECT count(*) FROM replies r WHERE r.session = s.id AND r.ended_at IS NULL)`,
    attachments:
      request.attachmentIds.length === 0
        ? sql`'[]'::json`
        : rows(sql`
            ${selectAttachment} WHERE f.session = s.id AND f.forgotten = 0
              AND f.key = ANY(${[...request.attachmentIds]}::text[])`),
    asked: one(sql`
      SELECT r.question ${within} AND r.started_seq > c.cleared_seq ORDER BY r.started_seq DESC LIMIT 1`),
  }
}
