import type { Delta, DeltaKind } from '../domain.ts'
import { isHighSurrogate } from '../lib/surrogate.ts'

/**
 * What readers have been shown of one kind of text, and the delta that takes them further.
 *
 * The text is the upstream's messages in first-seen order, joined by a blank line. Offsets never fall inside a surrogate
 * pair: half a character at the end of a delta waits for its other half.
 */
export interface Transcript {
  readonly text: string
  /** More text of a message; undefined when there is nothing to show, or the message had ended (`late`). */
  append(messageId: string, text: string): Delta | 'late' | undefined
  /** The whole text of a message, which is trusted over its deltas. `corrected`: it said something else than they did. */
  complete(
    messageId: string,
    text: string,
  ): { readonly delta: Delta | undefined; readonly corrected: boolean }
  /** What readers hold stays, whatever it was made of: what comes now follows it. */
  settle(): void
  /** The message that was seen last for the first time; undefined before there is one. */
  readonly last: { readonly id: string; readonly text: string } | undefined
}

interface Part {
  readonly id: string
  text: string
  /** A high surrogate whose other half is still to come. */
  held: string
  ended: boolean
}

const separator = '\n\n'

/** `shown`: what readers hold already, when a run is recovered. */
export function createTranscript(kind: DeltaKind, shown = ''): Transcript {
  const parts = new Map<string, Part>()
  let last: Part | undefined
  let text = shown
  /** False while `text` is not what the parts say: after recovery, until the first message is known. */
  let joined = shown === ''

  function find(messageId: string): Part {
    let part = parts.get(messageId)
    if (part === undefined) {
      part = { id: messageId, text: '', held: '', ended: false }
      parts.set(messageId, part)
      last = part
    }
    return part
  }

  /** The one delta from what is shown to what the parts say. */
  function correct(): Delta | undefined {
    const target = [...parts.values()]
      .map((part) => part.text)
      .filter((part) => part !== '')
      .join(separator)
    joined = true
    if (target === text) return undefined
    const offset = commonLength(text, target)
    text = target
    return { kind, offset, text: target.slice(offset) }
  }

  return {
    get text() {
      return text
    },
    get last() {
      return last && { id: last.id, text: last.text }
    },
    settle() {
      if (joined) return
      parts.clear()
      // No message is called so: what it was made of is not known any more.
      parts.set('', { id: '', text, held: '', ended: true })
      joined = true
    },
    append(messageId, added) {
      const part = find(messageId)
      if (part.ended) return 'late'
      let whole = part.held === '' ? added : part.held + added
      part.held = ''
      if (isHighSurrogate(whole.charCodeAt(whole.length - 1))) {
        part.held = whole.slice(-1)
        whole = whole.slice(0, -1)
      }
      if (whole === '') return undefined
      if (!whole.isWellFormed()) whole = whole.toWellFormed()
      const first = part.text === ''
      part.text += whole
      if (part !== last || !joined) return correct()
      const offset = text.length
      const shownNow = first && text !== '' ? separator + whole : whole
      text += shownNow
      return { kind, offset, text: shownNow }
    },
    complete(messageId, whole) {
      const part = find(messageId)
      const before = part.text
      part.ended = true
      part.held = ''
      part.text = whole.toWellFormed()
      if (before === part.text && joined) return { delta: undefined, corrected: false }
      return { delta: correct(), corrected: !part.text.startsWith(before) }
    },
  }
}

function commonLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length)
  let length = 0
  while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length++
  return length > 0 && isHighSurrogate(a.charCodeAt(length - 1)) ? length - 1 : length
}
