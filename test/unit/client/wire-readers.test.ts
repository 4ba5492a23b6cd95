import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEventReader } from '../../../src/client/event-reader.ts'
import { createUtf8Decoder } from '../../../src/client/utf8-decoder.ts'

/** The same thing in pieces, cut anywhere. */
function pieces<T extends { length: number; slice(from: number, to?: number): T }>(
  whole: T,
  cuts: readonly number[],
): readonly T[] {
  const places = [...cuts.map((cut) => cut % (whole.length + 1)), whole.length].toSorted(
    (a, b) => a - b,
  )
  return places.map((to, at) => whole.slice(places[at - 1] ?? 0, to))
}

describe('the reader of server-sent events', () => {
  function read(parts: readonly string[]) {
    const events: unknown[] = []
    const take = createEventReader({
      event: (event) => events.push(event),
      retry: (ms) => events.push(ms),
    })
    for (const part of parts) take(part)
    return events
  }
  const text =
    ':\n\nevent: next\ndata: {"a":1}\nid: c1\n\n:\n\ndata:x\r\ndata: y\r\n\r\nretry: 50\n\nevent: complete\ndata:\n\n'
  const events = [
    { type: 'next', data: '{"a":1}', id: 'c1' },
    { type: '', data: 'x\ny', id: undefined },
    50,
    { type: 'complete', data: '', id: undefined },
  ]

  it('reads the same events however the text is cut', () => {
    expect(read([text])).toEqual(events)
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        expect(read(pieces(text, cuts))).toEqual(events)
      }),
    )
  })

  it('hands on nothing of an event whose end has not come', () => {
    expect(read(['event: next\ndata: {"a":1}\nid: c1\n'])).toEqual([])
  })
})

describe('the decoder of UTF-8', () => {
  it('makes the same text however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat()), (text, cuts) => {
        const whole = text.toWellFormed()
        const decode = createUtf8Decoder()
        const parts = pieces(new TextEncoder().encode(whole), cuts)
        expect(parts.map((part) => decode(part)).join('')).toBe(whole)
      }),
    )
  })

  it('shows damaged bytes as such and reads on', () => {
    const decode = createUtf8Decoder()
    expect(decode(new Uint8Array([0x61, 0xe4, 0xbd, 0x62, 0x80, 0xff, 0x63]))).toMatch(/^a.*b.*c?$/)
    expect(decode(new TextEncoder().encode('!a')).endsWith('a')).toBe(true)
  })
})
