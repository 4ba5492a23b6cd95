import type { EventPlace, LogEvent, Position, ReplyEvent, TextPlace } from '../domain.ts'
import type { EventFilter, LogItem } from './log.ts'
import type { Positions } from './positions.ts'
import type { TextOwner, TextStep } from './reply-text.ts'

/** A text that readers are given deltas of. */
export interface ReadableText extends TextOwner {
  next(from: TextPlace | undefined): TextStep | undefined
}

/** A place of a session's log that a reader may stand at, and what is read there. */
export interface LogEntry {
  readonly place: EventPlace
  /** Undefined: it was deleted, or is not known here. */
  readonly event: LogEvent | undefined
  /** The texts of the replies that run after the event, in the order in which they started. */
  readonly running: readonly ReadableText[]
}

/** One answer to a reader has no more items than this. */
const maxItems = 256

/**
 * What comes after a position that is at the first of the entries: what is new of the text of each reply that runs there,
 * then the next event that the filter lets through, and so on up to the last entry. At least one item if there is any;
 * beyond that at most `maxLength` code units of text.
 */
export function readItems(
  entries: readonly LogEntry[],
  first: number,
  positions: Positions,
  after: Position,
  filter: EventFilter,
  maxLength: number,
): readonly LogItem[] {
  const items: LogItem[] = []
  let room = maxLength
  let position = after

  function hasRoom(event: ReplyEvent): boolean {
    const length = textLength(event)
    if (items.length > 0 && (length > room || items.length === maxItems)) return false
    room -= length
    return true
  }

  /** False: there is no room for all of it. */
  function takeTexts(running: readonly ReadableText[]): boolean {
    for (const text of running) {
      if (!isWanted(filter, text)) continue
      for (;;) {
        const step = text.next(placeIn(position, text))
        if (step === undefined) break
        if (!hasRoom(step.event)) return false
        const item = positions.afterText(position, step, running)
        items.push(item)
        position = item.position
      }
    }
    return true
  }

  const start = entries[first]
  if (start === undefined || !takeTexts(start.running)) return items
  for (let index = first + 1; index < entries.length; index += 1) {
    const { event, running } = entries[index] ?? start
    if (event === undefined || !isWanted(filter, event)) continue
    if (!hasRoom(event)) break
    const item = positions.afterEvent(position, event, running)
    items.push(item)
    position = item.position
    if (!takeTexts(running)) break
  }
  return items
}

export function isWanted({ replyId, conversationId }: EventFilter, of: TextOwner): boolean {
  return (
    (replyId === undefined || of.replyId === replyId) &&
    (conversationId === undefined || of.conversationId === conversationId)
  )
}

/** The text that an event takes to a reader, in UTF-16 code units. */
export function textLength(event: ReplyEvent): number {
  return event.type === 'delta' || event.type === 'completed' ? event.text.length : 0
}

export function placeIn({ texts }: Position, { replyId }: TextOwner): TextPlace | undefined {
  for (const text of texts) if (text.replyId === replyId) return text
  return undefined
}
