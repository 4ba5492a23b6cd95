import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isHighSurrogate } from '../../../src/lib/surrogate.ts'
import { TextTrack } from '../../../src/store/text-track.ts'

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((length) => 'long '.repeat(length / 5)),
  },
)
const change = fc.record({
  /** Mostly the end; else a correction from this share of the text. */
  from: fc.oneof(
    { weight: 6, arbitrary: fc.constant(1) },
    fc.double({ min: 0, max: 1, noNaN: true }),
  ),
  text: piece,
})
const share = fc.double({ min: 0, max: 1, noNaN: true })

describe('a text that grows', () => {
  it('is the string that its changes make, whole and in slices', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.array(share), (changes, shares) => {
        const track = new TextTrack()
        let text = ''
        for (const { from, text: added } of changes) {
          const offset = Math.floor(text.length * from)
          track.replaceFrom(offset, added)
          text = text.slice(0, offset) + added
          expect(track.length).toBe(text.length)
          for (const at of [...shares, 1]) {
            const start = Math.floor(text.length * at)
            const slice = track.slice(start, 100)
            expect(text.startsWith(slice, start)).toBe(true)
            const left = text.length - start
            expect(slice.length).toBeGreaterThanOrEqual(Math.min(99, left))
            expect(slice.length).toBeLessThanOrEqual(100)
            expect(track.slice(start, left)).toBe(text.slice(start))
          }
        }
        expect(track.value).toBe(text)
        track.settle()
        expect([track.value, track.slice(0, text.length)]).toEqual([text, text])
      }),
    )
  })

  it('cuts no surrogate pair in two, and tells of a half at its end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }), { minLength: 1 }),
        fc.nat(),
        (pieces, at) => {
          const text = pieces.join('')
          const track = new TextTrack()
          // One code unit at a time: every pair comes in halves.
          for (let index = 0; index < text.length; index += 1) {
            track.replaceFrom(index, text.charAt(index))
            const isHalf = isHighSurrogate(text.charCodeAt(index))
            expect(track.wholeLength).toBe(isHalf ? index : index + 1)
          }
          const offset = track.roundDown(at % (text.length + 1))
          expect(text.slice(0, offset).isWellFormed()).toBe(true)
          expect(track.slice(offset, 7).isWellFormed()).toBe(true)
        },
      ),
    )
  })

  it('gives a reader that keeps up the very piece that was added', () => {
    const track = new TextTrack()
    track.replaceFrom(0, 'Hello')
    const added = ' you'.repeat(3)
    track.replaceFrom(5, added)
    expect(track.slice(5, 100)).toBe(added)
    expect(track.slice(3, 100)).toBe(`lo${added}`)
  })

  it('has nothing at an offset beyond its end', () => {
    const track = new TextTrack()
    track.replaceFrom(0, 'Hello')
    expect(() => track.replaceFrom(6, 'x')).toThrow(RangeError)
    expect(() => track.replaceFrom(-1, 'x')).toThrow(RangeError)
    expect(track.value).toBe('Hello')
  })
})
