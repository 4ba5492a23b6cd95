import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConversationId, DeltaKind, ReplyId, TextPlace } from '../../../src/domain.ts'
import { maxDeltaLength } from '../../../src/store/log.ts'
import { ReplyText } from '../../../src/store/reply-text.ts'

const owner = { replyId: 'reply' as ReplyId, conversationId: 'conversation' as ConversationId }
const first = { name: 'x0', answerKept: 0, reasoningKept: 0 }

function newText(texts = { answer: '', reasoning: '' }) {
  const text = new ReplyText(owner, [first], texts)
  let count = 0
  const name = () => `x${(count += 1)}`
  return {
    text,
    put: (kind: DeltaKind, offset: number, added: string) => text.put(kind, offset, added, name),
  }
}

interface Held {
  readonly place: TextPlace | undefined
  readonly ANSWER: string
  readonly REASONING: string
}
const nothing: Held = { place: undefined, ANSWER: '', REASONING: '' }

/** One delta further. */
function step(text: ReplyText, held: Held): Held | undefined {
  const next = text.next(held.place)
  if (next === undefined) return undefined
  const { kind, offset, text: added } = next.event
  expect(offset).toBeLessThanOrEqual(held[kind].length)
  expect(added.length).toBeLessThanOrEqual(maxDeltaLength)
  return { ...held, [kind]: held[kind].slice(0, offset) + added, place: next.place }
}

function toEnd(text: ReplyText, from: Held): Held {
  for (let held = from; ;) {
    const next = step(text, held)
    if (next === undefined) return held
    held = next
  }
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('put' as const),
        kind: fc.constantFrom<DeltaKind>('ANSWER', 'REASONING'),
        from: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.constantFrom(0, 0.4, 0.9)),
        added: fc.oneof(fc.string({ maxLength: 5 }), fc.constant('long '.repeat(2_000))),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), from: fc.nat() }) },
    // As a lease does that takes over, of which the disk had less than was shown.
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('revise' as const),
        kept: fc.constantFrom(0, 0.5, 1),
      }),
    },
  ),
  { maxLength: 80 },
)

describe('the text of a reply', () => {
  it('takes a reader from every place that it was ever given to the text, over any corrections', () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (taken, isEnded) => {
        const { text, put } = newText()
        const seen: Held[] = [nothing]
        let revised = 0
        for (const each of taken) {
          if (each.do === 'put') {
            const { length } = each.kind === 'ANSWER' ? text.answer : text.reasoning
            put(each.kind, Math.floor(length * each.from), each.added)
          } else if (each.do === 'revise') {
            const answerKept = Math.floor(text.answer.length * each.kept)
            text.revise({ name: `y${(revised += 1)}`, answerKept, reasoningKept: 0 })
            text.answer.replaceFrom(answerKept, '')
            text.reasoning.replaceFrom(0, '')
          } else {
            const next = step(text, seen[each.from % seen.length] ?? nothing)
            if (next !== undefined) seen.push(next)
          }
        }
        if (isEnded) text.end()
        const whole = { ANSWER: text.answer.value, REASONING: text.reasoning.value }
        for (const held of seen) expect(toEnd(text, held)).toMatchObject(whole)
      }),
    )
  })

  it('hands out the same objects to all who are at one place, and cuts anew when it has changed', () => {
    const { text, put } = newText()
    put('ANSWER', 0, 'Hello')
    const one = text.next(undefined)
    expect(text.next(undefined)).toBe(one)
    put('ANSWER', 5, ' you')
    const two = text.next(one?.place)
    expect(two?.event).toMatchObject({ offset: 5, text: ' you' })
    expect(text.next(structuredClone(one?.place))).toBe(two)
    expect(text.next(undefined)?.event).toMatchObject({ offset: 0, text: 'Hello you' })
  })

  it('forgets revisions so old that nobody is likely to stand there, and lets who does start over', () => {
    const { text, put } = newText()
    put('ANSWER', 0, 'Hello world')
    const old = text.next(undefined)?.place
    for (let round = 0; round < 100; round += 1) put('ANSWER', 10, 'd')
    expect(text.revisions.length).toBeLessThan(50)
    expect(text.next(old)?.event).toMatchObject({ offset: 0, text: 'Hello world' })
  })

  it('takes back what a reader of an ended text holds beyond its end, and lets one of a running text wait', () => {
    const { text } = newText({ answer: 'Hello', reasoning: '' })
    const ahead = { replyId: owner.replyId, revision: 'x0', answer: 9, reasoning: 0 }
    expect(text.next(ahead)).toBeUndefined()
    text.end()
    expect(text.next(ahead)?.event).toMatchObject({ kind: 'ANSWER', offset: 5, text: '' })
  })
})
