import type { ReplyEvent, ReplyId } from '../../../src/domain.ts'
import type { SessionReplies } from '../../../src/session/replies.ts'

/** Reads a reply from its start to its end by calls, without a wire. `take` is given each event and the cursor behind it. */
export async function followReply(
  replies: SessionReplies,
  replyId: ReplyId,
  take: (event: ReplyEvent, cursor: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const nothing = { conversationId: undefined, after: undefined, lastEventId: undefined }
  const subscription = await replies.subscribe({ replyId, ...nothing })
  await subscription.follow((batch) => {
    for (const item of batch) take(item.event, subscription.cursor(item))
    return undefined
  }, signal)
}
