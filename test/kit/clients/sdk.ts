import { type ChatV3Message, RoleType, type StreamChatData } from '@coze/api'

/** What the official SDK gives of a chat's stream, and how to look at it. */
export function user(content: string) {
  return { role: RoleType.User, content, content_type: 'text' as const }
}

export type Stream = AsyncIterable<StreamChatData>

/** A copy of each event: the SDK hands out one object again and again. */
export async function collect(stream: Stream): Promise<StreamChatData[]> {
  const events: StreamChatData[] = []
  for await (const { event, data } of stream) events.push({ event, data } as StreamChatData)
  return events
}

export function names(events: readonly StreamChatData[]): readonly string[] {
  return events.map(({ event }) => event).filter((event, at, all) => event !== all[at - 1])
}

export function streamed(events: readonly StreamChatData[]): string {
  return events
    .flatMap((event) => (isMessage(event, 'conversation.message.delta') ? event.data.content : []))
    .join('')
}

export function completed(events: readonly StreamChatData[], type = 'answer'): readonly string[] {
  return events
    .flatMap((event) => (isMessage(event, 'conversation.message.completed') ? [event.data] : []))
    .filter((message) => message.type === type)
    .map((message) => message.content)
}

export function isMessage(
  event: StreamChatData,
  name: string,
): event is Extract<StreamChatData, { data: ChatV3Message }> {
  return event.event === name
}

export function created(events: readonly StreamChatData[]) {
  const [first] = events
  if (typeof first?.data !== 'object' || !('conversation_id' in first.data)) {
    throw new Error(`no chat was created: ${JSON.stringify(events)}`)
  }
  return first.data
}

/** How a call failed whose stream is nothing but an error: so the SDK shows JSON instead of a stream. */
export async function failure(asked: Promise<StreamChatData[]>): Promise<unknown> {
  const events = await asked
  if (events.length !== 1 || events[0]?.event !== 'error') {
    throw new Error(`it did not fail: ${names(events).join()}`)
  }
  return events[0].data
}
