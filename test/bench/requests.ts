import { createHmac } from 'node:crypto'
import { planText } from './plan.ts'
import type { Plan } from './plan.ts'

export const benchIssuer = 'https://issuer.bench'
export const benchAudience = 'coze-gateway'

const sendMessage = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { id } }
    ... on Error { code message }
  }
}`

const replies = `subscription Replies($replyId: ID) {
  replies(replyId: $replyId) {
    __typename
    cursor
    replyId
    ... on ReplyDelta { kind offset text }
    ... on ReplyCompleted { text usage { totalTokens } }
    ... on ReplyFailed { code message }
  }
}`

/** The bytes of a chat request as a client of the upstream's own API sends it, through the passthrough. */
export function chatRequest(session: number, plan: Plan): string {
  return post('/v1/workflows/chat', [], {
    workflow_id: '7300000000000000001',
    app_id: '7300000000000000002',
    conversation_id: `73${String(session).padStart(17, '0')}`,
    additional_messages: [
      { role: 'user', type: 'question', content: planText(plan), content_type: 'text' },
    ],
    parameters: {},
  })
}

/** The bearer token of the caller with this number. */
export function callerToken(session: number, secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: benchIssuer, aud: benchAudience, sub: `caller-${session}`, iat: now }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...claims, exp: now + 3600 })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

export function sendMessageRequest(token: string, plan: Plan): string {
  return post('/graphql', [`authorization: Bearer ${token}`, 'accept: application/json'], {
    query: sendMessage,
    variables: { input: { text: planText(plan) } },
  })
}

/** Of one reply; without `replyId` of everything to come in the caller's session. */
export function repliesRequest(token: string, replyId?: string): string {
  return post('/graphql', [`authorization: Bearer ${token}`, 'accept: text/event-stream'], {
    query: replies,
    variables: { replyId },
  })
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
