import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delta } from '../../../src/domain.ts'
import { createTranscript } from '../../../src/reply/transcript.ts'

/** What a client holds after a delta (design.md §5). */
const apply = (held: string, delta: Delta | 'late' | undefined) =>
  delta === undefined || delta === 'late' ? held : held.slice(0, delta.offset) + delta.text

/** Letters, whole characters beyond 16 bits, and their halves. */
const halves = fc.constantFrom('a', 'b', '中', '😀', '😃', '\ud83d', '\ude00')

const endsInHalf = (text: string) => /[\ud800-\udbff]$/.test(text)

describe('transcript', () => {
  it('gives each delta the offset at which it starts', () => {
    const transcript = createTranscript('ANSWER')
    expect(transcript.append('m', 'Hel')).toEqual({ kind: 'ANSWER', offset: 0, text: 'Hel' })
    expect(transcript.append('m', 'lo')).toEqual({ kind: 'ANSWER', offset: 3, text: 'lo' })
    expect(transcript.text).toBe('Hello')
  })

  it('joins messages in first-seen order with a blank line', () => {
    const transcript = createTranscript('ANSWER')
    transcript.append('a', 'one')
    expect(transcript.append('b', 'two')).toEqual({ kind: 'ANSWER', offset: 3, text: '\n\ntwo' })
  })

  it('sends the tail again when an earlier message grows', () => {
    const transcript = createTranscript('ANSWER')
    transcript.append('a', 'one')
    transcript.append('b', 'two')
    expect(transcript.append('a', '!')).toEqual({ kind: 'ANSWER', offset: 3, text: '!\n\ntwo' })
    expect(transcript.text).toBe('one!\n\ntwo')
  })

  it('says nothing when the completed text repeats the deltas', () => {
    const transcript = createTranscript('ANSWER')
    transcript.append('m', 'Hello')
    expect(transcript.complete('m', 'Hello')).toEqual({ delta: undefined, corrected: false })
  })

  it('F19: trusts the completed text over its deltas, with one correction', () => {
    const transcript = createTranscript('ANSWER')
    transcript.append('m', 'Hello wurld')
    expect(transcript.complete('m', 'Hello world')).toEqual({
      delta: { kind: 'ANSWER', offset: 7, text: 'orld' },
      corrected: true,
    })
  })

  it('F13: ignores text that comes after its message was completed', () => {
    const transcript = createTranscript('ANSWER')
    transcript.complete('m', 'done')
    expect(transcript.append('m', ' more')).toBe('late')
    expect(transcript.text).toBe('done')
  })

  it('truncates with an empty text', () => {
    const transcript = createTranscript('ANSWER')
    transcript.append('m', 'abc')
    expect(transcript.complete('m', 'a').delta).toEqual({ kind: 'ANSWER', offset: 1, text: '' })
  })

  it('takes a recovered reply on from what readers hold', () => {
    const transcript = createTranscript('ANSWER', 'Hello w')
    expect(transcript.complete('m', 'Hello world').delta).toEqual({
      kind: 'ANSWER',
      offset: 7,
      text: 'orld',
    })
  })

  it('keeps a character together whose halves come apart', () => {
    const transcript = createTranscript('ANSWER')
    expect(transcript.append('m', 'a\ud83d')).toEqual({ kind: 'ANSWER', offset: 0, text: 'a' })
    expect(transcript.append('m', '\ude00b')).toEqual({ kind: 'ANSWER', offset: 1, text: '😀b' })
  })

  it('does not cut a character where two texts part inside it', () => {
    const transcript = createTranscript('ANSWER')
    transcript.append('m', 'a😀')
    expect(transcript.complete('m', 'a😃').delta).toEqual({ kind: 'ANSWER', offset: 1, text: '😃' })
  })

  it('brings a client to the joined text, whatever comes in whatever order', () => {
    const step = fc.record({
      message: fc.constantFrom('a', 'b', 'c'),
      text: fc.string({ unit: halves, maxLength: 6 }),
      completes: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const transcript = createTranscript('ANSWER')
        let held = ''
        for (const { message, text, completes } of steps) {
          const delta = completes
            ? transcript.complete(message, text).delta
            : transcript.append(message, text)
          if (typeof delta === 'object' && endsInHalf(held.slice(0, delta.offset))) return false
          held = apply(held, delta)
          if (held !== transcript.text) return false
        }
        return true
      }),
    )
  })
})
