import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSseParser, SseSyntaxError } from '../../../src/coze/sse.ts'
import { heldBytes } from '../../kit/process/held-heap.ts'

type Frame = readonly [event: string, data: string]

function read(chunks: readonly Uint8Array[], maxEventBytes = 1_000_000): Frame[] {
  const frames: Frame[] = []
  const parser = createSseParser({
    maxEventBytes,
    onFrame: (...[event, data]) => frames.push([event, data]),
    readKnown,
  })
  for (const chunk of chunks) parser.push(chunk)
  return frames
}

/** Nothing is known: all is parsed. */
const readKnown = (_text: string, from: number) => from

const whole = (text: string) => [Buffer.from(text)]
const bytewise = (text: string) => [...Buffer.from(text)].map((byte) => Uint8Array.of(byte))

function refusal(chunks: readonly Uint8Array[], maxEventBytes?: number): string | undefined {
  try {
    read(chunks, maxEventBytes)
    return undefined
  } catch (error) {
    if (error instanceof SseSyntaxError) return error.reason
    throw error
  }
}

const dialects: readonly (readonly [name: string, text: string, frames: readonly Frame[]])[] = [
  ['a Bot frame, without a space', 'event:done\ndata:"[DONE]"\n\n', [['done', '"[DONE]"']]],
  ['a Workflow frame, with one', 'event: done\ndata: {}\n\n', [['done', '{}']]],
  ['only the first space', 'data:  two\n\n', [['message', ' two']]],
  ['Studio ids', 'id: 1\nevent: a\ndata: b\n\n', [['a', 'b']]],
  ['CRLF', 'event: a\r\ndata: b\r\n\r\n', [['a', 'b']]],
  [
    'CR alone',
    'event: a\rdata: b\r\rdata: c\r\r',
    [
      ['a', 'b'],
      ['message', 'c'],
    ],
  ],
  [
    'mixed ends',
    'event: a\r\ndata: b\n\rdata: c\r\n\n',
    [
      ['a', 'b'],
      ['message', 'c'],
    ],
  ],
  ['a byte order mark', '\ufeffdata: b\n\n', [['message', 'b']]],
  ['only one byte order mark', '\ufeff\ufeffdata: a\n\ndata: b\n\n', [['message', 'b']]],
  ['comments', ': hello\ndata: b\n:\n\n: bye\n\n', [['message', 'b']]],
  ['several data lines', 'data: {\ndata\ndata: }\n\n', [['message', '{\n\n}']]],
  ['unknown fields', 'retry: 5\ndatum: x\nevents: y\ndata: b\n\n', [['message', 'b']]],
  ['an event without data', 'event: a\n\ndata: b\n\n', [['message', 'b']]],
  ['characters of all lengths', 'data: é你😀\n\n', [['message', 'é你😀']]],
  ['no event without its blank line', 'data: b\n\ndata: c\n', [['message', 'b']]],
]

const mebibyte = 1_048_576

