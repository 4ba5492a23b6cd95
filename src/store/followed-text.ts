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
 * whatever tells more of the revision that is known adds to it, in whatever order it comes, and what tells less is old.
 */
export class FollowedText implements TextView {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly isEnded = false
  readonly answer = new TextTrack()
  readonly reasoning = new TextTrack()
  #revisions: readonly TextRevision[] = []

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
      const hasAnswer = add(this.answer, answer)
      return add(this.reasoning, reasoning) || hasAnswer
    }
    // An older one than is known here.
    if (this.#revisions.some(({ name }) => name === told)) return false
    if (answer.from > 0 || reasoning.from > 0) return false
    this.#revisions = revisions
    this.answer.replaceFrom(0, answer.text)
    this.reasoning.replaceFrom(0, reasoning.text)
    return true
  }

  next(from: TextPlace | undefined): TextStep | undefined {
    return this.#revisions.length === 0 ? undefined : nextStep(this, from)
  }
}

/** Adds what is new of a part; where that begins beyond what is known, it adds nothing. */
function add(track: TextTrack, { from, text }: TextPart): boolean {
  const { length } = track
  if (from > length || from + text.length <= length) return false
  track.replaceFrom(length, text.slice(length - from))
  return true
}
