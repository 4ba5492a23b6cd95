import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { RateLimitedError, TooLargeError, UnavailableError } from '../../../src/errors.ts'
import { createWaitingBytes } from '../../../src/server/waiting-bytes.ts'

const [alice, bob] = ['alice' as SessionId, 'bob' as SessionId]
const open = () => createWaitingBytes({ maxWaitingBytes: 150, maxWaitingBytesPerSession: 100 })

describe('bytes that wait', () => {
  it('are too many for one answer, for its session, or for all', () => {
    const waiting = open()
    expect(() => waiting.open(alice).add(101)).toThrow(TooLargeError)
    const other = open()
    other.open(alice).add(60)
    expect(() => other.open(alice).add(41)).toThrow(RateLimitedError)
    const third = open()
    third.open(alice).add(100)
    expect(() => third.open(bob).add(51)).toThrow(UnavailableError)
  })

  it('are given back by what is kept, and all at the end, however often that is said', () => {
    const waiting = open()
    const one = waiting.open(alice)
    const two = waiting.open(alice)
    one.add(60)
    two.add(40)
    one.keep(10)
    expect(waiting.total).toBe(50)
    two.add(50)
    one[Symbol.dispose]()
    one[Symbol.dispose]()
    expect(waiting.total).toBe(90)
    two[Symbol.dispose]()
    expect(waiting.total).toBe(0)
    waiting.open(alice).add(100)
  })
})
