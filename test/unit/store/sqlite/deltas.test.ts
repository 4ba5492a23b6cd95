import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConversationId, ReplyId } from '../../../../src/domain.ts'
import { maxDeltaLength } from '../../../../src/store/log.ts'
import {
  foldDeltas,
  foldEvents,
  splitDelta,
  type DeltaEvent,
} from '../../../../src/store/sqlite/deltas.ts'
import { GrowingText } from '../../../../src/store/sqlite/running.ts'

function applyDelta(text: string, { offset, text: added }: DeltaEvent): string {
  return text.slice(0, offset) + added
}

function delta(seq: number, offset: number, text: string, replyId = 'r'): DeltaEvent {
  return {
    type: 'delta',
    epoch: 1,
    seq,
    replyId: replyId as ReplyId,
    conversationId: 'c' as ConversationId,
    kind: 'ANSWER',
    offset,
    text,
  }
}

/** Deltas as a reply makes them: mostly appended, now and then a correction. */
const deltasOfOneReply = fc
  .array(
    fc.record({
      from: fc.oneof(
        { weight: 4, arbitrary: fc.constant(1) },
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
      text: fc.oneof(
        { weight: 4, arbitrary: fc.string({ maxLength: 5 }) },
        fc.nat(maxDeltaLength).map((length) => 'x'.repeat(length)),
      ),
    }),
    { maxLength: 20 },
  )
  .map((steps) => {
    let text = ''
    return steps.map((step, index) => {
      const made = delta(index + 1, Math.floor(text.length * step.from), step.text)
      text = applyDelta(text, made)
      return made
    })
  })

describe('a growing text', () => {
  it('is what its deltas make, whenever it is read', () => {
    fc.assert(
      fc.property(deltasOfOneReply, fc.nat({ max: 3 }), (deltas, every) => {
        const text = new GrowingText()
        let whole = ''
        for (const each of deltas) {
          text.replaceFrom(each.offset, each.text)
          whole = applyDelta(whole, each)
          if (each.seq % (every + 1) === 0) expect(text.value).toBe(whole)
        }
        expect(text.value).toBe(whole)
      }),
    )
  })
})

describe('folding', () => {
  it('leads from any state that was read before to the same text', () => {
    fc.assert(
      fc.property(deltasOfOneReply, (deltas) => {
        const folded = foldDeltas(deltas)
        const whole = deltas.reduce(applyDelta, '')
        let held = ''
        for (const [read, next] of [undefined, ...deltas].entries()) {
          if (next !== undefined) held = applyDelta(held, next)
          const rest = folded.filter(({ seq }) => seq > read)
          expect(rest.reduce(applyDelta, held)).toBe(whole)
        }
      }),
    )
  })

  it('keeps to the positions that were there, in order, and to the longest length', () => {
    fc.assert(
      fc.property(deltasOfOneReply, (deltas) => {
        const seqs = foldDeltas(deltas).map(({ seq }) => seq)
        expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
        expect(seqs.at(-1)).toBe(deltas.at(-1)?.seq)
        for (const { text } of foldDeltas(deltas)) {
          expect(text.length).toBeLessThanOrEqual(maxDeltaLength)
        }
      }),
    )
  })

  it.each([
    ['appended', [delta(1, 0, 'Hel'), delta(2, 3, 'lo')], [delta(2, 0, 'Hello')]],
    ['corrected', [delta(1, 0, 'Hello'), delta(2, 1, 'i')], [delta(2, 0, 'Hi')]],
    ['replaced', [delta(1, 0, 'Hello'), delta(2, 0, 'Bye')], [delta(2, 0, 'Bye')]],
    ['truncated', [delta(1, 0, 'Hello'), delta(2, 2, '')], [delta(2, 0, 'He')]],
    [
      'corrected beyond one row',
      [delta(1, 0, 'Hello'), delta(2, 2, 'x'.repeat(maxDeltaLength))],
      [delta(1, 0, 'He'), delta(2, 2, 'x'.repeat(maxDeltaLength))],
    ],
    [
      'corrected from an earlier row on',
      [delta(1, 0, 'x'.repeat(maxDeltaLength)), delta(2, maxDeltaLength, 'yes'), delta(3, 1, 'z')],
      [delta(3, 0, 'xz')],
    ],
  ])('folds what was %s', (_, deltas, folded) => {
    expect(foldDeltas(deltas)).toEqual(folded)
  })

  it('keeps two replies apart and all events in order', () => {
    const events = [
      delta(1, 0, 'a'),
      delta(2, 0, 'x', 's'),
      delta(3, 1, 'b'),
      delta(4, 1, 'y', 's'),
    ]
    expect(foldEvents(events)).toEqual([delta(3, 0, 'ab'), delta(4, 0, 'xy', 's')])
  })
})

describe('splitting', () => {
  it('joins to the same text, in bounded pieces that end in no surrogate pair', () => {
    const text = `a${'😀'.repeat(maxDeltaLength)}`
    const pieces = splitDelta({ kind: 'ANSWER', offset: 7, text })
    expect(pieces.map((piece) => piece.text).join('')).toBe(text)
    let offset = 7
    for (const piece of pieces) {
      expect(piece.offset).toBe(offset)
      expect(piece.text.length).toBeLessThanOrEqual(maxDeltaLength)
      expect(piece.text.isWellFormed()).toBe(true)
      offset += piece.text.length
    }
  })

  it('leaves alone what is short enough', () => {
    const short = { kind: 'ANSWER', offset: 0, text: '' } as const
    expect(splitDelta(short)).toEqual([short])
  })
})
