import type {
  ConversationId,
  Message,
  MessageId,
  ReplyId,
  SessionId,
  SessionName,
} from '../../../src/domain.ts'
import type { RunContext, RunEvent, TakeRunEvents } from '../../../src/strategy/strategy.ts'

/** A run of a session, with ids made of its names. */
export function createRun(session: string, reply = 'reply-1', conversation = 'conv-1'): RunContext {
  return {
    session: { id: `id-${session}` as SessionId, name: session as SessionName },
    conversationId: `${session}-${conversation}` as ConversationId,
    replyId: `${session}-${reply}` as ReplyId,
    generation: 0,
  }
}

/** Older messages of a run's conversation, the user's first. */
export function createHistory(run: RunContext, texts: readonly string[]): readonly Message[] {
  return texts.map((text, index) => ({
    id: `message-${index}` as MessageId,
    conversationId: run.conversationId,
    replyId: `older-${index}` as ReplyId,
    role: index % 2 === 0 ? 'USER' : 'ASSISTANT',
    text,
    attachmentIds: [],
    imageUrls: [],
    rating: null,
    createdAt: index,
  }))
}

/** All events of a run, and what it threw. */
export async function collect(
  stream: (take: TakeRunEvents) => Promise<void>,
): Promise<{ readonly events: readonly RunEvent[]; readonly error: unknown }> {
  const events: RunEvent[] = []
  try {
    await stream((batch) => {
      events.push(...batch)
      return undefined
    })
  } catch (error) {
    return { events, error }
  }
  return { events, error: undefined }
}

/** For a run that must not begin. */
export const untaken: TakeRunEvents = () => {
  throw new Error('nothing should have been streamed')
}

/** The answer that the events make: completed messages over their deltas, in first-seen order. */
export function answerOf(events: readonly RunEvent[]): string {
  const texts = new Map<string, string>()
  for (const event of events) {
    if (event.type === 'message') texts.set(event.messageId, event.text)
    if (event.type !== 'delta' || event.kind !== 'ANSWER') continue
    texts.set(event.messageId, (texts.get(event.messageId) ?? '') + event.text)
  }
  return [...texts.values()].join('\n\n')
}
