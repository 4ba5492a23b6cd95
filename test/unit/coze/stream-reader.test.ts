import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CozeError } from '../../../src/coze/errors.ts'
import type { CozeEvent } from '../../../src/coze/events.ts'
import { createStreamReader } from '../../../src/coze/stream-reader.ts'
import { chat, completed, created, delta, done, frame, ids, message, run } from './wire-samples.ts'

const usage = { inputTokens: 10, outputTokens: 20, totalTokens: 30 }

function read(chunks: readonly (string | Uint8Array)[], limits = {}) {
  const events: CozeEvent[] = []
  const oddities: string[] = []
  const errors: string[] = []
  const reader = createStreamReader({
    limits: { maxEventBytes: 10_000, maxReplyBytes: 10_000, maxReplyEvents: 100, ...limits },
    logId: 'log',
    origin: { call: 'bot-chat', host: 'coze.test' },
    metrics: {
      upstreamOddity: (oddity) => oddities.push(oddity),
      upstreamError: (_call, kind, code) => errors.push(`${kind} ${code}`),
    },
  })
  let error: unknown
  try {
    for (const chunk of chunks) reader.read(Buffer.from(chunk), events)
  } catch (thrown) {
    error = thrown
  }
  return {
    events,
    types: events.map(({ type }) => type),
    oddities,
    errors,
    error,
    isEnded: reader.isEnded,
    isDone: reader.isDone,
    accepted: reader.accepted,
  }
}

const answered = (text: string) => frame('conversation.message.completed', message(text))

