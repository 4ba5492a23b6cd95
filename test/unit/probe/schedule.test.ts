import { describe, expect, it, onTestFinished } from 'vitest'
import type { ProbeRun } from '../../../src/domain/probe.ts'
import { createProbeSchedule } from '../../../src/probe/schedule.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'

const intervalMs = 3_600_000

/** A schedule, and probes that run until they are ended. Nothing was proven an hour ago or later. */
function open({ isMine = true } = {}) {
  const clock = createFakeClock()
  let running: PromiseWithResolvers<void> | undefined
  let scheduled = 0
  function occupy(): boolean {
    if (running !== undefined) return false
    running = Promise.withResolvers()
    return true
  }
  const schedule = createProbeSchedule({
    intervalMs,
    jitterMs: 0,
    lastProof: () => clock.now(),
    isMine: async () => isMine,
    begin() {
      if (!occupy()) return undefined
      scheduled += 1
      return {
        id: String(scheduled),
        maxCalls: 1,
        startedAt: clock.now(),
        past: [],
        async *events() {},
      } satisfies ProbeRun
    },
    idle: async () => await running?.promise,
    clock,
    random: () => 0,
    logger: silentLogger,
  })
  onTestFinished(() => schedule[Symbol.dispose]())
  async function end() {
    running?.resolve()
    running = undefined
    await clock.pass(0)
  }
  return { clock, schedule, occupy, end, scheduled: () => scheduled }
}

describe('a schedule of probes', () => {
  it('leaves a probe to the instance whose turn it is', async () => {
    const { clock, scheduled } = open({ isMine: false })
    await clock.pass(intervalMs)
    await clock.pass(intervalMs)
    expect(scheduled()).toBe(0)
  })

  it("runs right after an operator's probe that it meets, not a whole interval later", async () => {
    const { clock, occupy, end, scheduled } = open()
    expect(occupy()).toBe(true)
    await clock.pass(intervalMs)
    expect(scheduled()).toBe(0)
    await end()
    expect(scheduled()).toBe(1)
    await end()
    await clock.pass(intervalMs)
    expect(scheduled()).toBe(2)
  })

  it('waits once more where another operator is faster, and runs once for all that it has missed', async () => {
    const { clock, occupy, end, scheduled } = open()
    occupy()
    await clock.pass(intervalMs)
    // The next one takes the place in the same turn, before the schedule is told.
    const ended = end()
    occupy()
    await ended
    expect(scheduled()).toBe(0)
    await clock.pass(3 * intervalMs)
    await end()
    expect(scheduled()).toBe(1)
    await end()
    expect(scheduled()).toBe(1)
  })

  it('begins nothing once it is disposed, be it that it waits', async () => {
    const { clock, schedule, occupy, end, scheduled } = open()
    occupy()
    await clock.pass(intervalMs)
    schedule[Symbol.dispose]()
    await end()
    expect(scheduled()).toBe(0)
    expect(clock.pending).toBe(0)
  })
})
