import type { ConversationId, ReplyId, TextPlace } from '../domain.ts'
import {
  nextStep,
  type TextOwner,
  type TextRevision,
  type TextStep,
  type TextView,
} from './reply-text.ts'
import { TextTrack } from './text-track.ts'

/** A part of a text that is known from an offset on, in UTF-16 code units. */
export interface TextPart {
  readonly from: number
  readonly text: string
}

/** What is told of the text of a reply that runs elsewhere. */
export interface TextNews {
  /** Oldest first; the last one is the text's own. */
  readonly revisions: readonly TextRevision[]
  readonly answer: TextPart
  readonly reasoning: TextPart
}

/**
 * The text of a reply that runs on another instance, as far as it is known here. A text only grows within a revision, so
 * whatever tells more of the revision that is known adds to it, in whatever order it comes, and what tells less is old. What
 * begins beyond what is known waits for what is between, so that a message that was lost is made up for by the store.
 */
export class FollowedText implements TextView {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly isEnded = false
  readonly answer = new TextTrack()
  readonly reasoning = new TextTrack()
  #revisions: readonly TextRevision[] = []
  readonly #ahead = { answer: new TextAhead(this.answer), reasoning: new TextAhead(this.reasoning) }

  constructor({ replyId, conversationId }: TextOwner) {
    this.replyId = replyId
    this.conversationId = conversationId
  }

  /** Oldest first; none: nothing is known of it yet. */
  get revisions(): readonly TextRevision[] {
    return this.#revisions
  }

  get length(): number {
    return this.answer.length + this.reasoning.length
  }

  /** More of it is known than what can be read: something between was lost, or said before anybody listened. */
  get hasGap(): boolean {
    return (
      this.#revisions.length === 0 || this.#ahead.answer.isAhead || this.#ahead.reasoning.isAhead
    )
  }

  /** A reader who has met another revision knows more than is known here. */
  knows(place: TextPlace | undefined): boolean {
    return place === undefined || this.#revisions.some(({ name }) => name === place.revision)
  }

  /** True: it has become another. */
  tell({ revisions, answer, reasoning }: TextNews): boolean {
    const own = this.#revisions.at(-1)?.name
    const told = revisions.at(-1)?.name
    if (told === undefined) return false
    if (own === told) {
      const hasAnswer = this.#ahead.answer.add(answer)
      return this.#ahead.reasoning.add(reasoning) || hasAnswer
    }
    // An older one than is known here.
    if (this.#revisions.some(({ name }) => name === told)) return false
    if (answer.from > 0 || reasoning.from > 0) return false
    this.#revisions = revisions
    this.#ahead.answer.clear()
    this.#ahead.reasoning.clear()
    this.answer.replaceFrom(0, answer.text)
    this.reasoning.replaceFrom(0, reasoning.text)
    return true
  }

  next(from: TextPlace | undefined): TextStep | undefined {
    return this.#revisions.length === 0 ? undefined : nextStep(this, from)
  }
}

/** Code units that are kept beyond what is known. */
const maxAhead = 262_144

/** Puts together a track of which parts come in any order, where what is between two parts comes later. */
class TextAhead {
  readonly #track: TextTrack
  /** The newest text, which begins beyond what is known. */
  #ahead: TextPart | undefined

  constructor(track: TextTrack) {
    this.#track = track
  }

  get isAhead(): boolean {
    return this.#ahead !== undefined
  }

  /** True: more is known. */
  add(part: TextPart): boolean {
    const { length } = this.#track
    if (part.from > length) this.#keep(part)
    else this.#append(part)
    if (this.#ahead !== undefined && this.#ahead.from <= this.#track.length) {
      this.#append(this.#ahead)
      this.clear()
    }
    return this.#track.length > length
  }

  clear(): void {
    this.#ahead = undefined
  }

  #append({ from, text }: TextPart): void {
    const { length } = this.#track
    if (from + text.length > length) this.#track.replaceFrom(length, text.slice(length - from))
  }

  #keep(part: TextPart): void {
    const ahead = this.#ahead
    const end = ahead === undefined ? -1 : ahead.from + ahead.text.length
    if (ahead === undefined || part.from > end) this.#ahead = part
    else if (part.from >= ahead.from && part.from + part.text.length > end) {
      this.#ahead = { from: ahead.from, text: ahead.text + part.text.slice(end - part.from) }
    }
    if ((this.#ahead?.text.length ?? 0) > maxAhead) this.clear()
  }
}
