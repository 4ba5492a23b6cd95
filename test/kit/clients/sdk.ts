import { type ChatV3Message, CozeAPI, getJWTToken, RoleType, type StreamChatData } from '@coze/api'
import type { TestApp } from '../process/emulator.ts'

/** The ids that tests of the emulator use. */
export const workflow_id = '7400000000000000001'
export const app_id = '7400000000000000002'
export const bot_id = '7400000000000000003'

/** The names of the events of a chat that goes well, each once. */
export const eventNames = [
  'conversation.chat.created',
  'conversation.chat.in_progress',
  'conversation.message.delta',
  'conversation.message.completed',
  'conversation.chat.completed',
  'done',
]

/** Exchanges a JWT of the app for an access token, as the official SDK does. */
export async function exchangeJwt(
  { url }: { readonly url: string },
  app: TestApp,
  sessionName?: string,
  changes: Partial<Parameters<typeof getJWTToken>[0]> = {},
) {
  return getJWTToken({
    baseURL: url,
    appId: app.appId,
    keyid: app.keyId,
    aud: new URL(url).host,
    privateKey: app.privateKeyPem,
    ...(sessionName !== undefined && { sessionName }),
    ...changes,
  })
}

/** The official SDK with the access token of a session. */
export async function signInTo(
  emulator: { readonly url: string },
  app: TestApp,
  sessionName?: string,
): Promise<CozeAPI> {
  const { access_token: token } = await exchangeJwt(emulator, app, sessionName)
  return new CozeAPI({ baseURL: emulator.url, token })
}

export async function askWorkflow(coze: CozeAPI, text: string, more: object = {}) {
  const question = { workflow_id, app_id, additional_messages: [user(text)] }
  return collect(coze.workflows.chat.stream({ ...question, ...more }))
}

export async function askBot(coze: CozeAPI, text: string, more: object = {}) {
  const question = { bot_id, user_id: 'u', additional_messages: [user(text)] }
  return collect(coze.chat.stream({ ...question, ...more }))
}

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
