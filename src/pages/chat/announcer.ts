import { el, type View } from '../dom.ts'
import { words } from '../words/words.ts'
import { isOpen, type Turn } from './transcript.ts'

/** The end of a sentence, in English and Chinese. */
const sentenceEnd = /[.!?。！？\n]+\s*/g
const maxLines = 20

/**
 * Tells screen readers what grows on the page, sentence by sentence: a region that is read anew at each piece would never be
 * heard to its end.
 */
export function createAnnouncer() {
  const told = new Map<string, number>()
  let lines: readonly { readonly key: number; readonly text: string }[] = []
  let count = 0

  function say(text: string): void {
    count += 1
    lines = [...lines.slice(1 - maxLines), { key: count, text: text.trim() }]
  }

  return {
    announce({ replyId, reply }: Turn): void {
      if (!reply) return
      const state = reply.state.snapshot()
      const from = told.get(replyId) ?? 0
      const until = isOpen(state) ? endOfSentences(state.text) : state.text.length
      if (until > from) say(state.text.slice(from, until))
      told.set(replyId, Math.max(from, until))
      const { failure, question } = state
      if (failure) say(words().errors[failure.code])
      if (question) say(question.text)
      if (!isOpen(state)) told.delete(replyId)
    },
    view: (): View =>
      el(
        'div',
        { key: 'announcements', class: 'hidden', 'aria-live': 'polite' },
        ...lines.map(({ key, text }) => el('p', { key }, text)),
      ),
  }
}

function endOfSentences(text: string): number {
  const last = [...text.matchAll(sentenceEnd)].at(-1)
  return last ? last.index + last[0].length : 0
}
