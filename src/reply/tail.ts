import type { Position, ReplyEvent, SessionId } from '../domain.ts'
import { CursorExpiredError } from '../errors.ts'
import type { EventFilter, ReplyLog } from '../store/log.ts'

/** Text a reader is handed at once, in code units: what a slow reader may cost beyond its cursor. */
const maxReadLength = 16_384

/**
 * The events after a position, and then those to come, at the reader's own pace: a cursor, not a queue.
 * @throws the signal's reason; {@link CursorExpiredError} when the log was trimmed under the reader.
 */
export async function* tail(
  log: ReplyLog,
  sessionId: SessionId,
  after: Position,
  filter: EventFilter,
  signal: AbortSignal,
): AsyncGenerator<readonly ReplyEvent[], void, undefined> {
  using wake = log.listen(sessionId) // armed before the first read: no append falls between read and wait
  let position = after
  for (;;) {
    signal.throwIfAborted()
    const events = await log.read(sessionId, position, filter, maxReadLength)
    if (events === 'trimmed') throw new CursorExpiredError('The log was trimmed under the reader.')
    const last = events.at(-1)
    if (last === undefined) {
      await wake.next(signal)
      continue
    }
    position = last
    yield events
  }
}
