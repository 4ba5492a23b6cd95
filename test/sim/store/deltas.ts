import type { Delta, ReplyEvent } from '../../../src/domain.ts'
import { isHighSurrogate } from '../../../src/lib/surrogate.ts'
import { maxDeltaLength, type EventFilter } from '../../../src/store/log.ts'

type DeltaEvent = Extract<ReplyEvent, { readonly type: 'delta' }>

export function applyDelta(text: string, { offset, text: added }: Delta): string {
  return text.slice(0, offset) + added
}

/** Pieces of at most `maxDeltaLength`, none of which ends inside a surrogate pair. */
export function splitDelta({ kind, offset, text }: Delta): readonly Delta[] {
  if (text.length <= maxDeltaLength) return [{ kind, offset, text }]
  const cut = isHighSurrogate(text.charCodeAt(maxDeltaLength - 1))
    ? maxDeltaLength - 1
    : maxDeltaLength
  const rest = { kind, offset: offset + cut, text: text.slice(cut) }
  return [{ kind, offset, text: text.slice(0, cut) }, ...splitDelta(rest)]
}

/** What one read answers: neighbours merged, and no more text than was asked for. */
export function mergeBatch(
  events: Iterable<ReplyEvent>,
  filter: EventFilter,
  maxLength: number,
): readonly ReplyEvent[] {
  const batch: ReplyEvent[] = []
  let length = 0
  for (const event of events) {
    if (filter.replyId !== undefined && event.replyId !== filter.replyId) continue
    if (filter.conversationId !== undefined && event.conversationId !== filter.conversationId) {
      continue
    }
    const last = batch.at(-1)
    const merged = last && merge(last, event)
    const grown = length + lengthOf(merged ?? event) - (merged && last ? lengthOf(last) : 0)
    if (batch.length > 0 && grown > maxLength && grown > length) return batch
    length = grown
    if (merged === undefined) batch.push(event)
    else batch[batch.length - 1] = merged
  }
  return batch
}

/** Two neighbours as one under the second's position; undefined: they stay two. */
function merge(first: ReplyEvent, second: ReplyEvent): DeltaEvent | undefined {
  if (first.type !== 'delta' || second.type !== 'delta') return undefined
  if (first.replyId !== second.replyId || first.kind !== second.kind) return undefined
  if (second.offset <= first.offset) return second
  const text = first.text.slice(0, second.offset - first.offset) + second.text
  return text.length > maxDeltaLength ? undefined : { ...second, offset: first.offset, text }
}

function lengthOf(event: ReplyEvent): number {
  return event.type === 'delta' ? event.text.length : 0
}
