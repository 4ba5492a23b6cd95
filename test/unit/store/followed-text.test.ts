import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConversationId, ReplyId } from '../../../src/domain.ts'
import { FollowedText, type TextNews } from '../../../src/store/followed-text.ts'

const owner = { replyId: 'r' as ReplyId, conversationId: 'c' as ConversationId }
const revisionOf = (name: string) => ({ name, answerKept: 0, reasoningKept: 0 })
const nothing = { from: 0, text: '' }

function news(from: number, text: string, ...names: readonly string[]): TextNews {
  const revisions = (names.length > 0 ? names : ['x0']).map(revisionOf)
  return { revisions, answer: { from, text }, reasoning: nothing }
}

describe('the text of a reply that runs elsewhere', () => {
  it('is never more or other than what was said, whatever is lost, doubled or late, and whole at the end', () => {
    const said = 'abcdefghijklmnopqrstuvwxyz'
    const part = fc.tuple(fc.nat(26), fc.nat(26)).map(([one, other]) => ({
      from: Math.min(one, other),
      text: said.slice(Math.min(one, other), Math.max(one, other)),
    }))
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const text = new FollowedText(owner)
        text.tell(news(0, ''))
        for (const { from, text: piece } of parts) {
          text.tell(news(from, piece))
          expect(said.startsWith(text.answer.value)).toBe(true)
        }
        text.tell(news(0, said))
        expect(text.answer.value).toBe(said)
      }),
    )
  })

  it('goes on with what came too early once the store has what is between', () => {
    const text = new FollowedText(owner)
    text.tell(news(0, 'one '))
    expect(text.tell(news(8, 'three '))).toBe(false)
    expect(text.tell(news(14, 'four'))).toBe(false)
    expect(text.answer.value).toBe('one ')
    expect(text.tell(news(4, 'two '))).toBe(true)
    expect(text.answer.value).toBe('one two three four')
  })

  it('keeps nothing of a revision that was taken back', () => {
    const text = new FollowedText(owner)
    text.tell(news(0, 'one '))
    text.tell(news(8, 'three'))
    text.tell(news(0, 'one', 'x0', 'y0'))
    expect(text.tell(news(3, ', done', 'x0', 'y0'))).toBe(true)
    expect(text.tell(news(4, 'two ', 'x0'))).toBe(false)
    expect(text.answer.value).toBe('one, done')
  })

  it('holds no more ahead of what is known than a bound', () => {
    const text = new FollowedText(owner)
    text.tell(news(0, ''))
    text.tell(news(1, 'x'.repeat(300_000)))
    text.tell(news(0, 'y'))
    expect(text.answer.value).toBe('y')
  })
})
