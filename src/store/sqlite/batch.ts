import type { ReplyEvent } from '../../domain.ts'
import { maxDeltaLength, type EventFilter } from '../log.ts'
import { areAlike, mergedLength, mergeDeltas } from './deltas.ts'

/** One answer to a reader: the events that its filter lets through, neighbouring deltas merged, up to a length. */
export class Batch {
  readonly events: ReplyEvent[] = []
  readonly #filter: EventFilter
  #room: number

  constructor(filter: EventFilter, maxLength: number) {
    this.#filter = filter
    this.#room = maxLength
  }

  /** False: there was no room for this event, and the batch is to be answered as it is. */
  take(event: ReplyEvent): boolean {
    const { replyId, conversationId } = this.#filter
    if (replyId !== undefined && event.replyId !== replyId) return true
    if (conversationId !== undefined && event.conversationId !== conversationId) return true
    const last = this.events.at(-1)
    if (last === undefined) {
      this.events.push(event)
      this.#room -= textLength(event)
      return true
    }
    const merges = areAlike(last, event)
    if (merges && last.type === 'delta' && event.type === 'delta') {
      const length = mergedLength(last, event)
      if (length <= maxDeltaLength) {
        if (length - last.text.length > this.#room) return false
        this.#room -= length - last.text.length
        this.events[this.events.length - 1] = mergeDeltas(last, event)
        return true
      }
    }
    const length = textLength(event)
    if (length > this.#room) return false
    this.#room -= length
    this.events.push(event)
    return true
  }
}

export function textLength(event: ReplyEvent): number {
  return event.type === 'delta' || event.type === 'completed' ? event.text.length : 0
}
