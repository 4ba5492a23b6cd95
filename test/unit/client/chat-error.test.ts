import { expect, it } from 'vitest'
import { ChatError, type ChatErrorCode } from '../../../src/client/client.ts'
import { responseError } from '../../../src/client/chat-error.ts'

const passing: readonly ChatErrorCode[] = [
  'ASSISTANT_UNAVAILABLE',
  'CONVERSATION_BUSY',
  'DRAINING',
  'NETWORK',
  'QUEUE_FULL',
  'RATE_LIMITED',
  'UNAVAILABLE',
]
const lasting: readonly ChatErrorCode[] = [
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'CLOSED',
  'FORBIDDEN',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'IDEMPOTENCY_MISMATCH',
  'INTERNAL_SERVER_ERROR',
  'INVALID_INPUT',
  'NOT_FOUND',
  'NOT_SUPPORTED',
  'SUBSCRIPTION_CURSOR_EXPIRED',
  'SUBSCRIPTION_TOKEN_EXPIRED',
  'TOO_LARGE',
  'UNAUTHENTICATED',
]

it.each([
  ...passing.map((code) => [code, true] as const),
  ...lasting.map((code) => [code, false] as const),
])('a refusal with the code %s is retryable: %s', (code, retryable) => {
  const error = new ChatError({ code, message: 'No.' })
  expect(error).toMatchObject({ name: 'ChatError', code, retryable, retryAfterMs: null })
  expect(error).toMatchObject({ field: null, message: 'No.' })
})

it('an error has what the gateway says of it, and no more', () => {
  const cause = new Error('lost')
  const said = { code: 'UPSTREAM_UNAVAILABLE', message: 'Later.', retryable: false } as const
  expect(new ChatError({ ...said, retryAfterMs: 7, cause })).toMatchObject({
    ...said,
    retryAfterMs: 7,
    cause,
  })
  const extensions = { code: 'SUBSCRIPTION_TOKEN_EXPIRED', resumeAfter: 'c1' } as const
  expect(responseError([{ message: 'Late.', extensions }])).toMatchObject({
    ...extensions,
    message: 'Late.',
    retryable: false,
  })
})
