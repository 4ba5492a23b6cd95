import { describe, expect, it } from 'vitest'
import type { Delta, Question, ToolCall } from '../../../src/domain.ts'
import type { Guard } from '../../../src/isolation/guard.ts'
import type { UpstreamOddity } from '../../../src/observe/metrics.ts'
import { createRunReader } from '../../../src/reply/run-reader.ts'
import { runTable } from '../../../src/reply/run-states.ts'
import type { RunEvent } from '../../../src/strategy/strategy.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'

const ids = { chatId: '1', conversationId: '2' }
const accepted: RunEvent = { type: 'accepted', ...ids }
const completed: RunEvent = { type: 'completed', ...ids, usage: null }
const delta = (
  text: string,
  kind: 'ANSWER' | 'REASONING' = 'ANSWER',
  messageId = 'm',
): RunEvent => ({
  type: 'delta',
  ...ids,
  messageId,
  kind,
  text,
})
const message = (text: string, messageId = 'm'): RunEvent => {
  return { type: 'message', ...ids, messageId, text }
}
const followUp = (text: string): RunEvent => ({ type: 'follow-up', ...ids, text })
const toolOutput: RunEvent = { type: 'tool-output', ...ids }
const question = (asked: Partial<Question>): RunEvent => {
  return { type: 'question', ...ids, question: { text: '', options: [], fields: [], ...asked } }
}
const waits = (...toolCalls: readonly ToolCall[]): RunEvent => {
  return { type: 'action-required', ...ids, toolCalls }
}

const openGuard: Guard = { check: () => undefined }

function open({
  guard = openGuard,
  maxReplyBytes = 1_000_000,
  recorded,
  whenShown = () => undefined,
}: {
  guard?: Guard
  maxReplyBytes?: number
  recorded?: Promise<void> | undefined
  whenShown?: () => Promise<void> | undefined
} = {}) {
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
    sentTo: undefined,
    known: undefined,
    waitsFor: undefined,
    maxReplyBytes,
    shown: { answer: '', reasoning: '' },
    record() {
      steps.push('record')
      return recorded
    },
    show(deltas) {
      steps.push('show')
      shown.push(deltas)
      return whenShown()
    },
  })
  return { reader, shown, oddities, steps }
}

