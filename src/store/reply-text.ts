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

/** A text as it is read. */
export interface TextView extends TextOwner {
  /** Oldest first; the last one is the text's own. */
  readonly revisions: readonly TextRevision[]
  /** No more text comes. */
  readonly isEnded: boolean
  readonly answer: TrackView
  readonly reasoning: TrackView
}

export interface TrackView {
  readonly length: number
  /** The length without a first half of a surrogate pair at the end, whose second half may still come. */
  readonly wholeLength: number
  slice(offset: number, maxLength: number): string
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
export class ReplyText implements TextView {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly answer = new TextTrack()
  readonly reasoning = new TextTrack()
  #revisions: readonly TextRevision[]
  #isEnded = false
  /** What was cut last since the text has changed. */
  #shared: { readonly from: TextPlace | undefined; readonly step: TextStep }[] = []

  constructor(
    { replyId, conversationId }: TextOwner,
    revisions: readonly TextRevision[],
    texts: { readonly answer: string; readonly reasoning: string },
  ) {
    this.replyId = replyId
    this.conversationId = conversationId
    this.#revisions = revisions
    this.answer.replaceFrom(0, texts.answer)
    this.reasoning.replaceFrom(0, texts.reasoning)
  }

  get revisions(): readonly TextRevision[] {
    return this.#revisions
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get length(): number {
    return this.answer.length + this.reasoning.length
  }

  /**
   * Puts `text` in the place of all that is behind the first `offset` code units. Where that takes anything away it begins
   * the revision `name()`.
   */
  put(kind: DeltaKind, offset: number, text: string, name: () => string): void {
    const track = kind === 'ANSWER' ? this.answer : this.reasoning
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
    this.answer.settle()
    this.reasoning.settle()
    this.#shared = []
  }

  /** The next delta for a reader; undefined: there is nothing new for it. Readers at one place are given the same objects. */
  next(from: TextPlace | undefined): TextStep | undefined {
    for (const shared of this.#shared) if (isSame(shared.from, from)) return shared.step
    const step = nextStep(this, from)
    if (step === undefined) return undefined
    if (this.#shared.length === maxShared) this.#shared.pop()
    this.#shared.unshift({ from, step })
    return step
  }
}

/**
 * The next delta for a reader, cut from a text; undefined: there is nothing new for it. Where the text's last revision kept
 * less than the reader holds, that is a delta at what was kept, with an empty text if there is none yet.
 */
export function nextStep(text: TextView, from: TextPlace | undefined): TextStep | undefined {
  const at = resume(text, from)
  const isBack = (kind: DeltaKind) =>
    from !== undefined && offsetIn(at, kind) < offsetIn(from, kind)
  if (from !== undefined && isBack('ANSWER') && isBack('REASONING')) {
    // One delta cannot take back both: until the next one does, the reader's place stays in the older revision.
    const { reasoning } = at
    return { event: toEvent(text, 'REASONING', reasoning, ''), place: { ...from, reasoning } }
  }
  // A place in the newest revision cannot tell that its reader holds too much, so what is taken back comes first.
  for (const kind of isBack('ANSWER') ? answerFirst : reasoningFirst) {
    const offset = offsetIn(at, kind)
    const added = slice(text, kind, offset)
    if (added === '' && !isBack(kind)) continue
    const end = offset + added.length
    const place = {
      replyId: text.replyId,
      revision: text.revisions.at(-1)?.name ?? '',
      answer: kind === 'ANSWER' ? end : at.answer,
      reasoning: kind === 'REASONING' ? end : at.reasoning,
    }
    return { event: toEvent(text, kind, offset, added), place }
  }
  return undefined
}

/** The offsets at which a reader goes on. */
export function resume(text: TextView, from: TextPlace | undefined): TextOffsets {
  if (from === undefined) return beginning
  const { answer, reasoning } = resumeIn(text.revisions, from)
  if (!text.isEnded) return { answer, reasoning }
  // Nothing more comes, so that there is nothing to wait for beyond the end.
  return {
    answer: Math.min(answer, text.answer.length),
    reasoning: Math.min(reasoning, text.reasoning.length),
  }
}

function slice(text: TextView, kind: DeltaKind, offset: number): string {
  const track = trackOf(text, kind)
  const end = text.isEnded ? track.length : track.wholeLength
  return offset < end ? track.slice(offset, Math.min(maxDeltaLength, end - offset)) : ''
}

function toEvent(text: TextView, kind: DeltaKind, offset: number, added: string): DeltaEvent {
  const { replyId, conversationId } = text
  return { type: 'delta', replyId, conversationId, kind, offset, text: added }
}

function trackOf(text: TextView, kind: DeltaKind): TrackView {
  return kind === 'ANSWER' ? text.answer : text.reasoning
}

export interface TextOffsets {
  readonly answer: number
  readonly reasoning: number
}

const beginning: TextOffsets = { answer: 0, reasoning: 0 }
const reasoningFirst = ['REASONING', 'ANSWER'] as const
const answerFirst = ['ANSWER', 'REASONING'] as const

/** Where a reader of one of these revisions goes on in the last of them; a reader of another one at 0. */
function resumeIn(revisions: readonly TextRevision[], from: TextPlace): TextOffsets {
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
  return one !== undefined && other !== undefined && isSamePlace(one, other)
}

export function isSamePlace(one: TextPlace, other: TextPlace): boolean {
  return (
    one.replyId === other.replyId &&
    one.revision === other.revision &&
    one.answer === other.answer &&
    one.reasoning === other.reasoning
  )
}
