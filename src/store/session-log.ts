import type { EventPlace, LogEvent, Position, ReplyId, SessionId, TextPlace } from '../domain.ts'
import type { EventFilter, ReadResult } from './log.ts'
import { Positions, readItems, textLength, type LogEntry } from './reading.ts'
import type { ReplyText } from './reply-text.ts'

interface Entry extends LogEntry {
  readonly running: readonly ReplyText[]
  /** Memory, in code units: of the event, and of the text that it ended. */
  readonly size: number
}

/** An event without any text takes about as much memory as so many code units. */
const eventLength = 100

/**
 * The end of one session's log in memory: the last events, and the texts of the replies that run or have ended since.
 *
 * ```
 *   … events on disk …  │ first entry │ … entries … │ last entry     new text of what runs
 *                       └─ readers at any of these are served at once ─┘
 * ```
 * Every reply that runs is here, whether its `started` event was shown or not.
 */
export class SessionLog {
  readonly sessionId: SessionId
  readonly positions: Positions
  readonly wakes = new Set<() => void>()
  /** What is in memory beside running texts: code units, an event itself counted as some. */
  length = 0
  #entries: Entry[] = []
  /** Those that run after the last entry. */
  #running: readonly ReplyText[] = none
  /** Claimed; their `started` event is not shown yet. */
  readonly #claimed = new Map<ReplyId, ReplyText>()

  constructor(sessionId: SessionId, owner: object) {
    this.sessionId = sessionId
    this.positions = new Positions(owner)
  }

  get isBusy(): boolean {
    return this.#running.length > 0 || this.#claimed.size > 0
  }

  /** The place of the last event that was shown; undefined: it is not known here. */
  get end(): EventPlace | undefined {
    return this.#entries.at(-1)?.place
  }

  /** Where a reader stands that wants only what comes now. */
  get endPosition(): Position | undefined {
    const { end } = this
    if (end === undefined) return undefined
    const texts = this.#running.filter(({ length }) => length > 0).map(toEnd)
    return this.positions.at(end, texts)
  }

  /** A reply that runs from now on, or already did when the store was opened. */
  run(text: ReplyText, isStarted: boolean): void {
    if (isStarted) this.#running = [...this.#running, text]
    else this.#claimed.set(text.replyId, text)
  }

  /** The last event of the log, in case that nothing of it is in memory. */
  know(end: EventPlace): void {
    if (this.#entries.length === 0) this.#entries.push(this.#stub(end))
  }

  show(event: LogEvent): void {
    const { seq, check, replyId } = event
    let length = textLength(event)
    if (event.type === 'started') {
      const text = this.#claimed.get(replyId)
      this.#claimed.delete(replyId)
      if (text !== undefined) this.#running = [...this.#running, text]
    } else if (event.type !== 'action-required') {
      const text = this.#running.find((running) => running.replyId === replyId)
      this.#claimed.delete(replyId)
      if (text !== undefined) {
        text.end()
        // The text of a completed one is the answer.
        length = text.length
        this.#running = this.#running.filter((running) => running !== text)
      }
    }
    const size = eventLength + length
    this.#entries.push({ place: { seq, check }, event, running: this.#running, size })
    this.length += size
  }

  wake(): void {
    for (const wake of this.wakes) wake()
  }

  /** Undefined: the position is not in memory. */
  read(after: Position, filter: EventFilter, maxLength: number): ReadResult | undefined {
    const index = this.#indexOf(after.seq)
    const entry = this.#entries[index]
    if (entry === undefined) return this.#isBeyond(after) ? 'expired' : undefined
    if (entry.place.check !== after.check) return 'expired'
    return readItems(this.#entries, index, this.positions, after, filter, maxLength)
  }

  /** Undefined: it is not known here. */
  check(place: EventPlace): 'ok' | 'expired' | undefined {
    const entry = this.#entries[this.#indexOf(place.seq)]
    if (entry === undefined) return this.#isBeyond(place) ? 'expired' : undefined
    return entry.place.check === place.check ? 'ok' : 'expired'
  }

  /** The place before the `started` event of a reply; undefined: it is not known here. */
  startOf(replyId: ReplyId): EventPlace | undefined {
    const started = this.#entries.findLastIndex(
      ({ event }) => event?.type === 'started' && event.replyId === replyId,
    )
    return this.#entries[started - 1]?.place
  }

  /** The text of a reply is not to be read here any more: what is on disk is another. */
  drop(text: ReplyText): void {
    // Of one that has not started there is nothing to be read.
    if (this.#claimed.delete(text.replyId)) return
    this.#running = this.#running.filter((running) => running !== text)
    this.forget()
  }

  /** Lets go of all before the last event, and of that: it is read from disk. */
  forget(): void {
    const { end } = this
    this.#entries = end === undefined ? [] : [this.#stub(end)]
    this.length = 0
    this.positions.forget()
  }

  /** Lets go of the oldest entries until what is left has at most this length. */
  shrink(maxLength: number): void {
    let count = 0
    for (; count < this.#entries.length - 1 && this.length > maxLength; count += 1) {
      this.length -= this.#entries[count]?.size ?? 0
    }
    this.#entries.splice(0, count)
    this.positions.forget()
  }

  /** The events up to a place are gone for good. */
  trim(upTo: EventPlace): void {
    const { end } = this
    if (end === undefined) return
    if (end.seq <= upTo.seq) {
      this.forget()
      return
    }
    const index = this.#entries.findIndex(({ place }) => place.seq > upTo.seq)
    const last = this.#entries[index - 1]
    if (last === undefined) return
    for (const { size } of this.#entries.slice(0, index)) this.length -= size
    this.#entries.splice(0, index, { ...last, event: undefined, size: 0 })
    this.positions.forget()
  }

  /** The text of a reply that runs. */
  text(replyId: ReplyId): ReplyText | undefined {
    return this.#running.find((text) => text.replyId === replyId) ?? this.#claimed.get(replyId)
  }

  #stub(place: EventPlace): Entry {
    return { place, event: undefined, running: this.#running, size: 0 }
  }

  #isBeyond({ seq }: EventPlace): boolean {
    const { end } = this
    return end !== undefined && seq > end.seq
  }

  #indexOf(seq: number): number {
    let high = this.#entries.length - 1
    // Readers are mostly at the end.
    if (this.#entries[high]?.place.seq === seq) return high
    let low = 0
    while (low <= high) {
      const middle = (low + high) >>> 1
      const found = this.#entries[middle]?.place.seq ?? 0
      if (found === seq) return middle
      if (found < seq) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

const none: readonly ReplyText[] = []

function toEnd(text: ReplyText): TextPlace {
  const { replyId, revisions, answer, reasoning } = text
  return {
    replyId,
    revision: revisions.at(-1)?.name ?? '',
    answer: answer.wholeLength,
    reasoning: reasoning.wholeLength,
  }
}
