import type { ConversationId, DeltaEvent, DeltaKind, ReplyId, TextPlace } from '../domain.ts'
import { maxDeltaLength } from './log.ts'
import { TextTrack } from './text-track.ts'

/** A text is append-only within a revision. A revision keeps so much, in code units, of the text of the one before it. */
export interface TextRevision {
  readonly name: string
  readonly answerKept: number
  readonly reasoningKept: number
}

/** Older ones are forgotten: whoever has read one of those reads the text from its beginning. */
const maxRevisions = 32

/** A delta, and where in the reply's text its reader stands after it. */
export interface TextStep {
  readonly event: DeltaEvent
  readonly place: TextPlace
}

export interface TextOwner {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
}

/** Readers of how many places share what was cut for them. */
const maxShared = 4

/**
 * What a reply has said so far, cut for its readers.
 *
 * ```
 *   revision x0   Hello, wor│ld!                 the offsets of a reader of x0 …
 *   revision x1   Hello, wor│m!│                 … hold here up to 10, which x1 kept
 *   revision x2   Hello, wor│m!│ How are you?    … and up to min(10, 12) here
 * ```
 */
export class ReplyText {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly answer = new TextTrack()
  readonly reasoning = new TextTrack()
  #revisions: readonly TextRevision[]
  #isEnded = false
  /** What was cut last since the text has changed. */
  #shared: { readonly from: TextPlace | undefined; readonly step: TextStep }[] = []

  constructor({ replyId, conversationId }: TextOwner, revisions: readonly TextRevision[]) {
    this.replyId = replyId
    this.conversationId = conversationId
    this.#revisions = revisions
  }

  /** Oldest first; the last one is the text's own. */
  get revisions(): readonly TextRevision[] {
    return this.#revisions
  }

  get length(): number {
    return this.answer.length + this.reasoning.length
  }

  track(kind: DeltaKind): TextTrack {
    return kind === 'ANSWER' ? this.answer : this.reasoning
  }

  /**
   * Puts `text` in the place of all that is behind the first `offset` code units. Where that takes anything away it begins
   * the revision `name()`.
   */
  put(kind: DeltaKind, offset: number, text: string, name: () => string): void {
    const track = this.track(kind)
    if (offset < track.length) {
      const kept = track.roundDown(offset)
      this.revise({
        name: name(),
        answerKept: kind === 'ANSWER' ? kept : this.answer.length,
        reasoningKept: kind === 'REASONING' ? kept : this.reasoning.length,
      })
    }
    track.replaceFrom(offset, text)
    this.#shared = []
  }

  revise(revision: TextRevision): void {
    this.#revisions = [...this.#revisions, revision].slice(-maxRevisions)
    this.#shared = []
  }

  /** No more text comes. */
  end(): void {
    this.#isEnded = true
    this.#shared = []
  }

  /** The next delta for a reader; undefined: there is nothing new for it. Readers at one place are given the same objects. */
  next(from: TextPlace | undefined): TextStep | undefined {
    for (const shared of this.#shared) if (isSame(shared.from, from)) return shared.step
    const step = this.#cut(from)
    if (step === undefined) return undefined
    if (this.#shared.length === maxShared) this.#shared.pop()
    this.#shared.unshift({ from, step })
    return step
  }

  #cut(from: TextPlace | undefined): TextStep | undefined {
    const at = this.#resume(from)
    const isBack = (kind: DeltaKind) =>
      from !== undefined && offsetIn(at, kind) < offsetIn(from, kind)
    if (from !== undefined && isBack('ANSWER') && isBack('REASONING')) {
      // One delta cannot take back both, so the reader's place goes on to tell of the other in its older revision.
      const { reasoning } = at
      return {
        event: this.#event('REASONING', reasoning, ''),
        place: { ...from, reasoning },
      }
    }
    // A place in a newer revision cannot tell that the reader holds too much: what is taken back comes first.
    const kinds = isBack('ANSWER') ? answerFirst : reasoningFirst
    for (const kind of kinds) {
      const offset = offsetIn(at, kind)
      const text = this.#slice(kind, offset)
      if (text === '' && !isBack(kind)) continue
      const end = offset + text.length
      const place = {
        replyId: this.replyId,
        revision: this.#revisions.at(-1)?.name ?? '',
        answer: kind === 'ANSWER' ? end : at.answer,
        reasoning: kind === 'REASONING' ? end : at.reasoning,
      }
      return { event: this.#event(kind, offset, text), place }
    }
    return undefined
  }

  /** The offsets at which a reader goes on. */
  #resume(from: TextPlace | undefined): TextOffsets {
    if (from === undefined) return beginning
    const offsets = resumeOffsets(this.#revisions, from)
    if (!this.#isEnded) return offsets
    return {
      answer: Math.min(offsets.answer, this.answer.length),
      reasoning: Math.min(offsets.reasoning, this.reasoning.length),
    }
  }

  #slice(kind: DeltaKind, offset: number): string {
    const track = this.track(kind)
    const end = this.#isEnded ? track.length : track.wholeLength
    return offset < end ? track.slice(offset, Math.min(maxDeltaLength, end - offset)) : ''
  }

  #event(kind: DeltaKind, offset: number, text: string): DeltaEvent {
    const { replyId, conversationId } = this
    return { type: 'delta', replyId, conversationId, kind, offset, text }
  }
}

interface TextOffsets {
  readonly answer: number
  readonly reasoning: number
}

const beginning: TextOffsets = { answer: 0, reasoning: 0 }
const reasoningFirst = ['REASONING', 'ANSWER'] as const
const answerFirst = ['ANSWER', 'REASONING'] as const

/** Where a reader of one of these revisions goes on in the last of them; a reader of another one at 0. */
export function resumeOffsets(revisions: readonly TextRevision[], from: TextPlace): TextOffsets {
  let { answer, reasoning } = from
  for (let index = revisions.length - 1; index >= 0; index -= 1) {
    const revision = revisions[index]
    if (revision === undefined || revision.name === from.revision) return { answer, reasoning }
    answer = Math.min(answer, revision.answerKept)
    reasoning = Math.min(reasoning, revision.reasoningKept)
  }
  return beginning
}

const offsetIn = ({ answer, reasoning }: TextOffsets, kind: DeltaKind) =>
  kind === 'ANSWER' ? answer : reasoning

function isSame(one: TextPlace | undefined, other: TextPlace | undefined): boolean {
  if (one === other) return true
  return (
    one !== undefined &&
    other !== undefined &&
    one.replyId === other.replyId &&
    one.revision === other.revision &&
    one.answer === other.answer &&
    one.reasoning === other.reasoning
  )
}
