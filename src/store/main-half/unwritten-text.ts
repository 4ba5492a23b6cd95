import type { Delta, ReplyId, SessionId } from '../../domain.ts'
import type { ReplyText, TextRevision } from '../reply-text.ts'
import type { TextTrack } from '../text-track.ts'
import type { TextWrite, TrackWrite } from './stored.ts'

export interface StartedWrite<T> {
  readonly write: T
  /** To be called when it has ended, on disk or not. */
  readonly ended: (isWritten: boolean) => void
}

/** What a running reply has said and the disk does not have. */
export class UnwrittenText {
  readonly text: ReplyText
  readonly #sessionId: SessionId
  readonly #replyId: ReplyId
  readonly #fence: string
  readonly #answer: UnwrittenTrack
  readonly #reasoning: UnwrittenTrack
  /** The list on disk. Undefined: it may be an older one. */
  #revisions: readonly TextRevision[] | undefined
  #chatId: string | undefined
  /** The one that is on disk, or was. */
  #storedChatId: string | undefined
  /** The intent of the run was written. */
  isStarted = false

  /** @param text as it is on disk */
  constructor(sessionId: SessionId, text: ReplyText, fence: string) {
    this.text = text
    this.#sessionId = sessionId
    this.#replyId = text.replyId
    this.#fence = fence
    this.#answer = new UnwrittenTrack(text.answer)
    this.#reasoning = new UnwrittenTrack(text.reasoning)
    this.#revisions = text.revisions
  }

  get length(): number {
    return this.#answer.length + this.#reasoning.length
  }

  get isEmpty(): boolean {
    return (
      this.#chatId === undefined &&
      this.#revisions === this.text.revisions &&
      this.#answer.isEmpty &&
      this.#reasoning.isEmpty
    )
  }

  /** All of the text is on disk, or on its way there. */
  get isPosted(): boolean {
    return this.#answer.isPosted && this.#reasoning.isPosted
  }

  put({ kind, offset, text }: Delta, name: () => string): void {
    const track = kind === 'ANSWER' ? this.#answer : this.#reasoning
    track.change(offset)
    this.text.put(kind, offset, text, name)
  }

  /** The store has less than was written: all of the text is to be written again, and what was written with it. */
  rewrite(): void {
    this.#answer.rewrite()
    this.#reasoning.rewrite()
    this.#revisions = undefined
    this.#chatId ??= this.#storedChatId
  }

  recordChat(chatId: string): void {
    this.#chatId = chatId
  }

  /**
   * What is to be written now. Text is put at its offset, so that several writes may be under way.
   * @param isLast all of the text, though its last character may be half of one
   */
  write(isLast: boolean): StartedWrite<TextWrite> {
    const { isStarted } = this
    const kept = { isStarted, answer: this.#answer.stored, reasoning: this.#reasoning.stored }
    const answer = this.#answer.write(isLast)
    const reasoning = this.#reasoning.write(isLast)
    const { revisions } = this.text
    const chatId = this.#chatId
    return {
      write: {
        sessionId: this.#sessionId,
        replyId: this.#replyId,
        fence: this.#fence,
        answer: answer?.write,
        reasoning: reasoning?.write,
        kept,
        revisions: revisions === this.#revisions ? undefined : revisions,
        chatId,
      },
      ended: (isWritten) => {
        answer?.ended(isWritten)
        reasoning?.ended(isWritten)
        if (!isWritten) return
        this.#revisions = revisions
        if (chatId === undefined) return
        this.#storedChatId = chatId
        if (this.#chatId === chatId) this.#chatId = undefined
      },
    }
  }
}

/** One write that is under way: how much of the text will be on disk, and how much of that still holds. */
interface UnderWay {
  readonly end: number
  valid: number
}

class UnwrittenTrack {
  readonly #track: TextTrack
  /** How much of a text is on disk, and how much of that is still this text. */
  #stored: number
  #valid: number
  readonly #underWay = new Set<UnderWay>()

  constructor(track: TextTrack) {
    this.#track = track
    this.#stored = track.length
    this.#valid = track.length
  }

  get stored(): number {
    return this.#stored
  }

  get length(): number {
    return Math.max(0, this.#track.length - this.#valid)
  }

  get isEmpty(): boolean {
    return this.#valid === this.#stored && this.#track.wholeLength <= this.#valid
  }

  /** It is on disk when the last write that is under way is. */
  get isPosted(): boolean {
    const last = [...this.#underWay].at(-1)
    if (last === undefined) return this.isEmpty
    return last.valid === last.end && this.#track.wholeLength <= last.end
  }

  /** The text behind an offset is about to change. */
  change(offset: number): void {
    const kept = this.#track.roundDown(offset)
    this.#valid = Math.min(this.#valid, kept)
    for (const write of this.#underWay) write.valid = Math.min(write.valid, kept)
  }

  rewrite(): void {
    this.#stored = 0
    this.#valid = 0
  }

  write(isLast: boolean): StartedWrite<TrackWrite> | undefined {
    const to = isLast ? this.#track.length : this.#track.wholeLength
    const offset = this.#valid
    const text = to > offset ? this.#track.slice(offset, to - offset) : ''
    if (text === '' && offset === this.#stored) return undefined
    const end = offset + text.length
    const underWay = { end, valid: end }
    this.#underWay.add(underWay)
    return {
      write: { offset, text },
      ended: (isWritten) => {
        this.#underWay.delete(underWay)
        if (!isWritten) return
        this.#stored = end
        this.#valid = Math.min(underWay.valid, end)
      },
    }
  }
}
