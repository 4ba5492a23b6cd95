import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CozeDelta, type CozeEvent, decodeFrame } from '../../../src/coze/events.ts'
import { findRepeatedFrame } from '../../../src/coze/repeated-frame.ts'
import { createStreamReader } from '../../../src/coze/stream-reader.ts'
import { completed, created, delta, done, frame, message } from './wire-samples.ts'

const name = 'conversation.message.delta'

/** The pattern that a frame gives, as the stream reader finds it. */
function patternOf(text: string, data: string) {
  const events: CozeEvent[] = []
  decodeFrame(name, data, { accepted: 'yes' }, events)
  const [event] = events
  if (event?.type !== 'delta') throw new TypeError('a piece of text is wanted')
  return findRepeatedFrame(text, data, event)
}

function pattern(content: string, more: Readonly<Record<string, unknown>> = {}, space = ' ') {
  const data = JSON.stringify(message(content, more))
  return patternOf(frame(name, data, space), data)
}

describe('a frame that repeats the one before it but for its text', () => {
  it.each([
    ['ASCII', 'Hello, world.'],
    ['nothing', ''],
    ['Chinese', '你好，世界'],
    ['characters beyond the first plane', '😀👍'],
    ['escapes', 'a "quoted"\n\tline \\ and \u0007'],
    ['half a character', '\ud83d'],
  ])('is read without parsing it: %s', (_what, text) => {
    const found = pattern('first')
    const next = delta(text)
    expect(found?.match(`${created}${next}${done}`, created.length)).toBe(true)
    expect(found?.text).toBe(text)
    expect(found?.end).toBe(created.length + next.length)
    expect(found?.bytes).toBe(Buffer.byteLength(text))
  })

  it.each(['', ' '])('is found in both dialects (%j after the colon)', (space) => {
    const found = pattern('first', {}, space)
    expect(found?.match(frame(name, message('next'), space), 0)).toBe(true)
    expect(found?.match(frame(name, message('next'), space === '' ? ' ' : ''), 0)).toBe(false)
  })

  it.each([
    ['another message', delta('x', { id: '7' })],
    ['another chat', delta('x', { chat_id: '7' })],
    ['another conversation', delta('x', { conversation_id: '7' })],
    ['thinking', delta('x', { reasoning_content: 'hm' })],
    ['another kind of content', delta('x', { content_type: 'card' })],
    ['another event', frame('conversation.message.completed', message('x'))],
    ['no whole frame', delta('x').slice(0, -1)],
    ['a text that goes on after its quote', delta('x').replace('"x"', '"x","y":"z"')],
    ['a line end in the text', delta('x').replace('"x"', '"x\ny"')],
    ['a broken escape', delta('x').replace('"x"', '"\\q"')],
    ['a text without an end', delta('x').replace(/"x".*/s, '"x')],
  ])('is none with %s', (_what, text) => {
    expect(pattern('first')?.match(text, 0)).toBe(false)
  })

  it.each([
    ['its text is somewhere else as well', message('x', { meta_data: { content: 'x' } })],
    ['it has the field twice', `${JSON.stringify(message('x')).slice(0, -1)},"content":["x"]}`],
    ['its text is written with a space', JSON.stringify(message('x')).replace(':"x"', ': "x"')],
  ])('is not looked for where %s', (_what, given) => {
    const data = typeof given === 'string' ? given : JSON.stringify(given)
    const events: CozeEvent[] = []
    decodeFrame(name, data, { accepted: 'yes' }, events)
    const piece: CozeDelta = {
      type: 'delta',
      messageId: message('').id,
      chatId: message('').chat_id,
      conversationId: message('').conversation_id,
      kind: 'ANSWER',
      contentType: 'text',
      text: 'x',
    }
    expect(findRepeatedFrame(frame(name, data), data, piece)).toBeUndefined()
  })

  it('is none where it goes on from an event that has begun', () => {
    const begun = [created + delta('a'), 'data: {\n', delta('b')]
    expect(read(begun.map((part) => Buffer.from(part)))).toMatchObject({
      events: [{ type: 'created' }, { type: 'delta', text: 'a' }],
      error: expect.stringContaining('not JSON'),
    })
  })

  it('says what the parsers say, whatever stands in a stream and however it is cut', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'a',
        '"content":"',
        '\\',
        '"',
        '\n\n',
        '\ud83d',
        '\ude00',
        '你好',
        '你',
        '世界',
        '😀',
        '',
      ),
    )
    const more = fc.constantFrom<Readonly<Record<string, unknown>>>(
      {},
      {},
      {},
      { id: '7' },
      { type: 'verbose' },
      { type: 'knowledge' },
      { content_type: 'card' },
      { reasoning_content: 'thinking' },
      { meta_data: { content: 'inside' } },
      { created_at: 1 },
      { created_at: 2 },
      { chat_id: '0' },
    )
    const space = fc.constantFrom(' ', ' ', '')
    const piece = fc
      .tuple(text, more, space)
      .map(([content, fields, after]) => frame(name, message(content, fields), after))
    // As no platform writes it.
    const raw = fc
      .oneof(text, fc.constantFrom('\n', '\r', '\t', '\\q', '\\', 'a\n\nb', '\u0000'))
      .map((content) => delta('').replace('"content":""', () => `"content":"${content}"`))
    const spoilt = fc
      .tuple(piece, fc.nat(), fc.constantFrom('"', '\\', '\n', ',', 'x', ' ', ''))
      .map(([whole, at, by]) => {
        const cut = at % whole.length
        return whole.slice(0, cut) + by + whole.slice(cut + 1)
      })
    const other = fc.constantFrom(
      created,
      completed,
      done,
      frame('mood', '{}'),
      ': a comment\n\n',
      '\n',
      'id: 1\n',
      'event: mood\n',
      'data: {\n',
      'data: {"content":"x"}\n\n',
    )
    const stream = fc.array(
      fc.oneof({ weight: 12, arbitrary: piece }, { weight: 2, arbitrary: other }, spoilt, raw),
      { maxLength: 12 },
    )
    const limits = fc.oneof(
      fc.constant({}),
      fc.record({ maxReplyBytes: fc.nat({ max: 60 }) }),
      fc.record({ maxReplyEvents: fc.nat({ max: 12 }) }),
    )
    const cutting = fc.tuple(fc.array(fc.nat(), { maxLength: 4 }), fc.array(fc.nat()))
    fc.assert(
      fc.property(stream, cutting, limits, (frames, [anywhere, between], bounds) => {
        const written = frames.join('')
        // Frames with other line ends are never known.
        const parsed = read([Buffer.from(written.replaceAll('\n', '\r\n'))], bounds)
        const bytes = Buffer.from(written)
        // Anywhere, and between two of what was put together.
        const cuts = [
          ...anywhere.map((cut) => cut % (bytes.length + 1)),
          ...between.map((cut) => Buffer.byteLength(frames.slice(0, cut % 13).join(''))),
        ]
        const places = [0, ...cuts.sort((a, b) => a - b)]
        const chunks = places.map((at, index) => bytes.subarray(at, places[index + 1]))
        expect(read(chunks, bounds)).toEqual(parsed)
      }),
      { numRuns: 2_000 },
    )
  })
})

function read(chunks: readonly Uint8Array[], bounds: object = {}) {
  const events: CozeEvent[] = []
  const oddities: string[] = []
  const reader = createStreamReader({
    limits: { maxEventBytes: 10_000, maxReplyBytes: 10_000, maxReplyEvents: 100, ...bounds },
    logId: 'log',
    origin: { call: 'bot-chat', host: 'coze.test' },
    metrics: {
      upstreamOddity: (oddity) => void oddities.push(oddity),
      upstreamError: () => undefined,
    },
  })
  let error: unknown
  try {
    for (const chunk of chunks) reader.read(chunk, events)
  } catch (thrown) {
    error = thrown
  }
  const { isEnded, isDone, accepted } = reader
  return { events, oddities, error: String(error), isEnded, isDone, accepted }
}
