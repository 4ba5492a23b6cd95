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
    ['model', 'UPSTREAM_ERROR', false],
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
