import { createHmac } from 'node:crypto'
import type { ServerKind } from './commands.ts'
import { type Plan, planText } from './plan.ts'

export const benchIssuer = 'https://issuer.bench'
export const benchAudience = 'coze-gateway'

/** What arrived of one reply. */
export interface Tally {
  /** Frames that carried answer text; neighbouring deltas may have been merged. */
  events: number
  /** Length of the answer text that arrived in deltas. */
  characters: number
  /** Length of the whole answer, where the server repeats it at the end. */
  completedCharacters: number | undefined
  ended: boolean
}

/** How a client asks one kind of server for a reply, and reads it. */
export interface Protocol {
  /** The message's own request, where the reply is read by another one. */
  readonly send: ((caller: Caller, plan: Plan) => string) | undefined
  /** The request whose answer streams the reply. `replyId`: from the answer to `send`. */
  readonly read: (caller: Caller, plan: Plan, replyId: string) => string
  /** The request for a stream of all replies of the caller, which chat clients keep open. Undefined: the server has none. */
  readonly follow: ((caller: Caller) => string) | undefined
  /** A request for a stream on which nothing comes. */
  readonly idle: (caller: Caller) => string
  /**
   * Reads the frame `text[at, end)` into the tally. It looks for a few marks and parses nothing, unlike the reader of the tests: a
   * client that costs as much as its server measures itself.
   */
  readonly frame: (text: string, at: number, end: number, tally: Tally) => void
}

export interface Caller {
  readonly session: number
  readonly token: string
}

/** A bearer token that the gateway of the benchmark accepts. */
export function callerToken(session: number, secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: benchIssuer, aud: benchAudience, sub: `caller-${session}`, iat: now }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...claims, exp: now + 3600 })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const sendMessage = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { id } }
    ... on UserError { code message }
  }
}`

const replies = `subscription Replies($replyId: ID) {
  replies(replyId: $replyId) {
    __typename
    cursor
    replyId
    ... on ReplyDelta { kind offset text }
    ... on ReplyCompleted { text usage { totalTokens } }
    ... on ReplyFailed { failure { code message } }
  }
}`

const draftSend =
  'mutation Send($text: String!, $conversationId: ID!) { sendMessage(text: $text, conversationId: $conversationId) { id } }'
const draftReply = 'subscription Reply($id: ID!) { reply(id: $id) { delta done full } }'

export const protocols: Readonly<Record<ServerKind, Protocol>> = {
  passthrough: {
    send: undefined,
    read: ({ session }, plan) =>
      post('/v1/workflows/chat', [], {
        workflow_id: '7300000000000000001',
        app_id: '7300000000000000002',
        conversation_id: conversationOf(session),
        additional_messages: [
          { role: 'user', type: 'question', content: planText(plan), content_type: 'text' },
        ],
        parameters: {},
      }),
    follow: undefined,
    idle: (caller) => protocols.passthrough.read(caller, { kind: 'idle' }, ''),
    frame(text, at, end, tally) {
      if (text.startsWith('event: conversation.message.delta\n', at)) {
        tally.events += 1
        tally.characters += stringLength(text, '"content":"', at, end)
      } else if (text.startsWith('event: conversation.message.completed\n', at)) {
        const type = text.indexOf('"type":"answer"', at)
        if (type !== -1 && type < end) {
          tally.completedCharacters = stringLength(text, '"content":"', at, end)
        }
      } else if (text.startsWith('event: done\n', at)) tally.ended = true
      else if (!text.startsWith('event: conversation.chat.', at)) unexpected(text, at, end)
    },
  },
  express: {
    send: undefined,
    read: ({ session }, plan) =>
      post('/chat', [], { conversationId: conversationOf(session), text: planText(plan) }),
    follow: undefined,
    idle: (caller) => protocols.express.read(caller, { kind: 'idle' }, ''),
    frame: readDraft,
  },
  yoga: {
    send: ({ session }, plan) =>
      post('/graphql', ['accept: application/json'], {
        query: draftSend,
        variables: { text: planText(plan), conversationId: conversationOf(session) },
      }),
    read: (_caller, _plan, id) =>
      post('/graphql', ['accept: text/event-stream'], { query: draftReply, variables: { id } }),
    follow: undefined,
    idle: ({ session }) =>
      post('/graphql', ['accept: text/event-stream'], {
        query: draftReply,
        variables: { id: `nothing-${session}` },
      }),
    frame: readDraft,
  },
  gateway: {
    send: ({ token }, plan) =>
      post('/graphql', [`authorization: Bearer ${token}`, 'accept: application/json'], {
        query: sendMessage,
        variables: { input: { text: planText(plan) } },
      }),
    read: ({ token }, _plan, replyId) =>
      post('/graphql', [`authorization: Bearer ${token}`, 'accept: text/event-stream'], {
        query: replies,
        variables: { replyId },
      }),
    follow: followAll,
    idle: followAll,
    frame(text, at, end, tally) {
      const typename = text.indexOf('"__typename":"Reply', at)
      if (typename === -1 || typename > end) {
        if (text.startsWith(':', at) || text.startsWith('event: complete', at)) return
        unexpected(text, at, end)
      }
      const type = text.slice(typename + 19, text.indexOf('"', typename + 19))
      if (type === 'Started') return
      if (type === 'Delta') {
        const offset = text.indexOf('"offset":', typename) + 9
        // A gap, a doubled text or another order shows here.
        if (Number.parseInt(text.slice(offset, offset + 16), 10) !== tally.characters) {
          unexpected(text, at, end)
        }
        tally.events += 1
        tally.characters += stringLength(text, '"text":"', offset, end)
      } else if (type === 'Completed') {
        tally.completedCharacters = stringLength(text, '"text":"', typename, end)
        tally.ended = true
      } else unexpected(text, at, end)
    },
  },
}

function followAll({ token }: Caller): string {
  const headers = [`authorization: Bearer ${token}`, 'accept: text/event-stream']
  return post('/graphql', headers, { query: replies })
}

/** The frames of Express and of the first Yoga draft: pieces of text, then the whole of it. */
function readDraft(text: string, at: number, end: number, tally: Tally): void {
  const full = text.indexOf('"full":"', at)
  const delta = text.indexOf('"delta":"', at)
  if (full !== -1 && full < end) {
    tally.completedCharacters = stringLength(text, '"full":"', at, end)
    tally.ended = true
  } else if (delta !== -1 && delta < end) {
    tally.events += 1
    tally.characters += stringLength(text, '"delta":"', at, end)
  } else if (!text.startsWith(':', at) && !text.startsWith('event: complete', at)) {
    unexpected(text, at, end)
  }
}

function conversationOf(session: number): string {
  return `73${String(session).padStart(17, '0')}`
}

function post(path: string, headers: readonly string[], value: unknown): string {
  const body = JSON.stringify(value)
  return [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${body.length}`,
    ...headers,
    '',
    body,
  ].join('\r\n')
}

/** The length of the string that follows `key`; the benchmark's texts hold nothing to escape. */
function stringLength(text: string, key: string, at: number, end: number): number {
  const from = text.indexOf(key, at) + key.length
  const to = text.indexOf('"', from)
  if (from < key.length || to === -1 || to > end) unexpected(text, at, end)
  return to - from
}

function unexpected(text: string, at: number, end: number): never {
  throw new Error(`unexpected frame: ${text.slice(at, Math.min(end, at + 400))}`)
}
