import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConversationId, DeltaKind, ReplyId, SessionId } from '../../../../src/domain.ts'
import { ReplyText } from '../../../../src/store/reply-text.ts'
import type { TextWrite } from '../../../../src/store/main-half/stored.ts'
import { UnwrittenText, type StartedWrite } from '../../../../src/store/main-half/unwritten-text.ts'

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('put' as const),
        kind: fc.constantFrom<DeltaKind>('ANSWER', 'REASONING'),
        from: fc.oneof(
          { weight: 3, arbitrary: fc.constant(1) },
          fc.double({ min: 0, max: 1, noNaN: true }),
        ),
        // Halves of characters come as they come.
        text: fc.array(fc.constantFrom('a', 'b', '\ud83d', '\ude00'), { maxLength: 4 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('write' as const), isLast: fc.boolean() }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('end' as const), isWritten: fc.boolean() }),
    },
  ),
  { maxLength: 60 },
)

/** A disk that keeps text as SQLite does: a half of a character is kept as another one. */
function createDisk() {
  const tracks = { answer: '', reasoning: '' }
  return {
    tracks,
    take(write: TextWrite): void {
      for (const track of ['answer', 'reasoning'] as const) {
        const part = write[track]
        if (part === undefined) continue
        expect(part.offset).toBeLessThanOrEqual(tracks[track].length)
        tracks[track] = tracks[track].slice(0, part.offset) + part.text.toWellFormed()
      }
    },
  }
}

describe('what is not on disk of a text', () => {
  it('is put there at its offset, whichever writes failed and whatever was corrected meanwhile', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const owner = {
          replyId: 'reply' as ReplyId,
          conversationId: 'conversation' as ConversationId,
        }
        const text = new ReplyText(owner, [], { answer: '', reasoning: '' })
        const unwritten = new UnwrittenText('session' as SessionId, text, 'fence')
        const disk = createDisk()
        const underWay: StartedWrite<TextWrite>[] = []
        const end = (isWritten: boolean) => {
          const [started] = underWay.splice(0, 1)
          if (started === undefined) return
          if (isWritten) disk.take(started.write)
          started.ended(isWritten)
        }
        for (const step of taken) {
          if (step.do === 'write') underWay.push(unwritten.write(step.isLast))
          else if (step.do === 'end') end(step.isWritten)
          else {
            const track = step.kind === 'ANSWER' ? text.answer : text.reasoning
            const offset = track.roundDown(Math.floor(track.length * step.from))
            unwritten.put({ kind: step.kind, offset, text: step.text.join('') }, () => 'x1')
          }
        }
        const isPosted = unwritten.isPosted
        while (underWay.length > 0) end(true)
        for (const track of ['answer', 'reasoning'] as const) {
          if (!isPosted) continue
          const { value, wholeLength } = text[track]
          expect(disk.tracks[track].length).toBeLessThanOrEqual(value.length)
          expect(disk.tracks[track].slice(0, wholeLength)).toBe(
            value.slice(0, wholeLength).toWellFormed(),
          )
        }
        const last = unwritten.write(true)
        disk.take(last.write)
        last.ended(true)
        expect(disk.tracks).toEqual({
          answer: text.answer.value.toWellFormed(),
          reasoning: text.reasoning.value.toWellFormed(),
        })
        expect([unwritten.length, unwritten.isEmpty]).toEqual([0, true])
      }),
      { numRuns: 500 },
    )
  })

  it('takes the revisions and the chat along once, and again after a write that failed', () => {
    const owner = { replyId: 'reply' as ReplyId, conversationId: 'conversation' as ConversationId }
    const text = new ReplyText(owner, [{ name: 'x0', answerKept: 0, reasoningKept: 0 }], {
      answer: 'Hello',
      reasoning: '',
    })
    const unwritten = new UnwrittenText('session' as SessionId, text, 'fence')
    expect(unwritten.isEmpty).toBe(true)
    unwritten.recordChat('chat')
    unwritten.put({ kind: 'ANSWER', offset: 4, text: '' }, () => 'x1')
    const failed = unwritten.write(false)
    failed.ended(false)
    const again = unwritten.write(false)
    for (const { write } of [failed, again]) {
      expect(write).toMatchObject({
        answer: { offset: 4, text: '' },
        reasoning: undefined,
        chatId: 'chat',
      })
      expect(write.revisions?.map(({ name }) => name)).toEqual(['x0', 'x1'])
    }
    again.ended(true)
    expect(unwritten.isEmpty).toBe(true)
    expect(unwritten.write(true).write).toMatchObject({
      answer: undefined,
      revisions: undefined,
      chatId: undefined,
    })
  })

  it('is written again whole where the store has lost what it had, with its revisions and its chat', () => {
    const owner = { replyId: 'reply' as ReplyId, conversationId: 'conversation' as ConversationId }
    const text = new ReplyText(owner, [], { answer: '', reasoning: '' })
    const unwritten = new UnwrittenText('session' as SessionId, text, 'fence')
    unwritten.recordChat('chat')
    unwritten.put({ kind: 'ANSWER', offset: 0, text: 'right' }, () => 'first')
    unwritten.put({ kind: 'ANSWER', offset: 1, text: 'eal' }, () => 'second')
    const { write, ended } = unwritten.write(false)
    ended(true)
    unwritten.rewrite()
    expect(unwritten.write(false).write).toEqual(write)
    expect(write).toMatchObject({ chatId: 'chat', answer: { offset: 0, text: 'real' } })
    expect(write.revisions).toHaveLength(1)
  })
})
