import fc from 'fast-check'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { secondEdition } from '../../../src/store/sqlite/worker/schema.ts'
import { createTexts, type TextKind } from '../../../src/store/sqlite/worker/texts.ts'

/** What SQLite lets a row of a table have in a page of 4 KiB before it spills over. */
const maxLocalBytes = 4061
const kinds: readonly TextKind[] = ['answer', 'reasoning', 'message', 'extras']

function openTexts() {
  const db = new DatabaseSync(':memory:')
  db.exec(secondEdition.join(''))
  return { db, texts: createTexts(db) }
}

/** Pieces of a text, none of which ends inside a character. */
const piece = fc
  .array(fc.constantFrom('a', 'é', '你好', '😀', 'word '.repeat(300), '𝄞'.repeat(700)), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''))
const write = fc.record({
  reply: fc.constantFrom(1, 2, 2 ** 32 - 1),
  kind: fc.constantFrom(...kinds),
  keeps: fc.double({ min: 0, max: 1, noNaN: true }),
  text: piece,
})

describe('stored texts', () => {
  it('are what was written, whatever was put in the place of what, and each row fits into a page', () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 20 }), (writes) => {
        const { db, texts } = openTexts()
        const model = new Map<string, string[]>()
        for (const { reply, kind, keeps, text } of writes) {
          const key = `${reply} ${kind}`
          const characters = model.get(key) ?? []
          const kept = characters.slice(0, Math.floor(characters.length * keeps))
          texts.write(reply, kind, kept.join('').length, text)
          model.set(key, [...kept, ...Array.from(text)])
        }
        for (const reply of [1, 2, 2 ** 32 - 1]) {
          for (const kind of kinds) {
            const whole = (model.get(`${reply} ${kind}`) ?? []).join('')
            expect(texts.read(reply, kind)).toBe(whole)
            expect(texts.length(reply, kind)).toBe(whole.length)
            const [from, to] = [Math.floor(whole.length / 3), Math.floor(whole.length / 2)]
            expect(texts.slice(reply, kind, from, to)).toBe(whole.slice(from, to))
          }
        }
        const longest = db.prepare('SELECT max(octet_length(text)) AS bytes FROM texts').get()
        expect(Number(longest?.['bytes'] ?? 0) + 20).toBeLessThan(maxLocalBytes)
        db.close()
      }),
      { numRuns: 60 },
    )
  })

  it('take no text that begins beyond the end of what is there', () => {
    const { texts } = openTexts()
    texts.write(1, 'answer', 0, 'four')
    expect(() => texts.write(1, 'answer', 5, 'x')).toThrow(RangeError)
    expect(() => texts.write(1, 'reasoning', 1, 'x')).toThrow(RangeError)
    expect(texts.read(1, 'answer')).toBe('four')
  })

  it('go with their reply, and with no other', () => {
    const { db, texts } = openTexts()
    for (const reply of [1, 2, 3]) {
      for (const kind of kinds) texts.write(reply, kind, 0, `${kind} of ${reply}`.repeat(1_000))
    }
    texts.remove(2)
    for (const kind of kinds) {
      expect(texts.read(1, kind)).toContain(`${kind} of 1`)
      expect(texts.read(2, kind)).toBe('')
      expect(texts.read(3, kind)).toContain(`${kind} of 3`)
    }
    texts.remove(1)
    texts.remove(3)
    expect(db.prepare('SELECT count(*) AS rows FROM texts').get()).toEqual({ rows: 0 })
  })
})
