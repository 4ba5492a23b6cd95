import { describe, expect, it } from 'vitest'
import type { CozeMessage } from '../../../src/coze/conversations.ts'
import { CozeError } from '../../../src/coze/errors.ts'
import type { CozeEvent } from '../../../src/coze/events.ts'
import { createRunTranslator, retell } from '../../../src/strategy/run-events.ts'
import type { RunEvent } from '../../../src/strategy/strategy.ts'
import { answerOf } from '../../kit/fakes/runs.ts'
import { inputCard, questionCard } from '../coze/card-samples.ts'

const ids = { chatId: 'chat-1', conversationId: 'up-1' }
const foreign = { chatId: 'chat-9', conversationId: 'up-9' }
const opening = { logId: 'log-1', retries: 2 }
const accepted = { type: 'accepted', ...ids, ...opening }
const created = { type: 'created', ...ids } as const

const delta = (text: string, contentType = 'text', messageId = 'm1'): CozeEvent => {
  return { type: 'delta', ...ids, messageId, kind: 'ANSWER', contentType, text }
}
const answer = (text: string, contentType = 'text', messageId = 'm1'): CozeEvent => {
  return { type: 'answer', ...ids, messageId, contentType, text }
}

/** All that a stream of these events tells. */
function tell(...events: readonly CozeEvent[]): readonly RunEvent[] {
  const translator = createRunTranslator(opening)
  return events.flatMap((event) => translator.translate([event]).events)
}

