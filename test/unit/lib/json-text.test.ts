import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeJson } from '../../../src/lib/json-text.ts'
import { createTurns } from '../../../src/lib/turns.ts'

const roomy = { maxBytes: 100_000_000, turns: createTurns(262_144) }

async function encode(value: unknown): Promise<string | undefined> {
  return (await encodeJson(value, roomy))?.pieces.join('')
}

describe('a JSON text in pieces', () => {
  it('is what JSON.stringify makes, for any value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), async (value) => {
        const text = await encodeJson(value, roomy)
        expect(text?.pieces.join('')).toBe(JSON.stringify(value))
        expect(text?.bytes).toBe(Buffer.byteLength(JSON.stringify(value)))
      }),
    )
  })

  it('leaves out and writes itself what does so in JSON.stringify', async () => {
    const value = {
      gone: undefined,
      list: [undefined, new Date(0), { toJSON: () => 'own' }, Number.NaN],
      bare: Object.assign(Object.create(null), { a: 1 }),
      [Symbol.iterator]: 1,
    }
    expect(await encode(value)).toBe(JSON.stringify(value))
  })

  it.each([
    ['pairs of surrogates', '😀'.repeat(100_000)],
    ['a pair across the cut', `x${'😀'.repeat(100_000)}`],
    ['halves of pairs', '\ud83d'.repeat(200_000)],
    ['escapes', '\u0000"\\\n'.repeat(50_000)],
  ])('cuts a long text with %s so that nothing changes', async (_what, long) => {
    const value = { before: 1, long, after: [long] }
    const text = await encodeJson(value, roomy)
    expect(text?.pieces.join('')).toBe(JSON.stringify(value))
    expect(text?.bytes).toBe(Buffer.byteLength(JSON.stringify(value)))
    expect(Math.max(...(text?.pieces.map(({ length }) => length) ?? []))).toBeLessThan(600_000)
  })

  it('is given up soon after it has more bytes than it may', async () => {
    const pieces: number[] = []
    const turns = { take: (units: number) => void pieces.push(units) }
    const list = Array.from({ length: 1_000 }, () => '\u0001'.repeat(10_000))
    expect(await encodeJson(list, { maxBytes: 500_000, turns })).toBeUndefined()
    expect(pieces.length).toBeLessThan(10)
    const exact = JSON.stringify(['é'])
    const maxBytes = Buffer.byteLength(exact)
    expect(await encodeJson(['é'], { maxBytes, turns })).toEqual({
      pieces: [exact],
      bytes: maxBytes,
    })
    expect(await encodeJson(['é'], { maxBytes: maxBytes - 1, turns })).toBeUndefined()
  })
})
