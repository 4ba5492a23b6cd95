import type { CallOf } from '../wire.ts'
import type { TableCall, TableMethod } from './transactions.ts'

/** Calls that may read megabytes of texts, and write nothing. */
const methods = [
  'messages',
  'replies',
  'openReplies',
  'messagePage',
  'history',
  'readTexts',
] as const satisfies readonly TableMethod[]

export type TextRead = CallOf<(typeof methods)[number]>

export function isTextRead(call: TableCall): call is TextRead {
  return methods.some((method) => method === call.method)
}

/** Reads of texts that wait: each session has its turn, however much another asks for; its own stay in their order. */
export class TextReads {
  readonly #waiting = new Map<string, TextRead[]>()

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
    for (const [sessionId, own] of this.#waiting) {
      const call = own[0]
      if (call === undefined || (before !== undefined && call.id > before.id)) continue
      own.shift()
      this.#waiting.delete(sessionId)
      if (own.length > 0) this.#waiting.set(sessionId, own)
      return call
    }
    return undefined
  }
}