describe('stream reader', () => {
  it('reads a whole run', () => {
    const { events, oddities, error, ...state } = read([run('Hello ', 'world')])
    const piece = { type: 'delta', kind: 'ANSWER', contentType: 'text' }
    expect(events).toEqual([
      { type: 'created', ...ids },
      { ...piece, ...ids, messageId: message('').id, text: 'Hello world' },
      { type: 'completed', ...ids, usage },
      { type: 'done' },
    ])
    expect({ oddities, error }).toEqual({ oddities: [], error: undefined })
    expect(state).toMatchObject({ isEnded: true, isDone: true, accepted: 'yes' })
  })

  it('reads a run of Studio that fails as failed, though it is said to be completed as well', () => {
    const studio = (name: string, data: unknown) => frame(name, data, '')
    const { types, errors, isEnded, isDone } = read([
      studio('conversation.chat.created', chat('in_progress')),
      studio('conversation.message.delta', message('so far')),
      studio('error', { code: 103_200_002, msg: 'Internal Server Error' }),
      studio('conversation.chat.completed', chat('completed')),
      'event:conversation.stream.done\ndata:\n\n',
    ])
    expect(types).toEqual(['created', 'delta', 'error', 'done'])
    expect(errors).toEqual(['model-failed 103200002'])
    expect({ isEnded, isDone }).toEqual({ isEnded: true, isDone: true })
  })

  it('reads a string code, and the code that Studio wraps in its refusal', () => {
    const msg = 'code=100000000 message=invalid parameter : agent not published, agentID=5'
    const [refused] = read([frame('error', { code: 103_100_001, msg }, '')]).events
    expect(refused).toMatchObject({
      type: 'error',
      error: { kind: 'refused', accepted: 'no', misconfiguration: 'unpublished' },
    })
    const inside = {
      code: '720701013',
      msg: 'Workflow execution failure: x',
      debug_url: 'http://x',
    }
    expect(read([created, frame('error', inside)]).events.at(-1)).toMatchObject({
      error: { kind: 'failed', upstreamCode: '720701013', accepted: 'yes' },
    })
  })

  it('F12 reads the same, however the bytes are cut', () => {
    const bytes = Buffer.from(run('Hé你', '\\"😀"', 'x') + delta('late'))
    const { events, oddities } = read([bytes])
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length - 1 })), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b)]
        const chunks = places.map((at, index) => bytes.subarray(at, places[index + 1]))
        const cut = read(chunks)
        expect(cut.events).toEqual(events)
        expect(cut.oddities).toEqual(oddities)
      }),
      { numRuns: 200 },
    )
  })

  it('F13 counts and drops what comes after the end', () => {
    const failed = frame('conversation.chat.failed', chat('failed'))
    const { types, oddities, isEnded } = read([
      created + delta('a') + completed + delta('b') + completed + failed + 'data: {\n\n' + done,
    ])
    expect(types).toEqual(['created', 'delta', 'completed', 'done'])
    expect(oddities).toEqual(['late-delta', 'extra-terminal', 'extra-terminal', 'unknown-event'])
    expect(isEnded).toBe(true)
  })

  it('T14 counts unknown events and ignores them', () => {
    const { types, oddities } = read([created + frame('conversation.chat.mood', 'x') + completed])
    expect(types).toEqual(['created', 'completed'])
    expect(oddities).toEqual(['unknown-event'])
  })

  it.each([
    ['first', '', '4000', 'no'],
    ['first, from inside the upstream', '', '5000', 'unknown'],
    ['after the chat began', created, '4000', 'yes'],
  ])('F18 says of an error event that comes %s whether the chat was accepted', (...row) => {
    const [, before, code, accepted] = row
    const { events, isEnded } = read([before + frame('error', { code, msg: '' })])
    expect(events.at(-1)).toHaveProperty('error.accepted', accepted)
    expect(isEnded).toBe(true)
  })

  it('does not take done for the end of a run', () => {
    expect(read([created + delta('a') + done])).toMatchObject({ isEnded: false, isDone: true })
  })

  it('takes speech after the end for what it is, before it for news', () => {
    const speech = frame('conversation.audio.delta', message('UklGR', { content_type: 'audio' }))
    const { types, oddities, isDone } = read([
      created + speech + delta('a') + completed + speech + speech + done,
    ])
    expect(types).toEqual(['created', 'audio', 'delta', 'completed', 'done'])
    expect(oddities).toEqual([])
    expect(isDone).toBe(true)
  })

  it.each([
    ['conversation.chat.failed', chat('failed', { last_error: { code: 4011 } }), 'quota 4011'],
    ['error', { code: '4013', msg: 'x' }, 'model-failed 4013'],
    ['error', {}, 'server uncoded'],
    ['error', { code: 987654, msg: 'x' }, 'server other'],
  ])('counts the code that %s tells (%#)', (name, data, counted) => {
    expect(read([created + frame(name, data)]).errors).toEqual([counted])
  })

  it('F11 fails at a broken event, after the last good one', () => {
    const broken = frame('conversation.message.delta', '{"content":"secret')
    const { types, error } = read([created + delta('a') + broken + delta('b')])
    expect(types).toEqual(['created', 'delta'])
    expect(error).toBeInstanceOf(CozeError)
    expect(error).toMatchObject({ kind: 'protocol', accepted: 'yes', logId: 'log' })
  })

  it.each([
    ['F14 T14', 'an event', { maxEventBytes: 400 }, 'too-large'],
    ['F15 T14', 'the text', { maxReplyBytes: 199 }, 'limit'],
    ['F15 T14', 'the number of events', { maxReplyEvents: 2 }, 'limit'],
  ])('%s fails when %s is over its cap', (_row, _what, limits, kind) => {
    const { types, error } = read([created + delta('a') + delta('x'.repeat(199))], limits)
    expect(types).toEqual(['created', 'delta'])
    expect(error).toMatchObject({ kind, accepted: 'yes', logId: 'log' })
  })

  it('F15 fails when an answer that was not streamed is over the cap of the text', () => {
    const { types, error } = read([created + answered('x'.repeat(200))], { maxReplyBytes: 199 })
    expect(types).toEqual(['created'])
    expect(error).toMatchObject({ kind: 'limit', accepted: 'yes', logId: 'log' })
  })

  it('F15 allows exactly as much as its caps', () => {
    const limits = { maxReplyBytes: 200, maxReplyEvents: 3 }
    const { types, error } = read([created + delta('a') + delta('x'.repeat(199))], limits)
    expect(error).toBeUndefined()
    expect(types).toEqual(['created', 'delta'])
  })

  it('T14 fails for bytes that are not UTF-8', () => {
    const { error } = read([created, Uint8Array.of(0xff)])
    expect(error).toMatchObject({ kind: 'protocol', accepted: 'yes', logId: 'log' })
  })
})
