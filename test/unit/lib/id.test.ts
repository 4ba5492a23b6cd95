import { describe, expect, it } from 'vitest'
import { createRandomIds } from '../../../src/lib/id.ts'

describe('random ids', () => {
  it('T1: are 128 bits as base64url, and never the same twice, however many are made', () => {
    const [first, second] = [createRandomIds(), createRandomIds()]
    const ids = Array.from({ length: 2_000 }, (_, index) => (index % 2 ? first() : second()))
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(ids.map((id) => id.slice(0, 10))).size).toBe(ids.length)
    expect(new Set(ids.map((id) => id.slice(-10))).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[\w-]{21}[AQgw]$/)
  })
})
