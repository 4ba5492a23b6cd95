import { replyStates } from '../../../src/domain/reply-states.ts'
import type { FinishOutcome, FinishRequest } from '../../../src/store/run-lease.ts'
import { owe } from './outbox.ts'
import { toReply, toSession } from './rows.ts'
import { addEvent, conversationOf } from './runs.ts'
import { isOpen, nextRow, openRepliesOf, type ReplyRow, type State } from './state.ts'
import { applyDelta, beginRevision, deltaBetween, type RevisedText } from './texts.ts'
import { revisionName, type Tokens } from './tokens.ts'

const writes = { completed: 'complete', failed: 'fail', cancelled: 'cancel' } as const
const statuses = { completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' } as const

/** Step 6 of the order of writes. `text`: the text so far, as whoever ends the reply knows it. */
export function finishRow(
  state: State,
  row: ReplyRow,
  request: FinishRequest,
  text: RevisedText,
  tokens: Tokens,
): FinishOutcome {
  const { event, at } = request
  const allowed = replyStates[row.told.status][writes[event.type]]
  if (allowed === undefined && state.flaw !== 'ends-twice') {
    return { type: 'already', reply: toReply(state, row) }
  }
  const conversation = conversationOf(state, row)
  if (row.told.status !== 'QUEUED') conversation.freedAt = at
  row.origin = conversation.upstream
  row.upstreamMessageId = request.upstreamMessageId
  row.text = event.type === 'completed' ? corrected(text, event.text, row, state) : text
  row.fence = undefined
  row.told = {
    ...row.told,
    status: allowed ?? statuses[event.type],
    toolCalls: [],
    actionExpiresAt: null,
    explanation: request.explanation ?? null,
    endedAt: at,
    ...endOf(row, request),
  }
  if (event.type === 'completed') addAnswer(state, row, request)
  if (request.resetUpstream) {
    conversation.upstream = undefined
    conversation.generation += 1
    conversation.isResetPending = true
  }
  const session = state.sessions.get(row.sessionId)
  if (request.owesCancel !== undefined && session !== undefined) {
    const { assistantId } = conversation
    const call = { type: 'cancel-chat', assistantId, ...request.owesCancel } as const
    owe(state, toSession(session), call, at, tokens)
  }
  addEvent(state, row, event, tokens)
  const hasNext = openRepliesOf(state, row.conversationId).some(
    ({ told }) => told.status === 'QUEUED',
  )
  return { type: 'finished', reply: toReply(state, row), hasNext }
}

/** Ends a reply without its lease: of what others have shown, what is on disk is kept. */
export function finishFromOutside(
  state: State,
  row: ReplyRow,
  request: FinishRequest,
  tokens: Tokens,
): FinishOutcome {
  const isRunning = isOpen(row) && row.told.status !== 'QUEUED'
  const revises = isRunning && state.flaw !== 'keeps-no-revision-of-a-cancel'
  const text = revises
    ? beginRevision(row.text, revisionName(row.text, tokens.fence(), state.flaw))
    : row.text
  return finishRow(state, row, request, text, tokens)
}

/** Where a completed event tells another text than was shown, it corrects that. */
function corrected(
  text: RevisedText,
  whole: string,
  { fence = '' }: ReplyRow,
  { flaw }: State,
): RevisedText {
  const delta = deltaBetween(text.answer, whole)
  return delta === undefined ? text : applyDelta(text, delta, () => revisionName(text, fence, flaw))
}

function endOf(row: ReplyRow, { event, answerId }: FinishRequest): Partial<ReplyRow['told']> {
  switch (event.type) {
    case 'completed': {
      const { usage, followUps, question, omitted } = event
      const contextReset = row.told.contextReset || event.contextReset
      return { usage, followUps, question, omitted, contextReset, answerId }
    }
    case 'failed': {
      const { code, message, retryable, retryAfterMs } = event
      return { failure: { code, message, retryable, retryAfterMs } }
    }
    case 'cancelled':
      return { upstreamCancelled: event.upstreamCancelled }
  }
}

function addAnswer(state: State, row: ReplyRow, { answerId, at }: FinishRequest): void {
  state.messages.set(answerId, {
    id: answerId,
    sessionId: row.sessionId,
    conversationId: row.conversationId,
    replyId: row.id,
    role: 'ASSISTANT',
    text: '',
    attachmentIds: [],
    imageUrls: [],
    rating: null,
    createdAt: at,
    order: nextRow(state),
  })
}
