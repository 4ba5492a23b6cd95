import type { SessionId } from '../../../src/domain.ts'
import type { ReplyLog } from '../../../src/store/log.ts'

/** Wake-ups of a session's log as promises: one that came before `next` counts. */
export interface Wakes extends Disposable {
  next(): Promise<void>
}

export function listenFor(log: ReplyLog, sessionId: SessionId): Wakes {
  let woken = Promise.withResolvers<void>()
  const listener = log.listen(sessionId, () => woken.resolve())
  return {
    async next() {
      await woken.promise
      woken = Promise.withResolvers()
    },
    [Symbol.dispose]: () => listener[Symbol.dispose](),
  }
}