describe('event stream parser', () => {
  it.each(dialects)('F12 reads %s, in one piece and byte by byte', (_name, text, frames) => {
    expect(read(whole(text))).toEqual(frames)
    expect(read(bytewise(text))).toEqual(frames)
  })

  it('F12 reads the same from every two cuts of every dialect', () => {
    for (const [, text, frames] of dialects) {
      const bytes = Buffer.from(text)
      for (let first = 0; first <= bytes.length; first += 1) {
        for (let second = first; second <= bytes.length; second += 1) {
          const chunks = [
            bytes.subarray(0, first),
            bytes.subarray(first, second),
            bytes.subarray(second),
          ]
          expect(read(chunks)).toEqual(frames)
        }
      }
    }
  })

  it.each([1, 7, 4_095, 4_096, 4_097])('F12 reads long lines the same, in pieces of %i', (size) => {
    const lines = ['事件'.repeat(5_000), 'x'.repeat(8_192), '']
    const bytes = Buffer.from(`${lines.map((line) => `data: ${line}\n`).join('')}\n`)
    const count = Math.ceil(bytes.length / size)
    const pieces = Array.from({ length: count }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    )
    expect(read(pieces)).toEqual([['message', lines.join('\n')]])
  })

  it('F12 reads any lines the same, however they are cut', () => {
    const line = fc.oneof(
      fc.constantFrom('', '', ':', ': note', 'data', 'data:', 'id: 7', 'retry: 1', 'event: 事件'),
      fc.string({ unit: 'grapheme' }).map((text) => `data: ${text.replaceAll(/[\r\n]/g, ' ')}`),
    )
    const lines = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 20 })
    fc.assert(
      fc.property(fc.boolean(), lines, fc.array(fc.nat({ max: 400 })), (mark, parts, cuts) => {
        const text = (mark ? '\ufeff' : '') + parts.flat().join('')
        const bytes = Buffer.from(text)
        const places = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b)]
        const chunks = places.map((at, index) => bytes.subarray(at, places[index + 1]))
        expect(read(chunks)).toEqual(read([bytes]))
      }),
      { numRuns: 300 },
    )
  })

  it('F14 T14 refuses an event above the cap, in one line or many, in one piece or cut', () => {
    const line = `data: ${'你'.repeat(40)}\n\n`
    const lines = `${'data: 0123456789\n'.repeat(11)}\n`
    for (const text of [line, lines]) {
      expect(refusal(whole(text), 119)).toBe('too-large')
      expect(refusal(bytewise(text), 119)).toBe('too-large')
      expect(refusal(whole(text), 120)).toBeUndefined()
      expect(refusal(bytewise(text), 120)).toBeUndefined()
    }
  })

  it.each(['data: ', ': ', 'nonsense'])('F14 T14 refuses a line "%s…" that never ends', (start) => {
    let pushed = 0
    const parser = createSseParser({ maxEventBytes: 100_000, onFrame: () => undefined, readKnown })
    parser.push(Buffer.from(start))
    const push = () => {
      for (; pushed < 100; pushed += 1) parser.push(Buffer.alloc(10_000, 'x'))
    }
    expect(push).toThrow(SseSyntaxError)
    expect(pushed).toBe(10)
  })

  it.each([
    ['one line', 'x'.repeat(16_384)],
    ['short lines', 'data: x\n'.repeat(2_048)],
    ['empty lines', 'data\n'.repeat(3_000)],
    ['lines that end with CR', 'data: x\r'.repeat(2_048)],
    ['comments', ': x\n'.repeat(4_096)],
  ])('F14 holds less than 32 MiB of an event without an end: %s', (_what, part) => {
    const parser = createSseParser({
      maxEventBytes: 8 * mebibyte,
      onFrame: () => undefined,
      readKnown,
    })
    const bytes = Buffer.from(part)
    const before = heldBytes()
    let held = 0
    const pour = () => {
      parser.push(Buffer.from('data: '))
      for (let pushed = 0; pushed < 9 * mebibyte; pushed += bytes.length) {
        parser.push(bytes)
        if (pushed % (128 * bytes.length) === 0) held = Math.max(held, heldBytes() - before)
      }
    }
    expect(pour).toThrow('too large')
    expect(held).toBeLessThan(32 * mebibyte)
  })

  it('F14 holds no more of a line that comes in pieces of a byte', () => {
    const parser = createSseParser({
      maxEventBytes: mebibyte / 4,
      onFrame: () => undefined,
      readKnown,
    })
    const piece = Buffer.from('x')
    parser.push(Buffer.from('data: '))
    const before = heldBytes()
    for (let pushed = 0; pushed < mebibyte / 4; pushed += 1) parser.push(piece)
    expect(heldBytes() - before).toBeLessThan(mebibyte)
    expect(() => parser.push(Buffer.alloc(5_000, 'x'))).toThrow('too large')
  })

  it('F14 takes an event of many lines', () => {
    const text = `${'data: x\n'.repeat(60_000)}\n`
    expect(read(whole(text))).toEqual([['message', Array(60_000).fill('x').join('\n')]])
    expect(read(whole(text.repeat(3)))).toHaveLength(3)
  })

  it('T14 refuses bytes that are not UTF-8, after the events before them', () => {
    const frames: Frame[] = []
    const parser = createSseParser({
      maxEventBytes: 100,
      onFrame: (event, data) => frames.push([event, data]),
      readKnown,
    })
    parser.push(Buffer.from('data: good\n\n'))
    expect(() => parser.push(Uint8Array.of(0x64, 0xff, 0x0a))).toThrow('not UTF-8')
    expect(frames).toEqual([['message', 'good']])
  })
})
