import type { ConversationId, ReplyId } from '../../domain.ts'
import type { Fence } from '../ledger.ts'
import type { DeltaEvent } from './deltas.ts'
import type { SessionLog } from './session-log.ts'

/** A reply that runs: what is asked of it for every delta. */
export interface RunningReply {
  readonly row: number
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly log: SessionLog
  fence: Fence
  readonly answer: GrowingText
  readonly reasoning: GrowingText
  /** The first journal row that holds a delta of it; undefined: none does. */
  journalFrom: number | undefined
}

export type RunningReplies = Map<ReplyId, RunningReply>

export function growText(reply: RunningReply, delta: DeltaEvent): void {
  const text = delta.kind === 'ANSWER' ? reply.answer : reply.reasoning
  text.replaceFrom(delta.offset, delta.text)
}

/** A text that grows at its end and is sometimes corrected there: a change costs what it takes away and adds, no more. */
export class GrowingText {
  readonly #pieces: string[] = []
  #length = 0
  /** Undefined: it has changed since it was last read. */
  #joined: string | undefined = ''

  get value(): string {
    this.#joined ??= this.#pieces.join('')
    return this.#joined
  }

  /** Puts `text` in the place of all that is behind the first `offset` code units. */
  replaceFrom(offset: number, text: string): void {
    this.#joined = undefined
    while (this.#length > offset) {
      const last = this.#pieces.pop() ?? ''
      const start = this.#length - last.length
      if (start < offset) this.#pieces.push(last.slice(0, offset - start))
      this.#length = Math.max(start, offset)
    }
    if (text === '') return
    this.#pieces.push(text)
    this.#length += text.length
  }
}
