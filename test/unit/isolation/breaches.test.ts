import { describe, expect, it } from 'vitest'
import { judgeRevealed, type RevealedRow } from '../../../src/isolation/breaches.ts'

const ours = '7400000000000000100'
const row = (chatId: string | undefined, createdAt: number | null = 5_000, isOurs = false) => ({
  chatId,
  createdAt,
  isOurs,
})

describe('a conversation that a run has just revealed', () => {
  it.each<[string, readonly RevealedRow[], string | undefined]>([
    ['holds nothing but the run', [row(ours)], undefined],
    ['holds nothing at all', [], undefined],
    ['holds an older chat', [row(ours), row('7400000000000000099')], 'used-before'],
    ['holds an older chat that is shorter in digits', [row(ours), row('99')], 'used-before'],
    ['holds a newer chat', [row(ours), row('7400000000000000101')], undefined],
    ['holds an older row that the run brought', [row('7400000000000000099', 1, true)], undefined],
    ['holds a row of no chat', [row(undefined, 1)], undefined],
    [
      'holds ids that are no numbers, of which one came first',
      [row('c-1', 4_000), row(ours)],
      'used-before',
    ],
    ['holds ids that are no numbers, of the same second', [row('c-1'), row(ours)], undefined],
    ['holds ids that are no numbers and have no time', [row('c-1', null), row(ours)], undefined],
    ['holds an older row, and none of the run yet', [row('7400000000000000099')], 'used-before'],
    ['holds ids that are no numbers, and none of the run yet', [row('c-1', 4_000)], undefined],
  ])('that %s', (_, rows, way) => {
    expect(judgeRevealed(rows, ours)).toBe(way)
  })

  it('proves nothing where it is not listed, and much where the session may not read it', () => {
    expect(judgeRevealed('not-listed', ours)).toBeUndefined()
    expect(judgeRevealed('not-readable', ours)).toBe('not-readable')
  })
})
