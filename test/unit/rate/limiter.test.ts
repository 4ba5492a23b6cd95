import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRateLimiter } from '../../../src/rate/limiter.ts'

const open = () => createRateLimiter({ points: 2, durationMs: 60_000, message: 'Too often.' })

describe('rate limiter', () => {
  // The library reads the time itself.
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('refuses what is too much, and says when there is more', async () => {
    const limiter = open()
    await limiter.take('alice')
    vi.advanceTimersByTime(20_000)
    await limiter.take('alice')
    await expect(limiter.take('alice')).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      message: 'Too often.',
      retryAfterMs: 40_000,
    })
    vi.advanceTimersByTime(40_000)
    await limiter.take('alice')
  })

  it('gives several at once, or none', async () => {
    const limiter = open()
    await limiter.take('alice')
    await expect(limiter.take('alice', 2)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    expect(await limiter.state('alice')).toMatchObject({ remaining: 1 })
    await limiter.take('bob', 2)
    await expect(limiter.take('bob')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('counts each key for itself', async () => {
    const limiter = open()
    await limiter.take('alice')
    await limiter.take('alice')
    await limiter.take('bob')
    expect(await limiter.state('alice')).toMatchObject({ remaining: 0 })
    expect(await limiter.state('bob')).toMatchObject({ remaining: 1 })
    expect(await limiter.state('carol')).toMatchObject({ remaining: 2 })
  })

  it('what is given back can be taken again', async () => {
    const limiter = open()
    await limiter.take('alice')
    await limiter.take('alice')
    await limiter.giveBack('alice')
    expect(await limiter.state('alice')).toMatchObject({ remaining: 1 })
    await limiter.take('alice')
    await expect(limiter.take('alice')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('what was taken before the limit was there again adds nothing to it', async () => {
    const limiter = open()
    await limiter.take('alice')
    await limiter.take('alice')
    vi.advanceTimersByTime(60_000)
    await limiter.giveBack('alice')
    await limiter.giveBack('alice')
    await limiter.take('alice')
    await limiter.take('alice')
    await expect(limiter.take('alice')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('refusals do not count', async () => {
    const limiter = open()
    await limiter.take('alice')
    await limiter.take('alice')
    for (let time = 0; time < 3; time += 1) await limiter.take('alice').catch(() => undefined)
    await limiter.giveBack('alice')
    await limiter.take('alice')
  })
})
