import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { RateLimitedError, TooLargeError, UnavailableError } from '../../../src/errors.ts'
import { createWaitingBytes } from '../../../src/server/streams/waiting-bytes.ts'

const [alice, bob] = ['alice' as SessionId, 'bob' as SessionId]
const open = () =>
  createWaitingBytes({ maxWaitingBytes: 150_000, maxWaitingBytesPerSession: 100_000 })

describe('bytes that wait', () => {
  it('are too many for one answer, for its session, or for all', () => {
    const waiting = open()
    expect(() => waiting.open(alice).add(100_001)).toThrow(TooLargeError)
    const other = open()
    other.open(alice).add(60_000)
    expect(() => other.open(alice).add(41_000)).toThrow(RateLimitedError)
    const third = open()
    third.open(alice).add(100_000)
    expect(() => third.open(bob).add(70_000)).toThrow(UnavailableError)
  })

  it('of an ordinary answer are taken, however many bytes other sessions have waiting', () => {
    const waiting = open()
    waiting.open(alice).add(100_000)
    expect(() => waiting.open(bob).add(60_000)).not.toThrow()
    expect(() => waiting.open(bob).add(10_000)).toThrow(UnavailableError)
  })

  it('are given back by what is kept, and all at the end, however often that is said', () => {
    const waiting = open()
    const one = waiting.open(alice)
    const two = waiting.open(alice)
    one.add(60_000)
    two.add(40_000)
    one.keep(10_000)
    expect(waiting.total).toBe(50_000)
    two.add(50_000)
    one[Symbol.dispose]()
    one[Symbol.dispose]()
    expect(waiting.total).toBe(90_000)
    two[Symbol.dispose]()
    expect(waiting.total).toBe(0)
    waiting.open(alice).add(100_000)
  })
})
