import type { Delta, ReplyEvent } from '../../domain.ts'
import { isHighSurrogate } from '../../lib/surrogate.ts'
import { maxDeltaLength } from '../log.ts'

export type DeltaEvent = Extract<ReplyEvent, { readonly type: 'delta' }>

/** Two deltas of one reply and kind, the second after the first, as one under the second's position. */
export function mergeDeltas(first: DeltaEvent, second: DeltaEvent): DeltaEvent {
  if (second.offset <= first.offset) return second
  const kept = first.text.slice(0, second.offset - first.offset)
  return { ...second, offset: first.offset, text: kept + second.text }
}

export function mergedLength(first: DeltaEvent, second: DeltaEvent): number {
  return Math.max(0, second.offset - first.offset) + second.text.length
}

export function areAlike(first: ReplyEvent, second: ReplyEvent): boolean {
  return (
    first.type === 'delta' &&
    second.type === 'delta' &&
    first.replyId === second.replyId &&
    first.kind === second.kind
  )
}

/**
 * The deltas of one reply and kind as few as `maxDeltaLength` allows, each under the position of the last one it holds.
 *
 * Whoever has read the originals up to any position and goes on with these ends with the same text. For what is left
 * after that position begins at some offset; all before that offset stems from originals that were read and never
 * changed afterwards; and the last original is always the last one left, so that no correction is missed.
 */
export function foldDeltas(deltas: readonly DeltaEvent[]): DeltaEvent[] {
  const folded: DeltaEvent[] = []
  for (const delta of deltas) {
    let last = folded.at(-1)
    while (last !== undefined && delta.offset <= last.offset) {
      folded.pop()
      last = folded.at(-1)
    }
    if (last === undefined) folded.push(delta)
    else if (mergedLength(last, delta) <= maxDeltaLength) {
      folded[folded.length - 1] = mergeDeltas(last, delta)
    } else {
      // A correction that no longer fits into one row leaves of the earlier row what it did not replace.
      folded[folded.length - 1] = { ...last, text: last.text.slice(0, delta.offset - last.offset) }
      folded.push(delta)
    }
  }
  return folded
}

/** The same events with the deltas of each reply and kind folded, in the order of their positions. */
export function foldEvents(events: readonly ReplyEvent[]): ReplyEvent[] {
  const others: ReplyEvent[] = []
  const groups = new Map<string, DeltaEvent[]>()
  for (const event of events) {
    if (event.type !== 'delta') {
      others.push(event)
      continue
    }
    const key = event.kind + event.replyId
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [event])
    else group.push(event)
  }
  return inOrder([...others, ...[...groups.values()].flatMap(foldDeltas)])
}

export function inOrder(events: ReplyEvent[]): ReplyEvent[] {
  return events.sort((a, b) => a.epoch - b.epoch || a.seq - b.seq)
}

/** Pieces of at most `maxDeltaLength`, none of which ends inside a surrogate pair. */
export function splitDelta(delta: Delta): readonly Delta[] {
  if (delta.text.length <= maxDeltaLength) return [delta]
  const pieces: Delta[] = []
  for (let from = 0; from < delta.text.length;) {
    let to = Math.min(from + maxDeltaLength, delta.text.length)
    if (to < delta.text.length && isHighSurrogate(delta.text.charCodeAt(to - 1))) to -= 1
    pieces.push({
      kind: delta.kind,
      offset: delta.offset + from,
      text: delta.text.slice(from, to),
    })
    from = to
  }
  return pieces
}
