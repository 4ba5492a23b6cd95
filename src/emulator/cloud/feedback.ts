import { z } from 'zod'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { findOwned } from './conversations.ts'
import { parseRequest } from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import type { PlatformMessage } from '../world.ts'

const feedbackSchema = z.object({
  feedback_type: z.enum(['like', 'unlike']),
  reason_types: z.array(z.string().min(1).max(30)).max(10).optional(),
  comment: z.string().max(250).optional(),
})

/** `POST /v1/conversations/{id}/messages/{id}/feedback`: in place of what was said before. */
export function giveCloudFeedback(call: OwnedCall, context: Context): Answer {
  const request = parseRequest(feedbackSchema, call.body)
  findAnswer(call, context).feedback = {
    type: request.feedback_type,
    reasons: request.reason_types ?? [],
    comment: request.comment ?? '',
  }
  context.changes.notify()
  return {}
}

/** `DELETE /v1/conversations/{id}/messages/{id}/feedback` */
export function withdrawCloudFeedback(call: OwnedCall, context: Context): Answer {
  findAnswer(call, context).feedback = undefined
  context.changes.notify()
  return {}
}

function findAnswer(call: OwnedCall, context: Context): PlatformMessage {
  const { conversation_id: conversationId = '', message_id: messageId } = call.params
  const { messages } = findOwned(conversationId, call, context)
  const found = messages.find(({ id, type }) => id === messageId && type === 'answer')
  if (found === undefined) throw new ApiError(4005, 'message not found')
  return found
}
