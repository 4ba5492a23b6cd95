import type { Message, MessageId, Rating, Session } from '../domain.ts'
import { InvalidInputError, NotFoundError, NotSupportedError, UnavailableError } from '../errors.ts'
import { type AssistantAccess, recordsFor } from '../reply/assistant-access.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import type { Ledger } from '../store/ledger.ts'
import { stored } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failure.ts'

export interface Feedback {
  readonly rating: Rating | null
  readonly reasons: readonly string[]
  readonly comment: string | undefined
}

const maxReasons = 10
const maxReasonLength = 30
const maxCommentLength = 250

/** Rates answers, first upstream, then in our own record. */
export function createRatings(
  options: AssistantAccess & Pick<ReplyEngine, 'closed'> & { readonly ledger: Ledger },
): (session: Session, id: MessageId, feedback: Feedback) => Promise<Message> {
  const { ledger, closed } = options

  return async (session, id, feedback) => {
    check(feedback)
    const store = ledger.session(session)
    const [message] = await store.messages([id])
    if (message?.role !== 'ASSISTANT')
      throw new NotFoundError('There is no such answer.', { field: ['messageId'] })
    const origin = await store.answerOrigin(id)
    const records = origin && recordsFor(options, origin.assistantId, origin.upstream)
    if (origin === undefined || records === undefined) {
      throw new NotSupportedError('The assistant does not know this answer any more.')
    }
    const { upstream, upstreamMessageId: messageId } = origin
    const answer = { conversationId: upstream.conversationId, messageId }
    try {
      await records.rate(session, answer, feedback, closed)
    } catch (error) {
      throw translate(error)
    }
    const rated = await stored(() => ledger.rateAnswer(session, id, feedback.rating))
    if (rated === undefined)
      throw new NotFoundError('There is no such answer.', { field: ['messageId'] })
    return rated
  }
}

function check({ rating, reasons, comment }: Feedback): void {
  // Taking a rating back has no place for a reason: the user's words would be dropped without notice.
  if (rating === null && (reasons.length > 0 || (comment ?? '') !== '')) {
    throw new InvalidInputError('Reasons and a comment need a rating.')
  }
  if (reasons.length > maxReasons) {
    throw new InvalidInputError(`There may be ${maxReasons} reasons.`, { field: ['reasons'] })
  }
  if (reasons.some(({ length }) => length < 1 || length > maxReasonLength)) {
    throw new InvalidInputError(`A reason must have 1 to ${maxReasonLength} characters.`, {
      field: ['reasons'],
    })
  }
  if (comment !== undefined && comment.length > maxCommentLength) {
    throw new InvalidInputError(`A comment may have ${maxCommentLength} characters.`, {
      field: ['comment'],
    })
  }
}

function translate(error: unknown): unknown {
  if (!(error instanceof RunFailedError)) return error
  return error.conversationGone || error.failure.code === 'UPSTREAM_REFUSED'
    ? new NotSupportedError('The assistant does not take a rating of this answer.', {
        cause: error,
      })
    : new UnavailableError('The assistant does not take ratings now.', { cause: error })
}
