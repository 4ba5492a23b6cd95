import type { Position, ReplyEvent, SessionId } from '../domain.ts'
import { CursorExpiredError } from '../errors.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { EventFilter, LogItem, ReadResult, ReplyLog } from '../store/log.ts'

/** Text a reader is handed at once, in code units: what a slow reader may cost beyond its cursor. */
const maxReadLength = 16_384

/** Takes a batch of events; a promise when the next one has to wait. */
export type TakeItems = (items: readonly LogItem[]) => Promise<void> | undefined
/** What one read led to: nothing was there, there may be more, or the reply that was asked for has ended. */
type Step = 'idle' | 'more' | 'end'

/**
 * Hands over the events after a position, and then those to come, at the taker's own pace: a cursor, not a queue.
 * Resolves after the terminal event when the filter names a reply.
 *
 * The usual event is read and taken in the turn in which it is appended, with no promise between. Whatever has to wait
 * (a store that is asked, a taker that is slow) is waited for by the loop, and wakes meanwhile only make it look again.
 *
 * @throws the signal's reason; {@link CursorExpiredError} when the log was trimmed under the reader, or lost its place.
 */
export async function tail(
  log: Pick<ReplyLog, 'read' | 'listen'>,
  source: {
    readonly sessionId: SessionId
    readonly after: Position
    readonly filter: EventFilter
  },
  take: TakeItems,
  signal: AbortSignal,
): Promise<void> {
  const { sessionId, filter } = source
  let position = source.after
  let idle: PromiseWithResolvers<Step> | undefined
  let missed = false

  function step(): Step | Promise<Step> {
    const items = log.read(sessionId, position, filter, maxReadLength)
    return items instanceof Promise ? items.then(deliver) : deliver(items)
  }

  function deliver(items: ReadResult): Step | Promise<Step> {
    if (items === 'expired') {
      throw new CursorExpiredError('The log no longer goes on from where the reader is.')
    }
    const last = items.at(-1)
    if (last === undefined) return 'idle'
    position = last.position
    const next = filter.replyId !== undefined && isEnd(last.event) ? 'end' : 'more'
    return take(items)?.then(() => next) ?? next
  }

  function wake(): void {
    const waiting = idle
    if (waiting === undefined) {
      missed = true
      return
    }
    try {
      let next = step()
      while (next === 'more') next = step()
      if (next === 'idle') return
      idle = undefined
      waiting.resolve(next)
    } catch (error) {
      idle = undefined
      waiting.reject(error)
    }
  }

  // Armed before the first read: no append falls between read and wait.
  using _wake = log.listen(sessionId, wake)
  using _abort = onAbort(signal, () => idle?.reject(signal.reason))
  for (let next: Step = 'more'; next !== 'end';) {
    signal.throwIfAborted()
    if (next === 'more' || missed) {
      missed = false
      next = await step()
    } else {
      idle = Promise.withResolvers()
      next = await idle.promise
    }
  }
}

function isEnd(event: ReplyEvent): boolean {
  switch (event.type) {
    case 'completed':
    case 'failed':
    case 'cancelled':
      return true
    case 'started':
    case 'delta':
    case 'action-required':
      return false
  }
}
