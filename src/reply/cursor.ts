import { createHmac } from 'node:crypto'
import type { Cursor, Position, SessionId } from '../domain.ts'

/** Writes and reads the cursors of one session. */
export interface CursorCodec {
  encode(position: Position): Cursor
  /** Undefined for anything that this session was never given the form of. */
  parse(text: string): Position | undefined
}

const form = /^([\w-]{10})\.(\d{1,15})\.(\d{1,15})$/

/** `key` ties cursors to the installation; the tag is computed once, not per event. */
export function createCursorCodec(key: string, sessionId: SessionId): CursorCodec {
  const tag = createHmac('sha256', key)
    .update(`cursor:${sessionId}`)
    .digest('base64url')
    .slice(0, 10)
  return {
    encode: ({ epoch, seq }) => `${tag}.${epoch}.${seq}` as Cursor,
    parse(text) {
      const match = form.exec(text)
      if (match === null || match[1] !== tag) return undefined
      return { epoch: Number(match[2]), seq: Number(match[3]) }
    },
  }
}

/** Negative, zero or positive as `a` lies before, at or after `b`. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq
}
