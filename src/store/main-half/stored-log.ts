import type {
  ConversationId,
  DeltaKind,
  EventPlace,
  Position,
  ReplyId,
  TextPlace,
} from '../../domain.ts'
import { sliceEnd } from '../../lib/surrogate.ts'
import { maxDeltaLength, type EventFilter, type ReadResult } from '../log.ts'
import { placeIn, readItems, type LogEntry, type ReadableText } from '../reading.ts'
import {
  nextStep,
  ReplyText,
  resume,
  type TextRevision,
  type TextStep,
  type TextView,
  type TrackView,
} from '../reply-text.ts'
import type { SessionLog } from '../session-log.ts'
import { toLogEvent } from './leases.ts'
import type { LoggedReply, LogPage, StoredEvent, TextPiece } from './stored.ts'
import type { EngineClient } from './engine-client.ts'

/** Events that are read at once. */
const pageLength = 64

/** Reads what is not in memory any more: events, and the pieces of texts that one answer to a reader has room for. */
export class StoredLog {
  readonly #client: EngineClient
  /** Readers who ask for the same at once share one answer. */
  readonly #reads = new Map<string, Promise<ReadResult>>()

  readonly #isAlone: boolean

  /** @param isAlone nobody else writes: the end of what is read is the end of the log */
  constructor(client: EngineClient, isAlone: boolean) {
    this.#client = client
    this.#isAlone = isAlone
  }

  read(
    log: SessionLog,
    after: Position,
    filter: EventFilter,
    maxLength: number,
  ): Promise<ReadResult> {
    const isKnown = log.positions.gaveOut(after)
    const key = JSON.stringify([log.sessionId, after, isKnown, filter, maxLength])
    let read = this.#reads.get(key)
    if (read === undefined) {
      read = this.#read(log, after, isKnown, filter, maxLength).finally(() =>
        this.#reads.delete(key),
      )
      this.#reads.set(key, read)
    }
    return read
  }

  async #read(
    log: SessionLog,
    after: Position,
    isKnown: boolean,
    filter: EventFilter,
    maxLength: number,
  ): Promise<ReadResult> {
    const { sessionId, positions } = log
    const { seq, check } = after
    const args = { sessionId, after: { seq, check }, isKnown, filter, limit: pageLength }
    const plan = await this.#client.call('readLog', args, (page) => {
      if (page === 'expired') return page
      if (page.isEnd && this.#isAlone) log.know(page.readTo)
      return new PlannedPage(page, log, after, maxLength)
    })
    if (plan === 'expired') return plan
    const { needs } = plan
    if (needs.length > 0) {
      // What a reader is given from its beginning is needed once more by the event that ends it.
      const keyOf = (piece: TextPiece) => JSON.stringify(piece)
      const pieces = new Map(needs.map(({ piece }) => [keyOf(piece), piece]))
      const read = await this.#client.call('readTexts', { sessionId, pieces: [...pieces.values()] })
      const texts = new Map([...pieces.keys()].map((key, index) => [key, read[index] ?? '']))
      const isWhole = needs.every(({ piece, fill }) => {
        const text = texts.get(keyOf(piece)) ?? ''
        fill(text)
        return text.length === piece.to - piece.from
      })
      // A reply was deleted meanwhile, and its events with it.
      if (!isWhole) return this.#read(log, after, isKnown, filter, maxLength)
    }
    const items = readItems(plan.toEntries(), 0, positions, after, filter, maxLength)
    if (items.length > 0 || plan.isEnd) return items
    const next = positions.at(plan.readTo, after.texts)
    return this.#read(log, next, true, filter, maxLength)
  }
}

/** A piece of a text that has to be read, and where it goes. */
interface Need {
  readonly piece: TextPiece
  readonly fill: (text: string) => void
}

/** A page of the log, and what has to be read of its texts: planned by their lengths, in the order in which they are read. */
class PlannedPage {
  readonly needs: Need[] = []
  readonly readTo: EventPlace
  readonly isEnd: boolean
  readonly #after: EventPlace
  readonly #texts = new Map<ReplyId, ReplyText | StoredText>()
  readonly #running: readonly ReadableText[]
  readonly #events: PlannedEvent[] = []
  /** Code units that may be needed: what the answer has room for, and a delta that exceeds it. */
  #room: number

