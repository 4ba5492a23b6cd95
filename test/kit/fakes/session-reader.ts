import { expect } from 'vitest'
import type { Position, ReplyEvent, Session } from '../../../src/domain.ts'
import { CursorExpiredError } from '../../../src/errors.ts'
import { tail } from '../../../src/reply/subscribe.ts'
import type { EventFilter, LogItem } from '../../../src/store/log.ts'
import type { Instance } from '../process/instances.ts'
import { beginning } from './stored-replies.ts'

export interface SessionReader extends Disposable {
  readonly items: readonly LogItem[]
  /** Where it stands. */
  readonly position: Position
  readonly events: readonly ReplyEvent[]
  /** It was told that its place is gone. */
  readonly isExpired: boolean
  /** Lets the instance ask what others have written until the reader has met it. */
  until(isMet: (reader: SessionReader) => boolean): Promise<void>
}

/** Somebody who reads a session at an instance. */
export function readAt(
  { store, clock }: Instance,
  { id: sessionId }: Session,
  after: Position = beginning,
  filter: EventFilter = {},
): SessionReader {
  const items: LogItem[] = []
  const end = new AbortController()
  let isExpired = false
  const done = tail(
    store.log,
    { sessionId, after, filter },
    (more) => {
      items.push(...more)
      return undefined
    },
    end.signal,
  ).catch((error: unknown) => {
    if (error instanceof CursorExpiredError) isExpired = true
    else if (!end.signal.aborted) throw error
  })
  const reader: SessionReader = {
    items,
    get position() {
      return items.at(-1)?.position ?? after
    },
    get isExpired() {
      return isExpired
    },
    get events() {
      return items.map(({ event }) => event)
    },
    async until(isMet) {
      const isNow = () => {
        if (isMet(reader)) return true
        clock.advance(100)
        return false
      }
      await expect.poll(isNow, { timeout: 20_000, interval: 5 }).toBe(true)
    },
    [Symbol.dispose]: () => {
      end.abort()
      void done
    },
  }
  return reader
}
