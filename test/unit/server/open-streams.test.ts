import { describe, expect, it } from 'vitest'
import { permanentlyAccepted } from '../../../src/auth/identity.ts'
import type { SessionId } from '../../../src/domain.ts'
import { createOpenStreams } from '../../../src/server/streams/open-streams.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'

const alice = 'alice' as SessionId

function open(maxSubscriptionsPerSession = 1_000) {
  const clock = createFakeClock()
  const streams = createOpenStreams({
    maxSubscriptions: 1_000,
    maxSubscriptionsPerSession,
    keepAliveMs: 800,
    credentialCheckMs: 60_000,
    retryMs: () => 1_000,
    clock,
    logger: silentLogger,
  })
  let written = 0
  const ends: string[] = []
  const add = (name = '') => {
    const place = streams.admit(alice)
    place.hold({
      credentialStatus: permanentlyAccepted,
      expiresAt: Number.POSITIVE_INFINITY,
      expire: () => {},
      replace: () => void ends.push(name),
      keepAlive: () => void (written += 1),
      drain: () => {},
    })
    return place
  }
  /** How many comments each eighth of an interval brings. */
  const writes = () =>
    Array.from({ length: 8 }, () => {
      written = 0
      clock.advance(100)
      return written
    })
  return { streams, add, writes, ends, [Symbol.dispose]: () => streams[Symbol.dispose]() }
}

describe('open streams', () => {
  it('spread their keep-alives evenly while streams come and go at a constant population', () => {
    using system = open()
    const places = Array.from({ length: 80 }, () => system.add())
    for (let turn = 0; turn < 800; turn += 1) {
      places.shift()?.[Symbol.dispose]()
      places.push(system.add())
    }
    expect(system.writes()).toEqual(Array.from({ length: 8 }, () => 10))
  })

  it('count a session anew when a stream that was replaced ends last', () => {
    using system = open(1)
    const first = system.add('first')
    const second = system.add('second')
    expect(system.ends).toEqual(['first'])
    second[Symbol.dispose]()
    const third = system.add('third')
    first[Symbol.dispose]()
    system.add('fourth')
    expect(system.ends).toEqual(['first', 'third'])
    third[Symbol.dispose]()
  })

  it('T16: refuse what a session opens beyond its limit while none of it is a stream yet', () => {
    using system = open(2)
    const opening = [system.streams.admit(alice), system.streams.admit(alice)]
    expect(() => system.streams.admit(alice)).toThrow(/being opened/)
    for (const place of opening) place[Symbol.dispose]()
    expect(system.streams.size).toBe(0)
  })
})