describe('run reader', () => {
  it('shows the first text in the turn in which it comes, whatever becomes of the id of the run', () => {
    const { reader, steps } = open()
    expect(reader.take([accepted, delta('Hi')])).toBeUndefined()
    expect(steps).toEqual(['record', 'show'])
    expect(reader.chatId).toBe('1')
  })

  it('shows nothing of a run that reveals its conversation before that is bound', async () => {
    const bound = Promise.withResolvers<void>()
    const { reader, steps } = open({ recorded: bound.promise })
    const taking = reader.take([accepted, delta('Hi')])
    await new Promise((resolve) => setImmediate(resolve))
    expect(steps).toEqual(['record'])
    expect(reader.chatId).toBeUndefined()
    bound.resolve()
    await taking
    expect(steps).toEqual(['record', 'show'])
    expect(reader.chatId).toBe('1')
  })

  it('shows nothing of a run whose conversation is met by another', async () => {
    const met = Promise.withResolvers<void>()
    const { reader, steps } = open({ recorded: met.promise })
    const taking = reader.take([accepted, delta('Hi')])
    met.reject(new Error('another is there'))
    await expect(taking).rejects.toThrow('another is there')
    expect(steps).toEqual(['record'])
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
    expect(steps).toEqual(['record', 'show'])
  })

  it('T14: shows nothing of an event that the guard refuses', async () => {
    const guard: Guard = {
      check(event) {
        if (event.type === 'delta') throw new Error('foreign')
      },
    }
    const { reader, shown } = open({ guard })
    await reader.take([accepted])
    expect(() => reader.take([delta('a')])).toThrow('foreign')
    expect(shown).toEqual([])
    expect(reader.answer).toBe('')
  })

  it('F13: counts text after the end of its message, and a second end of it', async () => {
    const { reader, oddities } = open()
    await reader.take([accepted, message('a'), delta('b'), message('c'), completed])
    expect(reader.answer).toBe('a')
    expect(oddities).toEqual(['late-delta', 'extra-terminal'])
  })

  it('shows the text of a later message when the chat completes without the end of an earlier one', async () => {
    const { reader, shown } = open()
    await reader.take([accepted, delta('one', 'ANSWER', 'a'), delta('two', 'ANSWER', 'b')])
    expect(reader.answer).toBe('one')
    await reader.take([completed])
    expect(shown.at(-1)).toEqual([{ kind: 'ANSWER', offset: 3, text: '\n\ntwo' }])
    expect(reader.answer).toBe('one\n\ntwo')
  })

  it('ends the reasoning of a message with the message', async () => {
    const { reader, shown } = open()
    await reader.take([
      accepted,
      delta('hm', 'REASONING', 'a'),
      delta('so', 'REASONING', 'b'),
      message('yes', 'a'),
      delta(' then', 'REASONING', 'b'),
    ])
    expect(shown).toEqual([
      [
        { kind: 'REASONING', offset: 0, text: 'hm\n\nso' },
        { kind: 'ANSWER', offset: 0, text: 'yes' },
        { kind: 'REASONING', offset: 6, text: ' then' },
      ],
    ])
  })

  it('shows what waits before the run waits for tool outputs, and goes on behind that', async () => {
    const { reader, shown } = open()
    const call = { id: 'c', kind: 'FUNCTION', name: 'f', arguments: '{}' } as const
    await reader.take([accepted, delta('one', 'ANSWER', 'a'), delta('two', 'ANSWER', 'b')])
    await reader.take([waits(call)])
    expect(reader.answer).toBe('one\n\ntwo')
    reader.answered()
    await reader.take([accepted, message('three', 'c'), completed])
    expect(reader.answer).toBe('one\n\ntwo\n\nthree')
    expect(shown.flat().map(({ text }) => text)).toEqual(['one', '\n\ntwo', '\n\nthree'])
  })

  it('is told a run that was looked up from its beginning, and shows only what is new', async () => {
    const { reader, shown } = open()
    await reader.take([accepted, delta('one', 'ANSWER', 'a'), delta('tw', 'ANSWER', 'b')])
    await reader.takeLookedUp([accepted, message('one', '8'), message('two', '9'), completed])
    expect(shown.flat().map(({ text }) => text)).toEqual(['one', '\n\ntwo'])
    expect(reader.answer).toBe('one\n\ntwo')
  })

  it('keeps what readers hold, and what waits, when a look-up tells the end alone', async () => {
    const { reader } = open()
    await reader.take([accepted, delta('one', 'ANSWER', 'a'), delta('two', 'ANSWER', 'b')])
    await reader.takeLookedUp([accepted, { type: 'cancelled', ...ids }])
    expect(reader.answer).toBe('one\n\ntwo')
  })

  it.each([
    ['no tool', [], []],
    ['a tool and no text', [toolOutput], ['OTHER']],
    ['a tool and an empty text', [toolOutput, message('')], ['OTHER']],
    ['a tool and text', [toolOutput, message('It is sunny.')], []],
    ['a tool and a question', [toolOutput, question({ text: 'Which?' })], []],
    [
      'a tool and speech',
      [toolOutput, { type: 'omitted', ...ids, content: 'AUDIO' }],
      ['AUDIO', 'OTHER'],
    ],
  ] as const)(
    'tells an empty reply from one that says nothing else: %s',
    async (_, said, omitted) => {
      const { reader } = open()
      await reader.take([accepted, ...said, completed])
      expect(reader.omitted).toEqual(omitted)
    },
  )

  it('has a step for every event in every phase', () => {
    const eventsBefore = Object.entries(runTable.sent).filter(([, step]) => step === 'record')
    expect(eventsBefore.map(([type]) => type)).toEqual(['accepted'])
    expect(new Set(Object.values(runTable.sent))).toEqual(new Set(['record', 'refuse']))
    expect(new Set(Object.values(runTable.ended))).toEqual(new Set(['count']))
  })
})

