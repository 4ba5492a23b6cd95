import type { EventPlace, LogEvent, Position, ReplyId, SessionId, TextPlace } from '../domain.ts'
import { FollowedText, type TextNews } from './followed-text.ts'
import type { EventFilter, ReadResult } from './log.ts'
import { placeIn, Positions, readItems, textLength, type LogEntry } from './reading.ts'
import type { ReplyText, TextOwner } from './reply-text.ts'

interface Entry extends LogEntry {
  readonly running: readonly LoggedText[]
  /** Memory, in code units: of the event, and of the text that it ended. */
  readonly size: number
}

type LoggedText = ReplyText | FollowedText

/** A reply that runs after an event. */
export interface RunningReply {
  readonly replyId: ReplyId
  readonly conversationId: LogEvent['conversationId']
}

/** A reply that runs, and what is new of one that runs elsewhere. */
export interface FollowedReply extends RunningReply {
  /** Undefined: it runs here. */
  readonly text: TextNews | undefined
  /** The name of the instance that runs it. */
  readonly instance: string
}

/** What a session's log is at one moment, as the store has it. */
export interface SessionSnapshot {
  readonly sessionId: SessionId
  readonly end: EventPlace
  /** It changes when events are taken away that somebody may have in memory. */
  readonly mark: string
  /** What runs after the last event. */
  readonly running: readonly FollowedReply[]
}

/** Texts that are heard of before their start is known here. */
const maxHeard = 4
/** An event without any text takes about as much memory as so many code units. */
const eventLength = 100

/**
 * The end of one session's log in memory: the last events, and the texts of the replies that run or have ended since.
 *
 * ```
 *   … events on disk …  │ first entry │ … entries … │ last entry     new text of what runs
 *                       └─ readers at any of these are served at once ─┘
 * ```
 * Every reply that runs here is here, whether its `started` event was shown or not. What runs after an event follows from
 * the events up to it; where other instances write in the session as well, whoever tells an event tells that too, and the
 * texts of replies that run elsewhere are followed.
 */
export class SessionLog {
  readonly sessionId: SessionId
  readonly positions: Positions
  readonly wakes = new Set<() => void>()
  /** What is in memory beside running texts: code units, an event itself counted as some. */
  length = 0
  #entries: Entry[] = []
  /** Those that run after the last entry. */
  #running: readonly LoggedText[] = none
  /** Those that run here. */
  readonly #own = new Map<ReplyId, ReplyText>()
  /** Those of which another instance told something before their start was known here. */
  #heard: readonly FollowedText[] = []
  #mark: string | undefined

  readonly #isShared: boolean

  /** @param isShared other instances write in the session as well */
  constructor(sessionId: SessionId, owner: object, isShared: boolean) {
    this.sessionId = sessionId
    this.#isShared = isShared
    this.positions = new Positions(owner)
  }

  get isBusy(): boolean {
    return this.#running.length > 0 || this.runsHere
  }

  get runsHere(): boolean {
    return this.#own.size > 0
  }

  /** The place of the last event that is known here; undefined: none is. */
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

  /** The texts of replies that run on other instances. */
  get followed(): readonly FollowedText[] {
    return this.#running.filter((text) => text instanceof FollowedText)
  }

  /** A reply that runs here from now on; `isStarted`: its `started` event was shown before. */
  run(text: ReplyText, isStarted: boolean): void {
    const { replyId } = text
    this.#own.set(replyId, text)
    if (!isStarted) return
    if (this.#running.some((running) => running.replyId === replyId)) {
      this.#replace(text)
    } else if (this.end === undefined) this.#running = [...this.#running, text]
    // Its start is not known here yet, nor what came before it.
    else this.#forgetAll()
  }

