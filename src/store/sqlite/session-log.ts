import type { ReplyEvent, ReplyId, SessionId } from '../../domain.ts'
import { textLength } from './batch.ts'
import { foldEvents, type DeltaEvent } from './deltas.ts'
import { toPlace, type Place } from './place.ts'

/** An event that is committed but not yet on disk: it and all after it wait to be shown. */
export interface Held {
  readonly event: ReplyEvent
  ready: boolean
}

/** Events that stay as they were appended, for readers that are nearly at the end. */
const freshEvents = 128
const minFoldLimit = 512

/**
 * One session's end of the log in memory.
 *
 * ```
 *   … table `events` …  │ memoryFrom │  events  │ end │  held  │ seq
 *        on disk        │   all that readers may see │ waits for the disk
 * ```
 * Positions are handed out in order, and shown in that order: a reader never meets a position and later a lower one.
 */
export class SessionLog {
  readonly sessionId: SessionId
  readonly epoch: number
  readonly wakes = new Set<() => void>()
  /** The last sequence number handed out in this epoch, whether it was used or not. */
  seq: number
  /** The last position shown. */
  end: Place
  /** All events after this place and up to `end` are in memory; all others are in the table. */
  memoryFrom: Place
  /** Events up to this place are gone for good. */
  trimmedTo: Place
  /** Replies that run: their deltas are nowhere but here and in the journal. */
  running = 0
  /** What is in memory: code units of text, an event itself counted as some. */
  length = 0
  /** What `length` was when the table was last asked for what it holds. */
  restoredLength = 0
  #events: ReplyEvent[] = []
  #held: Held[] = []
  #foldLimit = minFoldLimit

  constructor(sessionId: SessionId, epoch: number, seq: number, trimmedTo: Place) {
    this.sessionId = sessionId
    this.epoch = epoch
    this.seq = seq
    this.end = toPlace({ epoch, seq })
    this.memoryFrom = this.end
    this.trimmedTo = trimmedTo
  }

  /** Nothing of it is in memory only. */
  get isQuiet(): boolean {
    return this.running === 0 && this.#held.length === 0
  }

  nextSeq(): number {
    this.seq += 1
    return this.seq
  }

  /** Shows an event, unless one before it is held. The caller wakes the readers. */
  show(event: ReplyEvent): void {
    if (this.#held.length > 0) this.#held.push({ event, ready: true })
    else this.#add(event)
  }

  hold(event: ReplyEvent): Held {
    const held: Held = { event, ready: false }
    this.#held.push(held)
    return held
  }

  release(held: Held): void {
    held.ready = true
    this.#showReady()
  }

  #showReady(): void {
    let count = 0
    for (const each of this.#held) {
      if (!each.ready) break
      this.#add(each.event)
      count += 1
    }
    this.#held.splice(0, count)
    if (count > 0) this.wake()
  }

  /** Takes back an event that is held, since its reply has not ended after all. */
  withdraw(replyId: ReplyId): void {
    this.#held = this.#held.filter(({ event }) => event.replyId !== replyId)
    this.#showReady()
  }

  wake(): void {
    for (const wake of this.wakes) wake()
  }

  /** Gives the events after `place` in order until `take` says no. */
  read(place: Place, take: (event: ReplyEvent) => boolean): void {
    for (let index = this.#indexAfter(place); index < this.#events.length; index += 1) {
      const event = this.#events[index]
      if (event === undefined || !take(event)) return
    }
  }

  /** All deltas of a reply, shown or held. */
  deltasOf(replyId: ReplyId): DeltaEvent[] {
    const deltas: DeltaEvent[] = []
    const add = (event: ReplyEvent) => {
      if (event.type === 'delta' && event.replyId === replyId) deltas.push(event)
    }
    for (const event of this.#events) add(event)
    for (const { event } of this.#held) add(event)
    return deltas
  }

  /** Puts `events`, all that there are after `from`, in the place of what was in memory. */
  replace(from: Place, events: ReplyEvent[]): void {
    this.memoryFrom = from
    this.#events = events
    this.length = events.reduce((sum, event) => sum + sizeOf(event), 0)
    this.#foldLimit = Math.max(minFoldLimit, events.length * 2)
  }

  /** The shown deltas of replies that still run. */
  deltasWhere(runs: (replyId: ReplyId) => boolean): ReplyEvent[] {
    return this.#events.filter((event) => event.type === 'delta' && runs(event.replyId))
  }

  forgetUpTo(place: Place): void {
    const first = this.#indexAfter(place)
    this.replace(Math.max(place, this.memoryFrom), this.#events.slice(first))
  }

  /** Deletes replies that have ended: what of them was still to be shown never will be. */
  forget(isGone: (event: ReplyEvent) => boolean): void {
    this.#held = this.#held.filter(({ event }) => !isGone(event))
    this.replace(
      this.memoryFrom,
      this.#events.filter((event) => !isGone(event)),
    )
  }

  #add(event: ReplyEvent): void {
    this.#events.push(event)
    this.end = toPlace(event)
    this.length += sizeOf(event)
    if (this.#events.length > this.#foldLimit) this.#fold()
  }

  #fold(): void {
    const older = foldEvents(this.#events.slice(0, -freshEvents))
    this.replace(this.memoryFrom, [...older, ...this.#events.slice(-freshEvents)])
  }

  #indexAfter(place: Place): number {
    let high = this.#events.length
    // Readers are mostly at the end or one before it.
    for (let near = 0; near < 4 && high > 0; near += 1) {
      const event = this.#events[high - 1]
      if (event === undefined || toPlace(event) <= place) return high
      high -= 1
    }
    let low = 0
    while (low < high) {
      const middle = (low + high) >>> 1
      const event = this.#events[middle]
      if (event !== undefined && toPlace(event) <= place) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** An event without any text takes about as much memory as so many code units. */
const eventLength = 100

function sizeOf(event: ReplyEvent): number {
  return textLength(event) + eventLength
}
