import { createHmac } from 'node:crypto'
import type { Cursor, Position, ReplyId, SessionId, TextPlace } from '../domain.ts'

/**
 * The wire form of a {@link Position}, opaque to clients:
 *
 *     <tag>.<seq>.<check>[~<reply>.<revision>.<answer>.<reasoning>]…
 *
 * `check` is `-` before the first event. It begins with a letter, so that a cursor of the first edition (`<tag>.<epoch>.<seq>`)
 * is told from one of today.
 */
const form =
  /^([\w-]{10})\.(\d{1,15})\.([A-Za-z][\w-]{0,21}|-)((?:~[\w-]+\.[\w-]+\.\d{1,15}\.\d{1,15})*)$/
const firstEditionForm = /^([\w-]{10})\.\d{1,15}\.\d{1,15}$/
/** Longer ones were never given out: a session has a limited number of open replies. */
const maxLength = 8_192

/** Writes and reads the cursors of one session. */
export class CursorCodec {
  readonly #tag: string
  /** What the last cursor began with: most differ from the one before in their texts only. */
  #last: { readonly seq: number; readonly check: string; readonly head: string } | undefined

  /** `key` ties cursors to the installation; the tag is computed once, not per event. */
  constructor(key: string, sessionId: SessionId) {
    this.#tag = createHmac('sha256', key)
      .update(`cursor:${sessionId}`)
      .digest('base64url')
      .slice(0, 10)
  }

  encode({ seq, check, texts }: Position): Cursor {
    let last = this.#last
    if (last === undefined || last.seq !== seq || last.check !== check) {
      last = { seq, check, head: `${this.#tag}.${seq}.${check === '' ? '-' : check}` }
      this.#last = last
    }
    let cursor = last.head
    for (const { replyId, revision, answer, reasoning } of texts) {
      cursor += `~${replyId}.${revision}.${answer}.${reasoning}`
    }
    return cursor as Cursor
  }

  /** `expired`: it was given out for this session by the first edition. Undefined: this session was never given its like. */
  parse(text: string): Position | 'expired' | undefined {
    if (text.length > maxLength) return undefined
    const match = form.exec(text)
    if (match === null) {
      return firstEditionForm.exec(text)?.[1] === this.#tag ? 'expired' : undefined
    }
    const [, tag, seq, check = '', texts = ''] = match
    if (tag !== this.#tag || (Number(seq) === 0) !== (check === '-')) return undefined
    return { seq: Number(seq), check: check === '-' ? '' : check, texts: parseTexts(texts) }
  }
}

function parseTexts(texts: string): readonly TextPlace[] {
  if (texts === '') return []
  return texts
    .slice(1)
    .split('~')
    .map((place) => {
      const [replyId = '', revision = '', answer, reasoning] = place.split('.')
      const offsets = { answer: Number(answer), reasoning: Number(reasoning) }
      return { replyId: replyId as ReplyId, revision, ...offsets }
    })
}
