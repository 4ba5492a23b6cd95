import { createHmac } from 'node:crypto'
import type { Cursor, Position, SessionId } from '../domain.ts'

const form = /^([\w-]{10})\.(\d{1,15})\.(\d{1,15})$/

/** Writes and reads the cursors of one session. */
export class CursorCodec {
  readonly #tag: string

  /** `key` ties cursors to the installation; the tag is computed once, not per event. */
  constructor(key: string, sessionId: SessionId) {
    this.#tag = createHmac('sha256', key)
      .update(`cursor:${sessionId}`)
      .digest('base64url')
      .slice(0, 10)
  }

  encode({ epoch, seq }: Position): Cursor {
    return `${this.#tag}.${epoch}.${seq}` as Cursor
  }

  /** Undefined for anything that this session was never given the form of. */
  parse(text: string): Position | undefined {
    const match = form.exec(text)
    if (match === null || match[1] !== this.#tag) return undefined
    return { epoch: Number(match[2]), seq: Number(match[3]) }
  }
}
