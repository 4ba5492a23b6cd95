import { isHighSurrogate } from '../../../src/lib/surrogate.ts'
import type { Complain } from './history.ts'

/** A text of which everything before `from` is not known: the reader came in the middle. */
export interface KnownText {
  readonly from: number
  readonly text: string
  /** The digest of `text`: comparing it leaves long texts the ropes that they are, which share their pieces. */
  readonly digest: number
}

export const nothing: KnownText = { from: 0, text: '', digest: 0 }

/** A text of which nobody knows how long it is. */
export const unknown: KnownText = { ...nothing, from: Infinity }

export function lengthOf({ from, text }: KnownText): number {
  return from + text.length
}

export function splice(
  known: KnownText,
  delta: { readonly offset: number; readonly text: string },
  correctable: boolean,
  complain: Complain,
): KnownText {
  const { offset, text } = delta
  if (!text.isWellFormed()) complain(4, 'splits a surrogate pair')
  const end = lengthOf(known)
  if (known.from < Infinity && offset < end && !correctable) {
    complain(4, `goes back to ${offset} of ${end} without a cause`)
  }
  if (offset < known.from) return append({ ...nothing, from: offset }, text)
  if (offset > end) complain(1, `leaves a gap: offset ${offset}, known length ${end}`)
  if (offset >= end) return append(known, text)
  const kept = known.text.slice(0, offset - known.from)
  if (isHighSurrogate(kept.charCodeAt(kept.length - 1))) {
    complain(4, `starts inside a surrogate pair: offset ${offset}`)
  }
  return append(append({ ...nothing, from: known.from }, kept), text)
}

export function append(known: KnownText, text: string): KnownText {
  let { digest } = known
  for (let at = 0; at < text.length; at += 1) digest = digestNext(digest, text.charCodeAt(at))
  return { from: known.from, text: known.text + text, digest }
}

function digestNext(digest: number, unit: number): number {
  return (Math.imul(digest ^ unit, 0x01000193) + 0x9e3779b9) | 0
}

/** The digests of all beginnings of a text, by their length. */
export function digestsOf(text: string): Int32Array {
  const digests = new Int32Array(text.length + 1)
  for (let at = 0; at < text.length; at += 1) {
    digests[at + 1] = digestNext(digests[at] ?? 0, text.charCodeAt(at))
  }
  return digests
}

/** Whether both are the same text, as far as both know it. */
export function agreeOnText(left: KnownText, right: KnownText): boolean {
  if (left.from > right.from) return agreeOnText(right, left)
  if (right.from === Infinity) return true
  if (left.from === right.from) {
    return left.text.length === right.text.length && left.digest === right.digest
  }
  return lengthOf(left) === lengthOf(right) && left.text.endsWith(right.text)
}
