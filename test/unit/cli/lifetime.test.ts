import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { watchLifetime } from '../../../src/cli/lifetime.ts'
import { silentLogger } from '../../kit/logger.ts'

function watch() {
  const events = new EventEmitter()
  const exits: number[] = []
  const faults: unknown[] = []
  const logger = {
    ...silentLogger,
    error: (fields: Readonly<Record<string, unknown>>) => void faults.push(fields['err']),
  }
  const lifetime = watchLifetime(events, { logger, exitNow: (code) => void exits.push(code) })
  return { events, exits, faults, lifetime }
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
