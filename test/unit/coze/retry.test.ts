import { describe, expect, it } from 'vitest'
import { CozeError, type CozeErrorDetails, type CozeErrorKind } from '../../../src/coze/errors.ts'
import { type Try, withRetries } from '../../../src/coze/retry.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const origin = { call: 'bot-chat', host: 'coze.test' } as const

/** Runs against always the same error; tells the pauses taken before it was thrown. */
async function exhaust(...failing: Parameters<typeof exhaustCounted>) {
  return (await exhaustCounted(...failing)).pauses
}

async function exhaustCounted(
  kind: CozeErrorKind,
  details: Partial<CozeErrorDetails> = {},
  tryMs = 0,
) {
  let elapsed = 0
  const pauses: number[] = []
  const clock: Clock = {
    ...createFakeClock(),
    monotonic: () => elapsed,
    async sleep(ms) {
      pauses.push(ms)
      elapsed += ms
    },
  }
  const error = new CozeError(kind, 'x', { accepted: 'no', ...details })
  const run = () => {
    elapsed += tryMs
    return Promise.reject(error)
  }
  const counted: string[] = []
  const metrics = {
    upstreamError: (_call: string, failed: string, code: string) =>
      void counted.push(`${failed} ${code}`),
    upstreamRetried: () => void counted.push('again'),
  }
  const options = {
    clock,
    random: () => 0.5,
    metrics,
    origin,
    retryMs: 5_000,
    rateLimitWaitMs: 30_000,
  }
  const outcome = withRetries(run, options, new AbortController().signal)
  await expect(outcome).rejects.toBe(error)
  return { pauses, counted }
}

describe('retries', () => {
  it('F1 connects at most three times, with jittered pauses', async () => {
    expect(await exhaust('unavailable')).toEqual([125, 250])
  })

  it('F1 gives up connecting after 5 s', async () => {
    expect(await exhaust('unavailable', {}, 2_500)).toEqual([125])
    expect(await exhaust('unavailable', {}, 5_000)).toEqual([])
  })

  it('F6 honours Retry-After up to 30 s', async () => {
    expect(await exhaust('rate-limited', { retryAfterMs: 30_000 })).toEqual([30_000, 30_000])
    expect(await exhaust('rate-limited', { retryAfterMs: 30_001 })).toEqual([])
  })

  it('F6 backs off with full jitter where the upstream does not say', async () => {
    expect(await exhaust('rate-limited')).toEqual([500, 1_000])
  })

  it('F6 backs off as well where Retry-After is over before the next try, as a date in the past', async () => {
    expect(await exhaust('rate-limited', { retryAfterMs: 0 })).toEqual([500, 1_000])
    expect(await exhaust('rate-limited', { retryAfterMs: 600 })).toEqual([600, 1_000])
  })

  it.each([
    'tls',
    'auth',
    'quota',
    'busy',
    'conversation-gone',
    'refused',
    'server',
    'model-failed',
    'failed',
    'not-supported',
  ] as const)('F2 F7 F8 never tries again after %s', async (kind) => {
    expect(await exhaust(kind)).toEqual([])
  })

  it.each(['unknown', 'yes'] as const)(
    'never sends again what may have been accepted (%s)',
    async (accepted) => {
      expect(await exhaust('unavailable', { accepted })).toEqual([])
      expect(await exhaust('rate-limited', { accepted })).toEqual([])
    },
  )

  it('repeats a call that does no harm twice once, on a new connection, with what is left of its time', async () => {
    const clock = createFakeClock()
    const tries: Try[] = []
    const run = (attempt: Try) => {
      tries.push(attempt)
      clock.advance(3_000)
      return Promise.reject(new CozeError('truncated', 'x', { accepted: 'unknown' }))
    }
    const metrics = { upstreamError() {}, upstreamRetried() {} }
    const limits = { retryMs: 5_000, rateLimitWaitMs: 30_000 }
    const listing = { call: 'list-messages', host: 'coze.test' } as const
    const options = { clock, random: () => 0.5, metrics, origin: listing, ...limits }
    const outcome = withRetries(run, options, new AbortController().signal)
    await expect(outcome).rejects.toMatchObject({ kind: 'truncated' })
    expect(tries).toEqual([
      { nth: 0, connection: 'kept-alive', spentMs: 0, mayRepeat: true },
      { nth: 1, connection: 'new', spentMs: 3_000, mayRepeat: false },
    ])
  })

  it('counts each failure with its code, and each try after the first', async () => {
    const { counted } = await exhaustCounted('rate-limited', { upstreamCode: '4009' })
    const failed = 'rate-limited 4009'
    expect(counted).toEqual([failed, 'again', failed, 'again', failed])
    expect((await exhaustCounted('tls')).counted).toEqual(['tls uncoded'])
    const unheard = await exhaustCounted('server', { upstreamCode: '123456789' })
    expect(unheard.counted).toEqual(['server other'])
  })

  it('ends its pause with the signal', async () => {
    const clock = createFakeClock()
    const controller = new AbortController()
    const run = () => Promise.reject(new CozeError('unavailable', 'x', { accepted: 'no' }))
    const metrics = { upstreamError() {}, upstreamRetried() {} }
    const options = {
      clock,
      random: () => 1,
      metrics,
      origin,
      retryMs: 5_000,
      rateLimitWaitMs: 30_000,
    }
    const outcome = withRetries(run, options, controller.signal)
    const reason = new Error('enough')
    setImmediate(() => controller.abort(reason))
    await expect(outcome).rejects.toBe(reason)
    expect(clock.pending).toBe(0)
  })
})
