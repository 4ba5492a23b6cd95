import { describe, expect, it } from 'vitest'
import { createDeadline } from '../../../src/lib/deadline.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const hourMs = 3_600_000

function arm() {
  const clock = createFakeClock()
  return { clock, deadline: createDeadline(clock, 1_000, () => new Error('too late')) }
}

describe('F40: a deadline', () => {
  it('comes no sooner when the wall clock is set ahead', () => {
    const { clock, deadline } = arm()
    clock.advance(500)
    deadline.extend()
    clock.jump(hourMs)
    clock.advance(999)
    expect(deadline.signal.aborted).toBe(false)
    clock.advance(1)
    expect(deadline.signal.reason).toMatchObject({ message: 'too late' })
  })

  it('comes no later when the wall clock is set back', () => {
    const { clock, deadline } = arm()
    clock.jump(-hourMs)
    clock.advance(1_000)
    expect(deadline.signal.aborted).toBe(true)
  })

  it('does not come once it is disposed', () => {
    const { clock, deadline } = arm()
    deadline[Symbol.dispose]()
    clock.advance(hourMs)
    expect(deadline.signal.aborted).toBe(false)
    expect(clock.pending).toBe(0)
  })
})
