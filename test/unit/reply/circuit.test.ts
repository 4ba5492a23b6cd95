import { describe, expect, it } from 'vitest'
import { type Circuit, type CircuitState, createCircuit } from '../../../src/reply/circuit.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

function open() {
  const clock = createFakeClock()
  const changes: CircuitState[] = []
  const circuit = createCircuit({
    failures: 3,
    openMs: 1_000,
    clock,
    onChange: (state) => changes.push(state),
  })
  return { clock, changes, circuit }
}

const fail = (circuit: Circuit, times: number) => {
  for (let n = 0; n < times; n += 1) circuit.unreachable()
}

describe('F1: a circuit', () => {
  it('opens after so many failures in a row, and not by fewer between answers', () => {
    const { circuit, changes } = open()
    fail(circuit, 2)
    circuit.reached()
    fail(circuit, 2)
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['closed', undefined])
    fail(circuit, 1)
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['open', 1_000])
    expect(circuit.admit()).toBeUndefined()
    expect(changes).toEqual(['open'])
  })

  it('lets one through after a while, and closes when it is answered', () => {
    const { circuit, clock, changes } = open()
    fail(circuit, 3)
    clock.advance(999)
    expect(circuit.admit()).toBeUndefined()
    clock.advance(1)
    expect(circuit.admit()).toBeDefined()
    expect(circuit.admit()).toBeUndefined()
    circuit.reached()
    expect(circuit.admit()).toBeDefined()
    expect(changes).toEqual(['open', 'half-open', 'closed'])
  })

  it('opens again when the one is not answered', () => {
    const { circuit, clock, changes } = open()
    fail(circuit, 3)
    clock.advance(1_000)
    circuit.admit()
    circuit.unreachable()
    expect([circuit.state, circuit.retryAfterMs]).toEqual(['open', 1_000])
    expect(changes).toEqual(['open', 'half-open', 'open'])
  })

  it('lets another through when the one learnt nothing, and tells who waits', () => {
    const { circuit, clock } = open()
    let woken = 0
    using _listening = circuit.listen(() => (woken += 1))
    fail(circuit, 3)
    clock.advance(1_000)
    circuit.admit()?.[Symbol.dispose]()
    expect(woken).toBe(1)
    expect(circuit.admit()).toBeDefined()
  })

  it('tells how long to wait in whole ms, and not less, although its clock is finer', () => {
    const { circuit, clock } = open()
    fail(circuit, 3)
    clock.advance(241.4)
    expect(circuit.retryAfterMs).toBe(759)
  })

  it('is not held open by those that were on their way when it opened', () => {
    const { circuit, clock } = open()
    fail(circuit, 3)
    clock.advance(500)
    fail(circuit, 5)
    expect(circuit.retryAfterMs).toBe(500)
  })
})
