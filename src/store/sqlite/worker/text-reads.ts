import type { CallOf } from '../../main-half/messages.ts'
import type { TableCall, TableMethod } from './transactions.ts'

/** Calls that may read megabytes of texts, and write nothing. */
const methods = [
  'messages',
  'replies',
  'messagePage',
  'history',
  'readTexts',
] as const satisfies readonly TableMethod[]

/** The sessions whose time is remembered although no read of theirs waits. */
const maxRemembered = 1_024

export type TextRead = CallOf<(typeof methods)[number]>

export function isTextRead(call: TableCall): call is TextRead {
  return methods.some((method) => method === call.method)
}

/**
 * The reads of texts that wait. The session whose reads have taken the least time is next, so that a short read does not wait
 * for those of others that read megabytes. The reads of one session stay in their order.
 */
export class TextReads {
  readonly #waiting = new Map<string, TextRead[]>()
  /** How long the reads of each session took since a read had to wait, in ms. A session that comes later begins with `#level`. */
  readonly #spent = new Map<string, number>()
  #level = 0

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  add(call: TextRead): void {
    const { sessionId } = call.args
    const own = this.#waiting.get(sessionId)
    if (own === undefined) this.#waiting.set(sessionId, [call])
    else own.push(call)
  }

  /** The next one that was asked for before a call that still waits, so that it sees all that was written before it. */
  take(before: Pick<TableCall, 'id'> | undefined): TextRead | undefined {
    let chosen: TextRead | undefined
    let least = Number.POSITIVE_INFINITY
    for (const [sessionId, [call]] of this.#waiting) {
      if (call === undefined || (before !== undefined && call.id > before.id)) continue
      const spent = this.#spent.get(sessionId) ?? this.#level
      if (spent >= least) continue
      chosen = call
      least = spent
      // Nobody has less.
      if (spent <= this.#level) break
    }
    if (chosen === undefined) return undefined
    this.#level = least
    this.#remove(chosen)
    return chosen
  }

  /** Called when a read that was taken is done. */
  done({ args: { sessionId } }: TextRead, ms: number): void {
    if (this.isEmpty) {
      this.#spent.clear()
      this.#level = 0
      return
    }
    this.#spent.set(sessionId, Math.max(this.#spent.get(sessionId) ?? 0, this.#level) + ms)
    if (this.#spent.size <= this.#waiting.size + maxRemembered) return
    for (const known of this.#spent.keys()) if (!this.#waiting.has(known)) this.#spent.delete(known)
  }

  #remove({ args: { sessionId } }: TextRead): void {
    const own = this.#waiting.get(sessionId)
    own?.shift()
    // Behind those who have had as much.
    this.#waiting.delete(sessionId)
    if (own?.length) this.#waiting.set(sessionId, own)
  }
}
