import { describe, expect, it } from 'vitest'
import { CozeError, type CozeErrorKind } from '../../../src/coze/errors.ts'
import type { ReplyFailureCode } from '../../../src/domain.ts'
import { asRunFailure, toRunFailure } from '../../../src/strategy/run-failure.ts'

describe('upstream failures', () => {
  it.each<[CozeErrorKind, ReplyFailureCode, boolean]>([
    ['unavailable', 'UPSTREAM_UNAVAILABLE', true],
    ['tls', 'UPSTREAM_TLS', false],
    ['auth', 'UPSTREAM_AUTH', false],
    ['rate-limited', 'UPSTREAM_RATE_LIMITED', true],
    ['quota', 'UPSTREAM_QUOTA', false],
    ['busy', 'CONVERSATION_BUSY', true],
    ['conversation-gone', 'UPSTREAM_REFUSED', true],
    ['refused', 'UPSTREAM_REFUSED', false],
    ['file', 'UPSTREAM_REFUSED', false],
    ['server', 'UPSTREAM_ERROR', true],
    ['not-supported', 'UPSTREAM_REFUSED', false],
    ['failed', 'UPSTREAM_ERROR', true],
    ['model-failed', 'UPSTREAM_ERROR', true],
    ['model-refused', 'UPSTREAM_ERROR', false],
    ['truncated', 'UPSTREAM_TRUNCATED', true],
    ['timeout', 'UPSTREAM_TIMEOUT', true],
    ['protocol', 'UPSTREAM_PROTOCOL', false],
    ['too-large', 'UPSTREAM_TOO_LARGE', false],
    ['limit', 'LIMIT', false],
  ])('%s is %s (retryable: %s)', (kind, code, retryable) => {
    const { failure, outcome } = toRunFailure(
      new CozeError(kind, 'it', { accepted: 'no', retryAfterMs: 7 }),
      'wire',
    )
    expect(failure).toMatchObject({ code, retryable, retryAfterMs: 7 })
    expect(failure.message).not.toBe('')
    expect(outcome).toBe('not-accepted')
  })

  it.each([
    ['no', 'wire', 'not-accepted'],
    ['no', 'upstream', 'not-accepted'],
    ['unknown', 'wire', 'unseen'],
    ['yes', 'wire', 'unseen'],
    ['yes', 'upstream', 'ended'],
  ] as const)('accepted: %s, told by the %s: %s', (accepted, toldBy, outcome) => {
    expect(toRunFailure(new CozeError('server', 'it', { accepted }), toldBy).outcome).toBe(outcome)
  })

  it('a connection lost after sending leaves the outcome unknown', () => {
    const lost = toRunFailure(new CozeError('unavailable', 'it', { accepted: 'unknown' }), 'wire')
    expect(lost).toMatchObject({
      outcome: 'unseen',
      failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' },
    })
  })

  it.each(['token', 'create-conversation'] as const)(
    'a connection lost under %s leaves no outcome unknown, since no message was sent',
    (call) => {
      const error = new CozeError('unavailable', 'it', { accepted: 'unknown' })
      expect(toRunFailure(error.from({ call, host: 'coze.test' }), 'wire')).toMatchObject({
        outcome: 'not-accepted',
        failure: { code: 'UPSTREAM_UNAVAILABLE', retryable: true },
      })
    },
  )

  it.each([
    'retrieve-chat',
    'retrieve-conversation',
    'list-messages',
    'list-chat-messages',
  ] as const)('a refused %s tells nothing of the run that it looks for', (call) => {
    const error = new CozeError('auth', 'it', { accepted: 'no' })
    expect(toRunFailure(error.from({ call, host: 'coze.test' }), 'wire').outcome).toBe('unseen')
  })

  it('F7 F41: a conversation that is gone is said to be; code, log id and cause are kept', () => {
    const cause = new CozeError('conversation-gone', 'it', {
      accepted: 'no',
      upstreamCode: '4002',
      logId: 'log-1',
    })
    expect(asRunFailure(cause)).toMatchObject({
      conversationGone: true,
      upstreamCode: '4002',
      logId: 'log-1',
      cause,
    })
  })

  it.each([
    ['4100', 'the region of the assistant'],
    ['700012006', 'the region of the assistant'],
    [undefined, 'the region of the assistant'],
    ['invalid_client', 'registered with the OAuth app'],
    ['access_deny', 'registered with the OAuth app'],
  ])('a refused credential hints at the region, in the log alone (%s)', (upstreamCode, cause) => {
    const error = new CozeError('auth', 'it', { accepted: 'no', upstreamCode })
    const { hint, failure, message } = toRunFailure(error, 'wire')
    expect(hint).toContain(cause)
    expect(hint).toContain('api.coze.com and api.coze.cn share no')
    expect(failure.message + message).not.toContain('api.coze')
  })

  it.each([
    ['unpublished', 'publish the assistant'],
    ['unknown', 'the ids in the address bar'],
    ['forbidden', 'access to the workspace'],
    ['parameters', 'the start node'],
    ['conversation-name', '"conversationKeying"'],
    ['user-name', '"session.nameClaim"'],
    ['workflow', 'choose one in its editor'],
    ['model', 'choose another one in its editor'],
    ['no-oauth', '"allowSharedToken"'],
  ] as const)(
    'a configuration that lacks something hints at it, in the log alone (%s)',
    (what, hint) => {
      const error = new CozeError('refused', 'it', { accepted: 'no', misconfiguration: what })
      const failed = toRunFailure(error, 'wire')
      expect(failed.hint).toContain(hint)
      expect(failed.failure.message).not.toContain(hint)
    },
  )

  it('an assistant that failed has ended, also where it failed before its stream', () => {
    const error = new CozeError('failed', 'it', { accepted: 'yes', upstreamCode: '777777775' })
    expect(toRunFailure(error, 'wire')).toMatchObject({
      outcome: 'ended',
      conversationGone: false,
      failure: { code: 'UPSTREAM_ERROR' },
      hint: expect.stringContaining('run it in its editor'),
    })
  })

  it('a call that the platform does not have is told apart from a refusal', () => {
    const error = new CozeError('not-supported', 'it', { accepted: 'no' })
    expect(toRunFailure(error, 'wire')).toMatchObject({ isSupported: false })
    expect(toRunFailure(new CozeError('refused', 'it', { accepted: 'no' }), 'wire')).toMatchObject({
      isSupported: true,
    })
  })

  it('other failures hint at nothing', () => {
    expect(toRunFailure(new CozeError('quota', 'it', { accepted: 'no' }), 'wire').hint).toBe(
      undefined,
    )
  })

  it("an abort's reason stays what it is", () => {
    const reason = new Error('stop')
    expect(asRunFailure(reason)).toBe(reason)
  })
})
