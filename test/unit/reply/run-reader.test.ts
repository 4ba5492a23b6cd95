import { describe, expect, it } from 'vitest'
import type { Delta } from '../../../src/domain.ts'
import type { Guard } from '../../../src/isolation/guard.ts'
import type { UpstreamOddity } from '../../../src/observe/metrics.ts'
import { createRunReader } from '../../../src/reply/run-reader.ts'
import { runTable } from '../../../src/reply/state.ts'
import type { RunEvent } from '../../../src/strategy/strategy.ts'
import { createFakeClock } from '../../kit/clock.ts'
import { uncounted } from '../../kit/uncounted.ts'

const ids = { chatId: '1', conversationId: '2' }
const accepted: RunEvent = { type: 'accepted', ...ids }
const completed: RunEvent = { type: 'completed', ...ids, usage: null }
const delta = (text: string, kind: 'ANSWER' | 'REASONING' = 'ANSWER'): RunEvent => ({
  type: 'delta',
  ...ids,
  messageId: 'm',
  kind,
  text,
})
const message = (text: string): RunEvent => ({ type: 'message', ...ids, messageId: 'm', text })

const openGuard: Guard = { check: () => undefined }

function open(guard = openGuard) {
  const shown: (readonly Delta[])[] = []
  const oddities: string[] = []
  const metrics = {
    ...uncounted,
    upstreamOddity: (oddity: UpstreamOddity) => void oddities.push(oddity),
  }
  const steps: string[] = []
  const reader = createRunReader({
    guard,
    metrics,
    clock: createFakeClock(1_000),
    acceptedAt: 400,
    known: undefined,
    waitsFor: undefined,
    shown: { answer: '', reasoning: '' },
    async remember() {
      steps.push('remember')
    },
    show(deltas) {
      steps.push('show')
      shown.push(deltas)
      return undefined
    },
  })
  return { reader, shown, oddities, steps }
}

describe('run reader', () => {
  it('remembers the run before it shows any of its text', async () => {
    const { reader, steps } = open()
    await reader.take([accepted, delta('Hi')])
    expect(steps).toEqual(['remember', 'show'])
    expect(reader.chatId).toBe('1')
  })

  it('makes one delta of what one network read brought', async () => {
    const { reader, shown } = open()
    await reader.take([accepted])
    await reader.take([delta('a'), delta('b'), delta('c')])
    expect(shown).toEqual([[{ kind: 'ANSWER', offset: 0, text: 'abc' }]])
  })

  it('keeps reasoning apart from the answer', async () => {
    const { reader, shown } = open()
    await reader.take([accepted, delta('hm', 'REASONING'), delta('yes')])
    expect(shown).toEqual([
      [
        { kind: 'REASONING', offset: 0, text: 'hm' },
        { kind: 'ANSWER', offset: 0, text: 'yes' },
      ],
    ])
  })

  it('F13: tells how the run ended, and ignores and counts what comes after', async () => {
    const { reader, oddities } = open()
    await reader.take([accepted, delta('a'), message('a'), completed, completed, delta('b')])
    expect(reader.end).toEqual({ type: 'completed', usage: null })
    expect(reader.answer).toBe('a')
    expect(oddities).toEqual(['extra-terminal', 'late-delta'])
  })

  it('F19: counts a completed text that corrects its deltas', async () => {
    const { reader, shown, oddities } = open()
    await reader.take([accepted, delta('ab')])
    await reader.take([message('ac')])
    expect(shown[1]).toEqual([{ kind: 'ANSWER', offset: 1, text: 'c' }])
    expect(oddities).toEqual(['corrected-text'])
  })

  it('F13: a repeated first event changes nothing', async () => {
    const { reader, steps } = open()
    await reader.take([accepted, accepted, delta('a')])
    expect(steps).toEqual(['remember', 'show'])
  })

  it('T14: shows nothing of an event that the guard refuses', async () => {
    const guard: Guard = {
      check(event) {
        if (event.type === 'delta') throw new Error('foreign')
      },
    }
    const { reader, shown } = open(guard)
    await reader.take([accepted])
    expect(() => reader.take([delta('a')])).toThrow('foreign')
    expect(shown).toEqual([])
    expect(reader.answer).toBe('')
  })

  it('has a step for every event in every phase', () => {
    const eventsBefore = Object.entries(runTable.sent).filter(([, step]) => step === 'remember')
    expect(eventsBefore.map(([type]) => type)).toEqual(['accepted'])
    expect(new Set(Object.values(runTable.sent))).toEqual(new Set(['remember', 'refuse']))
    expect(new Set(Object.values(runTable.ended))).toEqual(new Set(['count']))
  })
})
