import type { CozeClient, CozeTarget } from './client.ts'

/** What the session thinks of one of its answers (coze-api.md §7). */
export interface Feedback {
  readonly type: 'like' | 'unlike'
  /** At most 10 of 30 characters. */
  readonly reasons: readonly string[]
  /** At most 250 characters. */
  readonly comment: string | undefined
}

export interface AnswerReference {
  readonly conversationId: string
  readonly messageId: string
}

/** Rates an answer, in place of what was said of it before. */
export async function giveFeedback(
  client: CozeClient,
  target: CozeTarget,
  answer: AnswerReference,
  feedback: Feedback,
  signal: AbortSignal,
): Promise<void> {
  const body = {
    feedback_type: feedback.type,
    reason_types: feedback.reasons.length === 0 ? undefined : feedback.reasons,
    comment: feedback.comment,
  }
  const call = 'give-feedback'
  const path = feedbackPath(answer)
  await client.request({ call, target, method: 'POST', path, body, read: () => undefined }, signal)
}

export async function withdrawFeedback(
  client: CozeClient,
  target: CozeTarget,
  answer: AnswerReference,
  signal: AbortSignal,
): Promise<void> {
  const call = 'withdraw-feedback'
  const path = feedbackPath(answer)
  await client.request({ call, target, method: 'DELETE', path, read: () => undefined }, signal)
}

function feedbackPath({ conversationId, messageId }: AnswerReference): string {
  const conversation = encodeURIComponent(conversationId)
  return `/v1/conversations/${conversation}/messages/${encodeURIComponent(messageId)}/feedback`
}
