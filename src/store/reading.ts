import type { EventPlace, LogEvent, Position, ReplyEvent, TextPlace } from '../domain.ts'
import type { EventFilter, LogItem } from './log.ts'
import { type TextOwner, type TextStep, isSamePlace } from './reply-text.ts'

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

/** Readers at how many positions share their items. */
const maxShared = 8

/** Makes the positions that readers of one session's log are given: readers that stand at one position share one object. */
export class Positions {
  readonly #owner: object
  /** What was given out last, latest first. */
  #shared: { readonly from: Position; readonly item: LogItem }[] = []

  /** @param owner tells the positions that were given out for it from all others */
  constructor(owner: object) {
    this.#owner = owner
  }

  at({ seq, check }: EventPlace, texts: readonly TextPlace[] = none): Position {
    return new ReachedPosition(seq, check, texts, this.#owner)
  }

  /** The position of a reader that is given a delta of one of the replies that run there. */
  afterText(from: Position, { event, place }: TextStep, running: readonly TextOwner[]): LogItem {
    const shared = this.#find(from, event)
    if (shared !== undefined) return shared
    const others = from.texts.filter(({ replyId }) => replyId !== place.replyId)
    const position = this.at(from, [...stillRunning(others, running), place])
    return this.#share(from, { event, position })
  }

  /** The position of a reader that is given an event; `running` are the replies that run after it. */
  afterEvent(from: Position, event: LogEvent, running: readonly TextOwner[]): LogItem {
    const shared = this.#find(from, event)
    if (shared !== undefined) return shared
    return this.#share(from, {
      event,
      position: this.at(event, stillRunning(from.texts, running)),
    })
  }

  /** Lets go of what was given out last. */
  forget(): void {
    this.#shared = []
  }

  /** Whether this process has given the position out: the check of its event is then known to be right. */
  gaveOut(position: Position): boolean {
    return ReachedPosition.isOf(position, this.#owner)
  }

  #find(from: Position, event: LogItem['event']): LogItem | undefined {
    for (const { from: known, item } of this.#shared) {
      if (item.event === event && isSame(known, from)) return item
    }
    return undefined
  }

  #share(from: Position, item: LogItem): LogItem {
    if (this.#shared.length === maxShared) this.#shared.pop()
    this.#shared.unshift({ from, item })
    return item
  }
}

class ReachedPosition implements Position {
  readonly seq: number
  readonly check: string
  readonly texts: readonly TextPlace[]
  readonly #owner: object

  constructor(seq: number, check: string, texts: readonly TextPlace[], owner: object) {
    this.seq = seq
    this.check = check
    this.texts = texts
    this.#owner = owner
  }

  static isOf(position: Position, owner: object): boolean {
    return #owner in position && position.#owner === owner
  }
}

const none: readonly TextPlace[] = []

function stillRunning(
  texts: readonly TextPlace[],
  running: readonly TextOwner[],
): readonly TextPlace[] {
  if (texts.length === 0) return none
  return texts.filter(({ replyId }) => running.some((text) => text.replyId === replyId))
}

function isSame(one: Position, other: Position): boolean {
  if (one === other) return true
  if (one.seq !== other.seq || one.check !== other.check) return false
  if (one.texts.length !== other.texts.length) return false
  return one.texts.every((text, index) => {
    const same = other.texts[index]
    return same !== undefined && isSamePlace(text, same)
  })
}
