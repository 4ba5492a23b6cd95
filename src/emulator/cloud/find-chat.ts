import type { Context } from '../context.ts'
import { ApiError } from '../call-errors.ts'
import type { Chat, PlatformConversation } from '../world.ts'

/** @throws {ApiError} 4001 */
export function findChat(
  id: string | null,
  conversation: PlatformConversation,
  { world }: Context,
): Chat {
  const chat = world.chats.get(id ?? '')
  if (chat === undefined || chat.conversationId !== conversation.id || !chat.saved) {
    throw new ApiError(4001, 'chat not found')
  }
  return chat
}