  /**
   * The last event of the log, in case that nothing of it is in memory. `running`: what runs after it; undefined: what runs
   * here.
   */
  know(end: EventPlace, running?: readonly RunningReply[]): void {
    if (this.#entries.length > 0) return
    if (running !== undefined) this.#running = this.#textsOf(running)
    this.#entries.push(this.#stub(end))
  }

  /**
   * What the store has, where others write in the session as well. Events that are new are read from disk. True: there may be
   * more to read.
   * @param asked the end that was known when the store was asked
   */
  follow({ end, mark, running }: SessionSnapshot, asked: EventPlace | undefined): boolean {
    if (this.#mark !== undefined && this.#mark !== mark) this.forget()
    this.#mark = mark
    const known = this.end
    // The store has lost what it had told.
    const isLost =
      asked !== undefined &&
      (end.seq < asked.seq || (end.seq === asked.seq && end.check !== asked.check))
    let isNew = known === undefined || end.seq > known.seq || isLost
    if (isNew) {
      const texts = this.#textsOf(running)
      this.#forgetAll()
      this.#running = texts
      this.#heard = this.#heard.filter((text) => !texts.includes(text))
      this.#entries.push(this.#stub(end))
    }
    const { followed } = this
    for (const { replyId, text: news } of running) {
      const text = followed.find((one) => one.replyId === replyId)
      if (news !== undefined && text?.tell(news) === true) isNew = true
    }
    return isNew
  }

  /** What another instance tells of a text that it writes, ahead of the store. True: there is more to read. */
  hear(owner: TextOwner, news: TextNews): boolean {
    const { replyId } = owner
    if (this.#own.has(replyId)) return false
    const isIts = (text: FollowedText) => text.replyId === replyId
    const followed = this.followed.find(isIts)
    if (followed !== undefined) return followed.tell(news)
    const heard = this.#heard.find(isIts) ?? new FollowedText(owner)
    heard.tell(news)
    this.#heard = [...this.#heard.filter((text) => text !== heard), heard].slice(-maxHeard)
    return false
  }

  /** @param running what runs after the event; undefined: what ran before it, and what it begins or ends */
  show(event: LogEvent, running?: readonly RunningReply[]): void {
    const { seq, check, replyId } = event
    const own = this.#own.get(replyId)
    const isEnd = event.type !== 'started' && event.type !== 'action-required'
    if (isEnd) {
      own?.end()
      this.#own.delete(replyId)
    }
    const { end } = this
    // It was met in the store before its writer was answered.
    if (running !== undefined && end !== undefined && seq <= end.seq) return
    const isNext = end === undefined || seq === end.seq + 1
    const before = this.#running
    this.#running = running === undefined ? this.#runningAfter(event, own) : this.#textsOf(running)
    const isElsewhere = before.some((text) => text.replyId === replyId && text !== own)
    if (running !== undefined && (!isNext || end === undefined || (isEnd && isElsewhere))) {
      // Others have written before it; or what came before it of the text is on disk alone.
      this.#entries = [this.#stub({ seq, check })]
      this.length = 0
      this.positions.forget()
      return
    }
    // The text of a completed one is the answer.
    const length = isEnd && own !== undefined ? own.length : textLength(event)
    const size = eventLength + length
    this.#entries.push({ place: { seq, check }, event, running: this.#running, size })
    this.length += size
  }

  wake(): void {
    for (const wake of this.wakes) wake()
  }

  /** Lets go of what others run: nobody asks for it. */
  unfollow(): void {
    this.#heard = []
    if (this.followed.length > 0) this.#forgetAll()
  }

  /** Undefined: the position is not in memory. */
  read(after: Position, filter: EventFilter, maxLength: number): ReadResult | undefined {
    const index = this.#indexOf(after.seq)
    const entry = this.#entries[index]
    if (entry === undefined) return this.#isBeyond(after) ? 'expired' : undefined
    if (entry.place.check !== after.check) return 'expired'
    // A reader may have met a newer revision elsewhere than the one that is followed here.
    const isNewer = (text: LoggedText) =>
      text instanceof FollowedText && !text.knows(placeIn(after, text))
    if (this.#running.some(isNewer)) return undefined
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

  /** The text of a reply is not to be read here any more: what is on disk is another, and may be another instance's. */
  drop(text: ReplyText): void {
    const isOwn = this.#own.get(text.replyId) === text
    if (isOwn) this.#own.delete(text.replyId)
    const isShown = this.#running.includes(text)
    // Of one that has not started there is nothing to be read.
    if (isOwn && !isShown) return
    if (isShown && this.#isShared) this.#replace(new FollowedText(text))
    else this.#running = this.#running.filter((running) => running !== text)
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

  /** The text of a reply that runs here. */
  text(replyId: ReplyId): ReplyText | undefined {
    return this.#own.get(replyId)
  }

  #runningAfter(event: LogEvent, own: ReplyText | undefined): readonly LoggedText[] {
    if (event.type === 'action-required') return this.#running
    if (event.type === 'started') return own === undefined ? this.#running : [...this.#running, own]
    return this.#running.filter(({ replyId }) => replyId !== event.replyId)
  }

  #textsOf(running: readonly RunningReply[]): readonly LoggedText[] {
    return running.map(
      (reply) =>
        this.#own.get(reply.replyId) ??
        [...this.followed, ...this.#heard].find(({ replyId }) => replyId === reply.replyId) ??
        new FollowedText(reply),
    )
  }

  /** The text of a reply that runs is this one from now on. */
  #replace(text: LoggedText): void {
    this.#running = this.#running.map((old) => (old.replyId === text.replyId ? text : old))
    this.forget()
  }

  #forgetAll(): void {
    this.#entries = []
    this.#running = this.#running.filter((text) => this.#own.get(text.replyId) === text)
    this.length = 0
    this.positions.forget()
  }

  #stub(place: EventPlace): Entry {
    return { place, event: undefined, running: this.#running, size: 0 }
  }

  /** Others may have gone further. */
  #isBeyond({ seq }: EventPlace): boolean {
    const { end } = this
    return !this.#isShared && end !== undefined && seq > end.seq
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

const none: readonly LoggedText[] = []

function toEnd(text: LoggedText): TextPlace {
  const { replyId, revisions, answer, reasoning } = text
  return {
    replyId,
    revision: revisions.at(-1)?.name ?? '',
    answer: answer.wholeLength,
    reasoning: reasoning.wholeLength,
  }
}