describe('F15 T25: what one reply may hold', () => {
  const long = 'x'.repeat(60)
  const call = (id: string, given: string): ToolCall => {
    return { id, kind: 'FUNCTION', name: 'f', arguments: given }
  }

  it.each([
    ['deltas', [delta(long), delta(long)]],
    ['completed messages', [message(long, 'a'), message(long, 'b')]],
    ['text that waits', [delta('a', 'ANSWER', 'a'), message(long, 'b'), message(long, 'c')]],
    ['the answer and its reasoning', [delta(long), delta(long, 'REASONING')]],
    ['corrections', [delta(long), message(`y${long}`)]],
    ['suggestions', [followUp(long), followUp(`${long}y`)]],
    ['questions', [question({ text: long }), question({ options: [long] })]],
    ['a form', [question({ fields: [{ name: long, type: long, required: true }] })]],
    ['tool calls', [waits(call('a', long), call('b', long))]],
    ['ids of tool calls', [waits(call(long, ''), call(`${long}y`, ''))]],
    ['ids of messages', [delta('a', 'ANSWER', long), delta('a', 'ANSWER', `${long}y`)]],
    ['characters of several bytes', [delta('中'.repeat(40))]],
  ])('counts %s together', async (_, events) => {
    const { reader } = open({ maxReplyBytes: 100 })
    await reader.take([accepted])
    expect(() => reader.take(events)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'LIMIT' }) }),
    )
    expect(reader.end).toBeUndefined()
    const roomy = open({ maxReplyBytes: 200 })
    await roomy.reader.take([accepted, ...events])
  })

  it('is shown as far as it goes, and no further', async () => {
    const { reader, shown } = open({ maxReplyBytes: 10 })
    await reader.take([accepted])
    expect(() => reader.take([delta('abc'), delta('defgh'), delta('too much')])).toThrow()
    expect(shown).toEqual([[{ kind: 'ANSWER', offset: 0, text: 'abcdefgh' }]])
    expect(reader.showWaiting()).toBeUndefined()
  })

  it('does not count what the upstream says again', async () => {
    const { reader } = open({ maxReplyBytes: 20 })
    await reader.take([accepted, delta('0123456789'), message('0123456789')])
    await reader.takeLookedUp([accepted, message('0123456789'), completed])
    expect(reader.answer).toBe('0123456789')
  })

  it('is exactly as much as its limit', async () => {
    const { reader } = open({ maxReplyBytes: 4 })
    await reader.take([accepted, delta('abc')])
    expect(() => reader.take([delta('d')])).toThrow()
  })

  it('F14: ends the reply alone where it is too large and what came before that cannot be stored', async () => {
    const faults: unknown[] = []
    const onFault = (reason: unknown) => void faults.push(reason)
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', onFault)
    try {
      const whenShown = () => Promise.reject(new Error('the disk of the store is full'))
      const { reader, shown } = open({ maxReplyBytes: 4, whenShown })
      await reader.take([accepted])
      expect(() => reader.take([delta('abc'), delta('d')])).toThrow(
        expect.objectContaining({ failure: expect.objectContaining({ code: 'LIMIT' }) }),
      )
      await new Promise((resolve) => setImmediate(resolve))
      expect([shown.length, faults]).toEqual([1, []])
    } finally {
      process.off('unhandledRejection', onFault)
      for (const other of others) process.on('unhandledRejection', other)
    }
  })

  it('leaves out suggestions that are too many, too long or said before', async () => {
    const { reader } = open()
    const many = Array.from({ length: 30 }, (_, n) => followUp(`And ${n}?`))
    await reader.take([accepted, followUp('x'.repeat(1_001)), followUp('And 0?'), ...many])
    expect(reader.followUps).toEqual(Array.from({ length: 20 }, (_, n) => `And ${n}?`))
  })

  it.each([
    ['options', question({ options: Array.from({ length: 201 }, String) })],
    [
      'fields',
      question({
        fields: Array.from({ length: 201 }, () => ({ name: 'a', type: 'string', required: true })),
      }),
    ],
    ['tool calls', waits(...Array.from({ length: 201 }, (_, n) => call(String(n), '')))],
  ])('F14: is too large with more than 200 %s', async (_, event) => {
    const { reader } = open()
    await reader.take([accepted])
    expect(() => reader.take([event])).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({ code: 'UPSTREAM_TOO_LARGE' }),
      }),
    )
  })
})