describe("a run's events", () => {
  it('tell how the call was accepted, once, on the first event', () => {
    expect(tell(created, { type: 'in-progress', ...ids })).toEqual([accepted])
  })

  it.each([
    ['text', delta('a'), 'delta'],
    ['a whole answer', answer('a'), 'message'],
    ['a follow-up', { type: 'follow-up', ...ids, messageId: 'f1', text: 'Why?' }, 'follow-up'],
    ['its end', { type: 'completed', ...ids, usage: null }, 'completed'],
    ['speech', { type: 'audio', ...ids }, 'omitted'],
  ] as const)('tell whose run it is before %s that comes first', (_, first, type) => {
    const told = tell(first)
    expect(told[0]).toEqual(accepted)
    expect(told[1]).toMatchObject({ type, ...ids })
    expect(told).toHaveLength(2)
  })

  it('tell nothing of an error that comes first but the error', () => {
    const error = new CozeError('server', 'x', { accepted: 'unknown' })
    const { events, failure } = createRunTranslator(opening).translate([{ type: 'error', error }])
    expect(events).toEqual([])
    expect(failure).toMatchObject({ outcome: 'ended', cause: error })
  })

  it.each([
    ['a question', questionCard(), { text: 'Which one?', options: ['Left', 'Right'] }],
    ['a form', inputCard(), { fields: [{ name: 'city' }, { name: 'days' }] }],
  ])('tell what %s on a card asks, then that the run waits', (_, card, question) => {
    const told = tell(created, answer(JSON.stringify(card), 'card'), {
      type: 'requires-action',
      ...ids,
      toolCalls: [],
    })
    expect(told).toMatchObject([
      accepted,
      { type: 'question', ...ids, question },
      { type: 'action-required', ...ids, toolCalls: [] },
    ])
  })

  it('tell once that tools were used, and nothing of what they returned', () => {
    const used = { type: 'tool-output', ...ids } as const
    expect(tell(created, used, used, { type: 'completed', ...ids, usage: null })).toEqual([
      accepted,
      used,
      { type: 'completed', ...ids, usage: null },
    ])
  })

  it('end a message whose reasoning was shown, even if it turns out to be no text', () => {
    const thought: CozeEvent = {
      type: 'delta',
      ...ids,
      messageId: 'm1',
      kind: 'REASONING',
      contentType: 'text',
      text: 'hm',
    }
    const told = tell(created, thought, answer('UklGR', 'audio'))
    expect(told.slice(-2)).toEqual([
      { type: 'message', ...ids, messageId: 'm1', text: '' },
      { type: 'omitted', ...ids, content: 'AUDIO' },
    ])
  })

  it('never show what a card is made of', () => {
    const card = JSON.stringify(questionCard())
    const told = tell(
      created,
      delta('{"card_ty', 'card'),
      delta('pe":3', 'card'),
      answer(card, 'card'),
    )
    expect(told.map(({ type }) => type)).toEqual(['accepted', 'question'])
  })

  it('take back the deltas of an answer that turns out to be no text', () => {
    const told = tell(created, delta('Hello', 'text', 'm0'), delta('{"card'), answer('{}', 'card'))
    expect(answerOf(told.filter(({ type }) => type !== 'omitted'))).toBe('Hello\n\n')
    expect(told.slice(-2)).toEqual([
      { type: 'message', ...ids, messageId: 'm1', text: '' },
      { type: 'omitted', ...ids, content: 'CARD' },
    ])
  })

  it.each([
    ['a card that asks nothing', answer('{"card_type":3}', 'card'), 'CARD'],
    ['a broken card', answer('{"card_type"', 'card'), 'CARD'],
    ['speech in pieces', { type: 'audio', ...ids }, 'AUDIO'],
    ['speech as an answer', answer('UklGR', 'audio'), 'AUDIO'],
    ['speech as a delta', delta('UklGR', 'audio'), 'AUDIO'],
    ['parts', answer('[]', 'object_string'), 'OTHER'],
    ['what nobody knows', answer('?', 'hologram'), 'OTHER'],
  ] as const)('say once that %s was left out', (_, event, content) => {
    expect(tell(created, event, event)).toEqual([accepted, { type: 'omitted', ...ids, content }])
  })

  it('tell the text among the parts of an answer, and that others were left out', () => {
    const text = { type: 'text', text: 'Look' }
    const parts = [text, { type: 'image', file_id: 'f' }]
    const told = { type: 'message', ...ids, messageId: 'm1', text: 'Look' }
    expect(tell(created, answer(JSON.stringify(parts), 'object_string'))).toEqual([
      accepted,
      told,
      { type: 'omitted', ...ids, content: 'OTHER' },
    ])
    expect(tell(created, answer(JSON.stringify([text]), 'object_string'))).toEqual([accepted, told])
  })

  it.each([
    ['speech', { type: 'audio', ...foreign }],
    ['a card', { ...answer('{}', 'card'), ...foreign }],
    ['a piece of a card', { ...delta('{', 'card'), ...foreign }],
    ['message that is for nobody', { type: 'other', ...foreign }],
    ['beginning', { type: 'created', ...foreign }],
    ['progress', { type: 'in-progress', ...foreign }],
  ] as const)("F16: tell whose run it is even of another's %s", (_, event) => {
    // The kind was left out before: what is told is whose it is.
    const told = tell(created, answer('{}', 'card'), { type: 'audio', ...ids }, event)
    expect(told.at(-1)).toEqual({ type: 'accepted', ...foreign })
  })

  it('say that no more text follows, by the note of the platform or by the end of the stream', () => {
    const finished = { type: 'answer-finished', ...ids } as const
    expect(tell(created, finished)).toEqual([accepted, finished])
    expect(tell(created, { type: 'done' })).toEqual([accepted, finished])
    expect(tell({ type: 'done' })).toEqual([])
    const end = { type: 'completed', ...ids, usage: null } as const
    expect(tell(created, end, { type: 'done' })).toEqual([accepted, end])
  })

  it('take the usage from an answer where the end tells none', () => {
    const usage = { inputTokens: 11, outputTokens: 7, totalTokens: 18 }
    const other = { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
    const said = { ...answer('Hello', 'text'), usage }
    const end = { type: 'completed', ...ids, usage: null } as const
    expect(tell(created, said, end).at(-1)).toEqual({ ...end, usage })
    expect(tell(created, said, { ...end, usage: other }).at(-1)).toEqual({ ...end, usage: other })
  })

  it('fail with an error, whatever end follows it', () => {
    const error = new CozeError('model-failed', 'it', {
      accepted: 'yes',
      upstreamCode: '103200002',
    })
    const batch = [
      created,
      { type: 'error', error },
      { type: 'completed', ...ids, usage: null },
    ] as const
    const { events, failure } = createRunTranslator(opening).translate(batch)
    expect(events).toEqual([accepted])
    expect(failure).toMatchObject({ outcome: 'ended', failure: { code: 'UPSTREAM_ERROR' } })
  })

  it('tell the tool calls that a run waits for', () => {
    const toolCalls = [{ id: 'c', kind: 'FUNCTION', name: 'f', arguments: '{}' }] as const
    expect(tell(created, { type: 'requires-action', ...ids, toolCalls })).toEqual([
      accepted,
      { type: 'action-required', ...ids, toolCalls },
    ])
  })
})

describe('a run that was looked up', () => {
  const row: CozeMessage = {
    id: 'a1',
    ...ids,
    role: 'assistant',
    type: 'answer',
    contentType: 'text',
    text: 'Hello',
    metaData: {},
    usage: null,
    createdAt: null,
  }

  it('is told as its stream would have', () => {
    const rows = [
      { ...row, id: 'h1', text: 'older', metaData: { history_of: 'reply-1' } },
      { ...row, id: 'v1', type: 'verbose', text: '{}' },
      row,
      { ...row, id: 'c1', contentType: 'card', text: JSON.stringify(questionCard()) },
      { ...row, id: 's1', contentType: 'audio', text: '' },
      { ...row, id: 'f1', type: 'follow_up', text: 'Why?' },
    ]
    expect(retell(ids, rows, { type: 'completed', ...ids, usage: null })).toMatchObject([
      { type: 'accepted', ...ids },
      { type: 'message', ...ids, messageId: 'a1', text: 'Hello' },
      { type: 'question', ...ids, question: { text: 'Which one?' } },
      { type: 'omitted', ...ids, content: 'AUDIO' },
      { type: 'follow-up', ...ids, text: 'Why?' },
      { type: 'completed', ...ids },
    ])
  })

  it.each([
    ['of no chat', { chatId: undefined }],
    ['of another chat', { chatId: 'chat-9' }],
    ['of the user', { role: 'user' }],
    ['of a role that nobody knows', { role: 'other' }],
  ] as const)('has no answer in a row %s', (_, more) => {
    const told = retell(ids, [{ ...row, ...more }], { type: 'cancelled', ...ids })
    expect(told).toEqual([
      { type: 'accepted', ...ids },
      { type: 'cancelled', ...ids },
    ])
  })

  it('F16: tells whose a row is that is of another conversation', () => {
    const others = { ...row, conversationId: 'up-9' }
    const told = retell(ids, [others], { type: 'cancelled', ...ids })
    expect(told[1]).toMatchObject({ type: 'message', conversationId: 'up-9' })
  })
})
