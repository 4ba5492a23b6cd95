import type { Delta, TextPlace } from '../../../src/domain.ts'
import { isHighSurrogate } from '../../../src/lib/surrogate.ts'
import type { DiskFlaw } from './flaw.ts'

/** How much of the text before it a revision kept. */
export interface Revision {
  readonly name: string
  readonly answerKept: number
  readonly reasoningKept: number
}

/** A reply's text and where it was rewritten. */
export interface RevisedText {
  readonly answer: string
  readonly reasoning: string
  /** Oldest first; the last one is being written. */
  readonly revisions: readonly Revision[]
}

export const noText: RevisedText = { answer: '', reasoning: '', revisions: [] }

/** Begins a revision that keeps all that there is. */
export function beginRevision(text: RevisedText, name: string): RevisedText {
  const { answer, reasoning, revisions } = text
  const next = { name, answerKept: answer.length, reasoningKept: reasoning.length }
  return { answer, reasoning, revisions: [...revisions, next] }
}

/** @param newName names the revision that a correction begins. */
export function applyDelta(
  text: RevisedText,
  { kind, offset, text: added }: Delta,
  newName: () => string,
): RevisedText {
  const track = kind === 'ANSWER' ? 'answer' : 'reasoning'
  const before = text[track]
  if (offset > before.length) throw new RangeError('a delta leaves a gap')
  const changed = { ...text, [track]: before.slice(0, offset) + added }
  if (offset === before.length) return changed
  const { answer, reasoning } = text
  // What is kept never ends inside a character.
  const isInside = offset > 0 && isHighSurrogate(before.charCodeAt(offset - 1))
  const whole = isInside ? offset - 1 : offset
  const kept = { answer: answer.length, reasoning: reasoning.length, [track]: whole }
  const next = { name: newName(), answerKept: kept.answer, reasoningKept: kept.reasoning }
  return { ...changed, revisions: [...text.revisions, next] }
}

/** The delta that makes one text of another; undefined: they are the same. */
export function deltaBetween(before: string, after: string): Delta | undefined {
  if (before === after) return undefined
  let offset = 0
  while (offset < before.length && before[offset] === after[offset]) offset += 1
  if (offset > 0 && isHighSurrogate(before.charCodeAt(offset - 1))) offset -= 1
  return { kind: 'ANSWER', offset, text: after.slice(offset) }
}

/** Where a reader that stands at `place` goes on, in both tracks. */
export function resume(
  { revisions }: RevisedText,
  place: TextPlace | undefined,
  flaw?: DiskFlaw,
): Pick<TextPlace, 'answer' | 'reasoning'> {
  const at = revisions.findIndex(({ name }) => name === place?.revision)
  if (place === undefined || at < 0) return { answer: 0, reasoning: 0 }
  const all = revisions.slice(at + 1)
  const later = flaw === 'forgets-kept' ? all.slice(-1) : all
  return {
    answer: Math.min(place.answer, ...later.map(({ answerKept }) => answerKept)),
    reasoning: Math.min(place.reasoning, ...later.map(({ reasoningKept }) => reasoningKept)),
  }
}
