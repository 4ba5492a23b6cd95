import { describe, expect, it } from 'vitest'
import { tryParseJson } from '../../../src/coze/json.ts'

describe('JSON of the platform', () => {
  it('is not parsed where it has more values than any platform sends, in whatever form', () => {
    const many = 200_000
    const pair = (n: number) => `"key-${n}":1`
    const texts = [
      `[${'{},'.repeat(many)}{}]`,
      '['.repeat(many) + ']'.repeat(many),
      `{${Array.from({ length: many }, (_, n) => pair(n)).join(',')}}`,
      `[${'1,'.repeat(many)}1]`,
    ]
    for (const text of texts) {
      expect(() => void JSON.parse(text)).not.toThrow()
      expect(tryParseJson(text)).toBeUndefined()
    }
  })

  it('may hold a text of any characters, which are no values', () => {
    const text = '{"a":[1,2]}\\"\\\\,[,{'.repeat(50_000)
    expect(tryParseJson(JSON.stringify({ text, more: ['\\', '"', text] }))).toEqual({
      text,
      more: ['\\', '"', text],
    })
  })
})
