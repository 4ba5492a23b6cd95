import type { Delta, DeltaKind } from '../domain.ts'
import { commonLength, isHighSurrogate } from '../lib/surrogate.ts'

/**
 * The text of one kind that readers have been shown, and the delta that takes them further.
 *
 * The text is the upstream's messages in first-seen order, joined by a blank line. One message is shown as it comes, the
 * first that has not ended; text of later messages waits until the ones before them have ended, so that nothing is shown
 * twice. The work is linear in the text that comes in. Offsets never fall inside a surrogate pair: half a character at
 * the end of a delta waits for its other half.
 *
 * ```
 *   ended │ ended │ shown as it comes │ waits │ waits
 * ```
 */
export interface Transcript {
  /** The text that readers hold. */
  readonly text: string
  /** More text of a message; undefined when there is nothing to show now, or the message had ended (`late`). */
  append(messageId: string, text: string): Delta | 'late' | undefined
  /**
   * The whole text of a message, which ends it and is trusted over its deltas. `corrected`: it said something else than
   * they did. `late`: the message had ended before.
   */
  complete(
    messageId: string,
    text: string,
  ): { readonly delta: Delta | undefined; readonly corrected: boolean } | 'late'
  /** Ends a message with the text that it has. */
  close(messageId: string): Delta | undefined
  /** Ends the wait for earlier messages: shows all that there is. Only the last message can still grow. */
  flush(): Delta | undefined
  /** The upstream tells the whole text again from its beginning: readers are shown what differs from what they hold. */
  restart(): void
  /** What readers hold stays, whatever it was made of: what comes now follows it. */
  settle(): void
  /** The last message in first-seen order that has text, else the last; undefined before there is one. */
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

export interface TranscriptOptions {
  readonly kind: DeltaKind
  /** The text that readers hold already, when a run is recovered: the upstream sends it again from its beginning. Default none. */
  readonly shown?: string
  /** Called with each id and text that the transcript keeps or shows from now on. It may throw; then the transcript is over. */
  readonly charge: (text: string) => void
}

export function createTranscript({ kind, shown = '', charge }: TranscriptOptions): Transcript {
  const parts = new Map<string, Part>()
  const order: Part[] = []
  /** The index of the part that is shown as it comes. */
  let front = 0
  /** The text of the parts before that one. Never cut: a correction costs no more than its own message. */
  let before = ''
  /** The text that readers hold, while the parts have said only a beginning of it. */
  let untold = shown === '' ? undefined : shown

  function find(messageId: string): Part {
    let part = parts.get(messageId)
    if (part === undefined) {
      charge(messageId)
      part = { id: messageId, text: '', held: '', ended: false }
      parts.set(messageId, part)
      order.push(part)
    }
    return part
  }

  /** Says `added` after the first `at` code units, and nothing else after them. */
  function say(at: number, added: string): Delta | undefined {
    if (untold === undefined) return { kind, offset: at, text: added }
    const same = commonLength(untold, at, added)
    if (same === added.length && at + same < untold.length) return undefined
    untold = undefined
    return same === added.length ? undefined : { kind, offset: at + same, text: added.slice(same) }
  }

  function separated(text: string): string {
    return text === '' || before === '' ? text : separator + text
  }

  /** The text of the part that is shown as it comes, with what separates it from `before`. */
  function current(): string {
    return separated(order[front]?.text ?? '')
  }

  /** As `current`, without making the string. */
  function currentLength(): number {
    const length = order[front]?.text.length ?? 0
    return length === 0 || before === '' ? length : length + separator.length
  }

  /** Goes on to the first part that has not ended; returns what waited for that. */
  function advance(): string {
    let waited = ''
    while (order[front]?.ended === true) {
      before += current()
      front += 1
      waited += current()
    }
    return waited
  }

  function showWaiting(): Delta | undefined {
    const at = before.length + currentLength()
    const waited = advance()
    return waited === '' ? undefined : say(at, waited)
  }

  return {
    get text() {
      return untold ?? before + current()
    },
    get last() {
      const last = order.findLast(({ text }) => text !== '') ?? order.at(-1)
      return last && { id: last.id, text: last.text }
    },
    append(messageId, added) {
      const part = find(messageId)
      if (part.ended) return 'late'
      let piece = part.held === '' ? added : part.held + added
      part.held = ''
      if (isHighSurrogate(piece.charCodeAt(piece.length - 1))) {
        part.held = piece.slice(-1)
        piece = piece.slice(0, -1)
      }
      if (piece === '') return undefined
      if (!piece.isWellFormed()) piece = piece.toWellFormed()
      charge(piece)
      const isFront = part === order[front]
      const at = isFront ? before.length + currentLength() : 0
      const news = part.text === '' ? separated(piece) : piece
      part.text += piece
      return isFront ? say(at, news) : undefined
    },
    complete(messageId, whole) {
      const part = find(messageId)
      if (part.ended) return 'late'
      const text = whole.toWellFormed()
      const known = part.text
      const corrected = !text.startsWith(known)
      part.text = text
      part.held = ''
      part.ended = true
      if (part !== order[front]) {
        charge(corrected ? text : text.slice(known.length))
        return { delta: undefined, corrected }
      }
      const common = corrected ? commonLength(known, 0, text) : known.length
      // What separates it from `before` is there as long as it has text.
      const isAnew = known === '' || text === ''
      const kept = isAnew ? 0 : (before === '' ? 0 : separator.length) + common
      const isCut = common < known.length
      const at = before.length + kept
      const added = isAnew ? separated(text) : text.slice(common)
      const isTold = untold === undefined
      if (isTold) charge(added)
      const news = added + advance()
      const delta = news === '' && !isCut ? undefined : say(at, news)
      if (!isTold && delta !== undefined) charge(delta.text)
      return { delta, corrected }
    },
    close(messageId) {
      find(messageId).ended = true
      return showWaiting()
    },
    flush() {
      for (const part of order.slice(front, -1)) part.ended = true
      const delta = showWaiting()
      const length = before.length + currentLength()
      if (untold === undefined || length === 0) return delta
      untold = undefined
      return { kind, offset: length, text: '' }
    },
    restart() {
      const held = untold ?? before + current()
      parts.clear()
      order.length = 0
      front = 0
      before = ''
      untold = held === '' ? undefined : held
    },
    settle() {
      if (untold === undefined) return
      before = untold
      untold = undefined
    },
  }
}
