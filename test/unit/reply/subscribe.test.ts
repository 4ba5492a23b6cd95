import { describe, expect, it } from 'vitest'
import type {
  ConversationId,
  EventPlace,
  ReplyId,
  Session,
  SessionId,
  SessionName,
} from '../../../src/domain.ts'
import { CursorExpiredError } from '../../../src/errors.ts'
import { CursorCodec } from '../../../src/reply/cursor.ts'
import { createSubscribe } from '../../../src/reply/subscribe.ts'
import type { LogItem, ReplyLog } from '../../../src/store/log.ts'
import type { ReplyState } from '../../../src/store/session-store.ts'

const session: Session = { id: 'alice' as SessionId, name: 'alice' as SessionName }
const of = { replyId: 'r' as ReplyId, conversationId: 'c' as ConversationId }
const started: EventPlace = { seq: 1, check: 'aaaaa' }
const ended: EventPlace = { seq: 2, check: 'bbbbb' }
const items: readonly LogItem[] = [
  { event: { ...of, ...started, type: 'started' }, position: { ...started, texts: [] } },
  {
    event: { ...of, ...ended, type: 'cancelled', upstreamCancelled: false },
    position: { ...ended, texts: [] },
  },
]

/** A reply that has ended, in a log whose reads may be behind what is known of the reply. */
function open() {
  let known = items.length
  let state: ReplyState | undefined = { conversationId: of.conversationId, endedSeq: ended.seq }
  const wakes = new Set<() => void>()
  const log: Omit<ReplyLog, 'trim'> = {
    read: (_session, after) =>
      items.slice(0, known).filter(({ position }) => position.seq > after.seq),
    check: async () => 'ok',
    start: async () => ({ seq: 0, check: '', texts: [] }),
    end: async () => ({ ...ended, texts: [] }),
    listen(_session, wake) {
      wakes.add(wake)
      return { [Symbol.dispose]: () => void wakes.delete(wake) }
    },
  }
  const store = { replyState: async () => state, conversations: async () => [] }
  const cursors = new CursorCodec('key', session.id)
  const subscribe = createSubscribe(session, { ledger: { session: () => store }, log, cursors })
  return {
    wakes,
    subscribeAfter: (place: EventPlace) =>
      subscribe({
        replyId: of.replyId,
        conversationId: undefined,
        after: undefined,
        lastEventId: cursors.encode({ ...place, texts: [] }),
      }),
    /** Reads come to no more than so many items. */
    lag(count: number) {
      known = count
    },
    catchUp() {
      known = items.length
      for (const wake of wakes) wake()
    },
    delete() {
      state = undefined
      known = 0
    },
  }
}

describe('resuming a reply that has ended', () => {
  it('says that all was read to a reader that stands at its last event', async () => {
    const { subscribeAfter } = open()
    expect((await subscribeAfter(ended)).past).toBe(true)
    expect((await subscribeAfter(started)).past).toBe(false)
  })

  it('gives its end to a reader whose store reads behind what it knows of the reply', async () => {
    const replies = open()
    replies.lag(1)
    const subscription = await replies.subscribeAfter(started)
    expect(subscription.past).toBe(false)
    const taken: string[] = []
    const take = (batch: readonly LogItem[]) => {
      taken.push(...batch.map(({ event }) => event.type))
      return undefined
    }
    const followed = subscription.follow(take, new AbortController().signal)
    await expect.poll(() => replies.wakes.size).toBe(1)
    replies.catchUp()
    await followed
    expect(taken).toEqual(['cancelled'])
  })

  it('is told as expired, and not as complete, to a reader that has not had the end of a reply that is deleted', async () => {
    const replies = open()
    // Its events are gone already when they are read, which was asked for before.
    replies.lag(1)
    const subscription = await replies.subscribeAfter(started)
    replies.delete()
    const followed = subscription.follow(() => undefined, new AbortController().signal)
    await expect(followed).rejects.toBeInstanceOf(CursorExpiredError)
  })
})
