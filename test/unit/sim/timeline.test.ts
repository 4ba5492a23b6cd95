import { describe, expect, it } from 'vitest'
import { createTimeline } from '../../sim/timeline.ts'

const { signal } = new AbortController()
const never = () => false

describe('timeline', () => {
  it('lets time pass only when nothing is left to do, in the order of what is due', async () => {
    const timeline = createTimeline(1_000)
    const told: string[] = []
    const tell = (what: string) => told.push(`${timeline.clock.monotonic()} ${what}`)
    timeline.clock.timer(20, () => tell('second'))
    timeline.clock.timer(10, () => {
      void timeline.clock.sleep(0, signal).then(async () => {
        await Promise.resolve()
        tell('woken')
      })
      tell('first')
    })
    timeline.clock.timer(20, () => tell('third'))
    expect(await timeline.run(never, 15)).toBe(false)
    expect(told).toEqual(['10 first', '10 woken'])
    await timeline.run(never, 100)
    expect(told.slice(2)).toEqual(['20 second', '20 third'])
    expect(timeline.clock.now()).toBe(1_020)
  })

  it('ends when it is done', async () => {
    const timeline = createTimeline(0)
    timeline.clock.timer(10, () => undefined)
    timeline.clock.timer(20, () => undefined)
    expect(await timeline.run(() => timeline.clock.monotonic() === 10, 100)).toBe(true)
    expect(timeline.clock.monotonic()).toBe(10)
  })

  it('moves the wall clock alone when it jumps', () => {
    const timeline = createTimeline(5_000)
    timeline.jump(-3_000)
    expect([timeline.clock.now(), timeline.clock.monotonic()]).toEqual([2_000, 0])
  })

  it('forgets a timer that was disposed', async () => {
    const timeline = createTimeline(0)
    let fired = false
    timeline.clock.timer(10, () => (fired = true))[Symbol.dispose]()
    await timeline.run(never, 100)
    expect(fired).toBe(false)
  })

  it('lets nothing of a process happen once it is dead', async () => {
    const timeline = createTimeline(0)
    const process = timeline.process()
    const told: string[] = []
    process.timer(10, () => told.push('timer'))
    void process.sleep(10, signal).then(() => told.push('sleep'))
    timeline.clock.timer(5, () => process.kill())
    await timeline.run(never, 100)
    process.enter(() => told.push('enter'))
    expect(told).toEqual([])
    expect(process.isAlive).toBe(false)
  })

  it('holds what falls due while a process stands still, and keeps its order', async () => {
    const timeline = createTimeline(0)
    const process = timeline.process()
    const told: string[] = []
    const tell = (what: string) => told.push(`${timeline.clock.monotonic()} ${what}`)
    process.timer(10, () => tell('timer'))
    timeline.clock.timer(5, () => process.freeze(50))
    timeline.clock.timer(20, () => process.enter(() => tell('network')))
    timeline.clock.timer(70, () => process.enter(() => tell('later')))
    await timeline.run(never, 100)
    expect(told).toEqual(['55 timer', '55 network', '70 later'])
  })
})
