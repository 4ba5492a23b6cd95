import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { watchLifetime } from '../../../src/cli/lifetime.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'

function watch(isRunByNpm = false) {
  const clock = createFakeClock()
  const events = new EventEmitter()
  const exits: number[] = []
  const faults: unknown[] = []
  const logger = {
    ...silentLogger,
    error: (fields: Readonly<Record<string, unknown>>) => void faults.push(fields['err']),
  }
  const lifetime = watchLifetime(events, {
    logger,
    clock,
    exitNow: (code) => void exits.push(code),
    drainMs: 25_000,
    isRunByNpm,
  })
  return { events, exits, faults, lifetime, clock }
}

describe('the lifetime of a process', () => {
  it.each(['SIGTERM', 'SIGINT'])('F20 ends well with %s, after the drain', async (signal) => {
    const { events, exits, lifetime } = watch()
    events.emit(signal, signal)
    expect(await lifetime.end).toBe(0)
    expect(lifetime.signal.aborted).toBe(true)
    expect(exits).toEqual([])
  })

  it('F22 ends at once with a second signal', () => {
    const { events, exits } = watch()
    events.emit('SIGTERM', 'SIGTERM')
    events.emit('SIGINT', 'SIGINT')
    expect(exits).toEqual([1])
  })

  it('F22: takes the two signals that one Ctrl-C is under npm for one, and a second Ctrl-C for a second', () => {
    const { events, exits, clock } = watch(true)
    const press = () => {
      for (let count = 0; count < 2; count += 1) events.emit('SIGINT', 'SIGINT')
    }
    press()
    expect(exits).toEqual([])
    clock.advance(100)
    press()
    expect(exits).toEqual([1])
  })

  it.each(['uncaughtException', 'unhandledRejection'])(
    'F25 ends badly after a drain with an %s, which is logged',
    async (event) => {
      const { events, exits, faults, lifetime } = watch()
      const fault = new Error('nobody caught this')
      events.emit(event, fault)
      expect(await lifetime.end).toBe(1)
      expect(faults).toEqual([fault])
      expect(exits).toEqual([])
    },
  )

  it.each(['SIGTERM', 'uncaughtException'])(
    'ends at once when what began with %s is not over 10 s after its time to drain',
    (event) => {
      const { events, exits, clock } = watch()
      events.emit(event, event)
      clock.advance(35_000 - 1)
      expect(exits).toEqual([])
      clock.advance(1)
      expect(exits).toEqual([1])
    },
  )

  it('ends by itself when all is over in time', () => {
    const { events, exits, clock, lifetime } = watch()
    events.emit('SIGTERM', 'SIGTERM')
    lifetime[Symbol.dispose]()
    clock.advance(3_600_000)
    expect(exits).toEqual([])
  })

  it('F25 logs a fault of the drain too, and keeps the first verdict', async () => {
    const { events, faults, lifetime } = watch()
    events.emit('SIGTERM', 'SIGTERM')
    events.emit('uncaughtException', new Error('late'))
    expect(await lifetime.end).toBe(0)
    expect(faults).toHaveLength(1)
  })

  it('leaves no listener behind', () => {
    const { events, lifetime } = watch()
    lifetime[Symbol.dispose]()
    expect(events.eventNames()).toEqual([])
  })
})
