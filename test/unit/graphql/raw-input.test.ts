import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../src/graphql/schema/raw-input.ts'

describe('canonical JSON', () => {
  it.each([
    [
      { b: 1, a: { d: [1, { f: 1, e: 2 }], c: null } },
      '{"a":{"c":null,"d":[1,{"e":2,"f":1}]},"b":1}',
    ],
    [{ a: undefined, b: 'x' }, '{"b":"x"}'],
    [undefined, 'null'],
    ['"', '"\\""'],
  ])('of %j is the same however it was written', (value, text) => {
    expect(canonicalJson(value)).toBe(text)
  })
})