  constructor(page: LogPage, log: SessionLog, after: Position, maxLength: number) {
    this.readTo = page.readTo
    this.isEnd = page.isEnd
    this.#after = after
    this.#room = maxLength + maxDeltaLength
    const ended = new Set(page.events.filter(isTerminal).map(({ replyId }) => replyId))
    for (const reply of page.replies) {
      const { replyId } = reply
      // Of one that has ended the text is what is stored: whoever ran it here may have lost it.
      const own = ended.has(replyId) ? undefined : log.text(replyId)
      this.#texts.set(replyId, own ?? new StoredText(reply))
    }
    this.#running = page.running.flatMap((replyId) => this.#texts.get(replyId) ?? [])
    for (const text of this.#running) this.#needRest(text.replyId, placeIn(after, text))
    for (const event of page.events) if (!this.#plan(event)) break
  }

  toEntries(): readonly LogEntry[] {
    let running = this.#running
    const entries: LogEntry[] = [{ place: this.#after, event: undefined, running }]
    for (const { event, answer } of this.#events) {
      const { seq, check, replyId } = event
      if (event.type === 'started') {
        const text = this.#texts.get(replyId)
        if (text !== undefined) running = [...running, text]
      } else if (event.type !== 'action-required') {
        running = running.filter((text) => text.replyId !== replyId)
      }
      entries.push({ place: { seq, check }, event: toLogEvent(event, answer), running })
    }
    return entries
  }

  /** False: there is no room for it, nor for what follows. */
  #plan(event: StoredEvent): boolean {
    if (this.#room <= 0) return false
    const planned: PlannedEvent = { event, answer: '' }
    const text = this.#texts.get(event.replyId)
    if (event.type === 'completed' && text !== undefined) {
      const { length } = text.answer
      const isFirst = this.#events.length === 0 && this.needs.length === 0
      if (length > this.#room && !isFirst) return false
      if (text instanceof ReplyText) planned.answer = text.answer.value
      else this.#need(text, 'ANSWER', 0, (whole) => (planned.answer = whole))
    }
    this.#events.push(planned)
    if (event.type === 'started') this.#needRest(event.replyId, undefined)
    return true
  }

  /** The text behind a reader's place. */
  #needRest(replyId: ReplyId, from: TextPlace | undefined): void {
    const text = this.#texts.get(replyId)
    if (text === undefined || text instanceof ReplyText) return
    const at = resume(text, from)
    for (const kind of ['REASONING', 'ANSWER'] as const) {
      const track = kind === 'ANSWER' ? text.answer : text.reasoning
      const offset = kind === 'ANSWER' ? at.answer : at.reasoning
      this.#need(text, kind, offset, (piece) => track.fill(offset, piece), this.#room)
    }
  }

  #need(
    { replyId, answer, reasoning }: StoredText,
    kind: DeltaKind,
    from: number,
    fill: (text: string) => void,
    maxLength = Number.POSITIVE_INFINITY,
  ): void {
    const { length } = kind === 'ANSWER' ? answer : reasoning
    const to = Math.min(length, from + maxLength)
    if (to <= from) return
    this.#room -= to - from
    this.needs.push({ piece: { replyId, kind, from, to }, fill })
  }
}

const isTerminal = ({ type }: StoredEvent) => type !== 'started' && type !== 'action-required'

interface PlannedEvent {
  readonly event: StoredEvent
  /** The text of a completed one, once it is read. */
  answer: string
}

/** The text of a reply that does not run here, of which a piece of each track is in memory. */
class StoredText implements TextView, ReadableText {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly revisions: readonly TextRevision[]
  readonly isEnded: boolean
  readonly answer: StoredTrack
  readonly reasoning: StoredTrack

  constructor(reply: LoggedReply) {
    this.replyId = reply.replyId
    this.conversationId = reply.conversationId
    this.revisions = reply.revisions
    this.isEnded = reply.isEnded
    this.answer = new StoredTrack(reply.answerLength)
    this.reasoning = new StoredTrack(reply.reasoningLength)
  }

  next(from: TextPlace | undefined): TextStep | undefined {
    return nextStep(this, from)
  }
}

class StoredTrack implements TrackView {
  readonly length: number
  readonly wholeLength: number
  #from = 0
  #piece = ''

  constructor(length: number) {
    this.length = length
    this.wholeLength = length
  }

  fill(from: number, piece: string): void {
    this.#from = from
    this.#piece = piece
  }

  slice(offset: number, maxLength: number): string {
    const from = offset - this.#from
    return this.#piece.slice(from, sliceEnd(this.#piece, from, maxLength))
  }
}
