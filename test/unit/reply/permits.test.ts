import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { createSessionRuns } from '../../../src/reply/admission.ts'
import { createCircuit } from '../../../src/reply/circuit.ts'
import { createPermits, type Permit } from '../../../src/reply/permits.ts'
import { createEqualShare } from '../../../src/reply/quota-share.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const forever = new AbortController().signal

function open(
  options: { maxRunning?: number; startsPerSecond?: number; perSession?: number } = {},
) {
  const { maxRunning = 1, startsPerSecond = 1_000, perSession = 10 } = options
  const clock = createFakeClock()
  const circuit = createCircuit({ failures: 1, openMs: 500, clock, onChange: () => undefined })
  const sessions = createSessionRuns(perSession)
  const lengths: { waiting: number; running: number }[] = []
  const permits = createPermits({
    share: createEqualShare({ maxRunning, startsPerSecond }, () => 1),
    sessions,
    circuit,
    clock,
    onLength: (waiting, running) => lengths.push({ waiting, running }),
  })
  const order: string[] = []
  const taken = new Map<string, Permit>()
  /** `name`: a session's letter and the number of its reply. */
  function enter(name: string, signal = forever) {
    const permit = permits.permit(name.slice(0, 1) as SessionId)
    taken.set(name, permit)
    return permit.take(signal).then(() => void order.push(name))
  }
  /** Takes one that is free right now. */
  function tryEnter(name: string): boolean {
    const permit = permits.permit(name.slice(0, 1) as SessionId)
    taken.set(name, permit)
    return permit.tryTake()
  }
  return {
    clock,
    circuit,
    permits,
    order,
    enter,
    tryEnter,
    enterAll: (...names: readonly string[]) => names.forEach((name) => void enter(name)),
    leave: (name: string, options?: { readonly unused: boolean }) =>
      taken.get(name)?.release(options),
    last: () => lengths.at(-1),
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('T17: the permits of an assistant', () => {
  it('go round the sessions, however many replies one has', async () => {
    const { enterAll, leave, order } = open()
    enterAll('a1', 'a2', 'a3', 'a4', 'b1', 'c1')
    for (let n = 0; n < 6; n += 1) {
      await turn()
      leave(order.at(-1) ?? '')
    }
    expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'a4'])
  })

  it('F6: are at most so many for one session, its retries included, and others pass it by', async () => {
    const { enterAll, leave, order } = open({ maxRunning: 10, perSession: 2 })
    enterAll('a1', 'a2', 'a3', 'a4', 'b1')
    await turn()
    expect(order).toEqual(['a1', 'a2', 'b1'])
    leave('b1')
    await turn()
    expect(order).toHaveLength(3)
    leave('a2')
    await turn()
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3'])
  })

  it('are taken no faster than the assistant may be asked', async () => {
    const { enterAll, order, clock } = open({ maxRunning: 10, startsPerSecond: 2 })
    enterAll('a1', 'b1', 'c1', 'd1')
    await turn()
    expect(order).toEqual(['a1', 'b1'])
    clock.advance(499)
    await turn()
    expect(order).toHaveLength(2)
    clock.advance(1)
    await turn()
    expect(order).toEqual(['a1', 'b1', 'c1'])
    clock.advance(500)
    await turn()
    expect(order).toHaveLength(4)
  })

  it('cost nothing when nothing was started on them', async () => {
    const { enterAll, leave, order } = open({ startsPerSecond: 1 })
    enterAll('a1', 'b1')
    await turn()
    leave('a1', { unused: true })
    await turn()
    expect(order).toEqual(['a1', 'b1'])
  })

  it('are not waited for by who has left', async () => {
    const { enter, enterAll, leave, order, last } = open()
    enterAll('a1')
    const leaving = new AbortController()
    const left = enter('b1', leaving.signal)
    enterAll('c1')
    expect(last()).toEqual({ waiting: 2, running: 1 })
    leaving.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    expect(last()).toEqual({ waiting: 1, running: 1 })
    leave('a1')
    await turn()
    expect(order).toEqual(['a1', 'c1'])
    leave('c1')
    expect(last()).toEqual({ waiting: 0, running: 0 })
  })

  it('F1: are kept while the assistant cannot be reached, then tried by one', async () => {
    const { enterAll, leave, order, circuit, clock } = open({ maxRunning: 10 })
    circuit.unreachable()
    enterAll('a1', 'b1', 'c1')
    await turn()
    expect(order).toEqual([])
    clock.advance(500)
    await turn()
    expect(order).toEqual(['a1'])
    circuit.reached()
    await turn()
    expect(order).toEqual(['a1', 'b1', 'c1'])
    leave('a1')
  })

  it('leave no timer behind', () => {
    const { enterAll, permits, clock } = open({ startsPerSecond: 1, maxRunning: 10 })
    enterAll('a1', 'b1')
    expect(clock.pending).toBe(1)
    permits[Symbol.dispose]()
    expect(clock.pending).toBe(0)
  })

  it('are taken at once where one is free, and given back', () => {
    const { tryEnter, leave, last } = open()
    expect(tryEnter('a1')).toBe(true)
    expect(last()).toEqual({ waiting: 0, running: 1 })
    expect(tryEnter('b1')).toBe(false)
    leave('a1')
    expect(tryEnter('b1')).toBe(true)
  })

  it('are not taken at once past a session that waits for its turn, though its timer is late', async () => {
    const { tryEnter, enterAll, order, clock } = open({ maxRunning: 10, startsPerSecond: 1 })
    enterAll('a1', 'b1')
    await turn()
    expect(order).toEqual(['a1'])
    clock.delay(5_000)
    expect(tryEnter('c1')).toBe(false)
    clock.advance(0)
    await turn()
    expect(order).toEqual(['a1', 'b1'])
  })

  it('are not taken at once past a line of the same session', async () => {
    const { tryEnter, enterAll } = open({ maxRunning: 10, perSession: 1 })
    enterAll('a1', 'a2')
    await turn()
    expect(tryEnter('a3')).toBe(false)
    expect(tryEnter('b1')).toBe(true)
  })

  it('are not taken at once beyond what one session may run, over what the assistant may be asked, or of one that cannot be reached', () => {
    const limited = open({ maxRunning: 10, perSession: 1 })
    expect(limited.tryEnter('a1')).toBe(true)
    expect(limited.tryEnter('a2')).toBe(false)

    const slow = open({ maxRunning: 10, startsPerSecond: 1 })
    expect(slow.tryEnter('a1')).toBe(true)
    expect(slow.tryEnter('b1')).toBe(false)
    slow.leave('a1', { unused: true })
    expect(slow.tryEnter('b1')).toBe(true)

    const unreachable = open({ maxRunning: 10 })
    unreachable.circuit.unreachable()
    expect(unreachable.tryEnter('a1')).toBe(false)
    unreachable.clock.advance(500)
    expect(unreachable.tryEnter('a1')).toBe(true)
    expect(unreachable.tryEnter('b1')).toBe(false)
    unreachable.leave('a1', { unused: true })
    expect(unreachable.tryEnter('b1')).toBe(true)
  })
})
