import { describe, expect, it } from 'vitest'
import { RateLimitedError } from '../../../src/errors.ts'
import { createRateLimiter } from '../../../src/rate/limiter.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

function open() {
  const clock = createFakeClock()
  const options = { points: 2, durationMs: 60_000, message: 'Too often.' }
  return { clock, ...createRateLimiter({ ...options, clock }) }
}

describe('rate limiter', () => {
  it('refuses what is too much, and says when there is more', () => {
    const limiter = open()
    limiter.take('alice')
    limiter.clock.advance(20_000)
    limiter.take('alice')
    expect(() => limiter.take('alice')).toThrow(
      expect.objectContaining({
        code: 'RATE_LIMITED',
        message: 'Too often.',
        retryAfterMs: 40_000,
      }),
    )
    limiter.clock.advance(40_000)
    limiter.take('alice')
    expect(limiter.state('alice')).toEqual({ limit: 2, remaining: 1, resetAfterMs: 60_000 })
  })

  it('gives several at once, or none', () => {
    const limiter = open()
    limiter.take('alice')
    expect(() => limiter.take('alice', 2)).toThrow(RateLimitedError)
    expect(limiter.state('alice')).toMatchObject({ remaining: 1 })
    limiter.take('bob', 2)
    expect(() => limiter.take('bob')).toThrow(RateLimitedError)
    expect(() => limiter.take('carol', 3)).toThrow(
      expect.objectContaining({ retryAfterMs: 60_000 }),
    )
    expect(limiter.state('carol')).toEqual({ limit: 2, remaining: 2, resetAfterMs: undefined })
  })

  it('counts each key for itself', () => {
    const limiter = open()
    limiter.take('alice')
    limiter.take('alice')
    limiter.take('bob')
    expect(limiter.state('alice')).toMatchObject({ remaining: 0 })
    expect(limiter.state('bob')).toMatchObject({ remaining: 1 })
    expect(limiter.state('carol')).toMatchObject({ remaining: 2 })
  })

  it('each key has the whole limit again when its own span is over', () => {
    const limiter = open()
    limiter.take('alice', 2)
    limiter.clock.advance(30_000)
    limiter.take('bob', 2)
    limiter.clock.advance(30_000)
    limiter.take('alice', 2)
    expect(() => limiter.take('bob')).toThrow(expect.objectContaining({ retryAfterMs: 30_000 }))
    limiter.clock.advance(30_000)
    limiter.take('bob', 2)
    expect(() => limiter.take('alice')).toThrow(expect.objectContaining({ retryAfterMs: 30_000 }))
  })

  it('what is charged afterwards may be more than is left, and is missing then', () => {
    const limiter = open()
    limiter.take('alice')
    limiter.charge('alice', 3)
    expect(limiter.state('alice')).toMatchObject({ remaining: 0 })
    limiter.giveBack('alice')
    expect(() => limiter.take('alice')).toThrow(RateLimitedError)
    limiter.charge('bob', 2)
    expect(() => limiter.take('bob')).toThrow(RateLimitedError)
    limiter.clock.advance(60_000)
    limiter.take('alice', 2)
  })

  it('what is given back can be taken again', () => {
    const limiter = open()
    limiter.take('alice')
    limiter.take('alice')
    limiter.giveBack('alice')
    expect(limiter.state('alice')).toMatchObject({ remaining: 1 })
    limiter.take('alice')
    expect(() => limiter.take('alice')).toThrow(RateLimitedError)
    for (let time = 0; time < 3; time += 1) limiter.giveBack('alice')
    limiter.take('alice', 2)
    expect(() => limiter.take('alice')).toThrow(RateLimitedError)
  })

  it('what was taken before the limit was there again adds nothing to it', () => {
    const limiter = open()
    limiter.take('alice')
    limiter.take('alice')
    limiter.clock.advance(60_000)
    limiter.giveBack('alice')
    limiter.giveBack('alice')
    limiter.take('alice')
    limiter.take('alice')
    expect(() => limiter.take('alice')).toThrow(RateLimitedError)
  })

  it('refusals do not count', () => {
    const limiter = open()
    limiter.take('alice')
    limiter.take('alice')
    for (let time = 0; time < 3; time += 1) expect(() => limiter.take('alice')).toThrow()
    limiter.giveBack('alice')
    limiter.take('alice')
  })
})
