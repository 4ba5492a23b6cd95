import { describe, expect, it } from 'vitest'
import type { ConversationId, Position, ReplyId, SessionId } from '../../../src/domain.ts'
import { tail } from '../../../src/reply/subscribe.ts'
import type { EventFilter, LogItem, ReadResult, ReplyLog } from '../../../src/store/log.ts'

const sessionId = 'alice' as SessionId
const replyId = 'r' as ReplyId
const conversationId = 'c' as ConversationId
const beginning: Position = { seq: 0, check: '', texts: [] }
/** An item, by the place at which its reader stands after it. */
const event = (seq: number): LogItem => ({
  event: { replyId, conversationId, type: 'delta', kind: 'ANSWER', offset: seq, text: 'x' },
  position: { ...beginning, seq },
})
const end = (seq: number): LogItem => {
  const place = { seq, check: '' }
  const of = { replyId, conversationId }
  return {
    event: { ...place, ...of, type: 'cancelled', upstreamCancelled: false },
    position: { ...place, texts: [] },
  }
}

/** A log of one session; `slow` answers reads later, as an engine does that has to ask. */
function open({ slow = false } = {}) {
  const items: LogItem[] = []
  const wakes = new Set<() => void>()
  let reads = 0
  let isExpired = false
  const log: Pick<ReplyLog, 'read' | 'listen'> = {
    read(_session, after) {
      reads += 1
      const isNew = ({ position }: LogItem) => position.seq > after.seq
      const result: ReadResult = isExpired ? 'expired' : items.filter(isNew)
      return slow ? Promise.resolve(result) : result
    },
    listen(_session, wake) {
      wakes.add(wake)
      return { [Symbol.dispose]: () => void wakes.delete(wake) }
    },
  }
  const controller = new AbortController()
  const taken: number[] = []
  let wait: Promise<void> | undefined
  const follow = (filter: EventFilter = {}) =>
    tail(
      log,
      { sessionId, after: beginning, filter },
      (batch) => {
        taken.push(...batch.map(({ position }) => position.seq))
        return wait
      },
      controller.signal,
    )
  return {
    follow,
    taken,
    wakes,
    controller,
    append(...added: readonly LogItem[]) {
      items.push(...added)
      for (const wake of wakes) wake()
    },
    expire() {
      isExpired = true
      for (const wake of wakes) wake()
    },
    slowDown(until: Promise<void> | undefined) {
      wait = until
    },
    get reads() {
      return reads
    },
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('tail', () => {
  it('hands over what is there, and then what comes in the turn in which it comes', async () => {
    const log = open()
    log.append(event(1))
    const following = log.follow({ replyId })
    await settle()
    expect(log.taken).toEqual([1])
    log.append(event(2))
    expect(log.taken).toEqual([1, 2])
    log.append(end(3))
    await following
    expect(log.taken).toEqual([1, 2, 3])
    expect(log.wakes.size).toBe(0)
  })

  it('gives a slow taker nothing before it has taken the last, and then all at once', async () => {
    const log = open()
    const following = log.follow({ replyId })
    await settle()
    const gate = Promise.withResolvers<void>()
    log.slowDown(gate.promise)
    log.append(event(1))
    log.append(event(2))
    log.append(event(3))
    expect(log.taken).toEqual([1])
    log.slowDown(undefined)
    gate.resolve()
    await settle()
    expect(log.taken).toEqual([1, 2, 3])
    log.append(end(4))
    await following
  })

  it('misses nothing that comes while a store is asked', async () => {
    const log = open({ slow: true })
    const following = log.follow({ replyId })
    for (let seq = 1; seq <= 20; seq += 1) {
      log.append(event(seq))
      if (seq % 3 === 0) await settle()
      if (seq % 4 === 0) await Promise.resolve()
    }
    log.append(end(21))
    await following
    expect(log.taken).toEqual(Array.from({ length: 21 }, (_, index) => index + 1))
  })

  it('goes on after the end of a reply when it follows a session', async () => {
    const log = open()
    const following = log.follow()
    await settle()
    log.append(end(1), event(2))
    expect(log.taken).toEqual([1, 2])
    log.controller.abort(new Error('enough'))
    await expect(following).rejects.toThrow('enough')
    expect(log.wakes.size).toBe(0)
  })

  it('ends with the reason of its signal, whether it waits or not', async () => {
    const waiting = open()
    const following = waiting.follow()
    await settle()
    waiting.controller.abort(new Error('while it waits'))
    await expect(following).rejects.toThrow('while it waits')

    const busy = open()
    busy.slowDown(new Promise((resolve) => setImmediate(resolve)))
    busy.append(event(1))
    const taking = busy.follow()
    busy.controller.abort(new Error('while it is taken'))
    await expect(taking).rejects.toThrow('while it is taken')
  })

  it('F44: ends for a reader whose place is gone, be it that it was trimmed or that the log was lost', async () => {
    const log = open()
    const following = log.follow()
    await settle()
    log.expire()
    await expect(following).rejects.toMatchObject({ code: 'SUBSCRIPTION_CURSOR_EXPIRED' })
  })

  it('keeps the failure of its taker from the one who appends', async () => {
    const log = open()
    const following = log.follow()
    await settle()
    log.slowDown(Promise.reject(new Error('cannot write')))
    log.append(event(1))
    await expect(following).rejects.toThrow('cannot write')
  })
})
