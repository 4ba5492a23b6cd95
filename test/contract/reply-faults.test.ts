import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReplyEvent, ReplyId } from '../../src/domain.ts'
import type { SessionReplies } from '../../src/session/replies.ts'
import { runFailures } from '../../src/reply/failures.ts'
import type { LogItem } from '../../src/store/log.ts'
import { StoreError } from '../../src/store/store.ts'
import { RunFailedError } from '../../src/strategy/run-failure.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import {
  assistantId,
  message,
  newDisk,
  openEngine,
  openMemoryStore,
  readAll,
  readUntil,
  typesOf,
} from '../kit/fakes/engine.ts'
import { type DiskWeather, fairWeather } from '../sim/store/commits.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

/** A store on a disk that can be filled, and whose next commits can fail. */
function openSmallStore() {
  let isFull = false
  let failures = 0
  const weather: DiskWeather = {
    ...fairWeather,
    outage(writes) {
      if (isFull) return 'full'
      // Text is written whenever it comes: it is not what is to fail.
      const isEnd = writes.includes('finish') || writes.includes('end')
      if (failures === 0 || !isEnd) return undefined
      failures -= 1
      return 'unavailable'
    },
  }
  return {
    store: newDisk(weather).open(),
    fill: () => (isFull = true),
    makeRoom: () => (isFull = false),
    failOnce: () => (failures += 1),
  }
}

/** More than is written at once. */
const long = 'x'.repeat(20_000)

describe('a disk that is full', () => {
  it('F33: stops what runs, closes its readers resumably, and tells STORE_FULL when there is room', async () => {
    const { store, fill, makeRoom } = openSmallStore()
    {
      await using gateway = await openEngine({ store })
      const { replies, strategy } = gateway
      const reply = await replies.sendMessage(message('1'))
      const run = await strategy.next()
      run.accept()
      run.delta('before ')
      const seen: ReplyEvent[] = []
      const subscription = await replies.subscribe({
        replyId: reply.id,
        conversationId: undefined,
        after: undefined,
        lastEventId: undefined,
      })
      const take = (items: readonly LogItem[]) => void seen.push(...items.map((item) => item.event))
      const reading = subscription.follow(take, new AbortController().signal)
      const closed = reading.catch((error: unknown) => error)
      await until(() => seen.some(({ type }) => type === 'delta'), 'the first word')
      await store.ping()

      fill()
      run.delta(long)
      expect(await closed).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
      run.delta('more')
      await until(() => strategy.cancelled.includes(run.chatId), 'the run to be stopped')
      await expect(replies.sendMessage(message(long))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        status: 503,
        retryable: true,
      })
      expect(typesOf(seen)).not.toContain('failed')
      expect(await gateway.own.replies([reply.id])).toMatchObject([{ status: 'RUNNING' }])

      makeRoom()
      const events = await readAfterwards(replies, reply.id)
      expect(events.at(-1)).toMatchObject({ type: 'failed', code: 'STORE_FULL' })
      const after = await replies.sendMessage(message('2'))
      const next = await strategy.next()
      next.accept()
      next.complete('as ever')
      expect((await readAll(replies, after.id)).at(-1)).toMatchObject({ text: 'as ever' })
    }
    await store[Symbol.asyncDispose]()
  })
})

describe('an end that the disk refuses', () => {
  /** An engine that counts ends, on a disk whose next commit can fail. */
  async function open() {
    const { store, failOnce } = openSmallStore()
    onTestFinished(() => store[Symbol.asyncDispose]())
    const ends: string[] = []
    const replyEnded = (status: string) => void ends.push(status)
    const gateway = await openEngine({ store, metrics: { ...uncounted, replyEnded } })
    onTestFinished(() => gateway[Symbol.asyncDispose]())
    const told = () => gateway.lines.filter((line) => line.message === 'reply ended')
    return { ...gateway, failOnce, ends, told }
  }

  it.each(['completed', 'failed', 'cancelled'] as const)(
    'is logged and counted once: of a reply that is %s',
    async (how) => {
      const { replies, strategy, failOnce, ends, told } = await open()
      const reply = await replies.sendMessage(message('1'))
      const run = await strategy.next()
      run.accept()
      run.delta('Hi')
      await readUntil(replies, reply.id, 'delta')
      failOnce()
      switch (how) {
        case 'completed':
          run.complete('Hi')
          break
        case 'failed':
          run.fail(new RunFailedError(runFailures.truncated, { outcome: 'unseen' }))
          break
        case 'cancelled':
          await replies.cancelReply(reply.id)
          break
      }
      await until(() => told().length > 0, 'the end to be told')
      expect(ends).toEqual([how.toUpperCase()])
      expect(told()).toHaveLength(1)
    },
  )

  it('leaves a reply waiting that was to be cancelled, and it can be cancelled afterwards', async () => {
    const { replies, strategy, failOnce, ends, told, own } = await open()
    const first = await replies.sendMessage(message('1'))
    const run = await strategy.next()
    run.accept()
    run.delta('1')
    await readUntil(replies, first.id, 'delta')
    const { conversationId } = first
    const second = await replies.sendMessage(message('2', { conversationId }))
    const third = await replies.sendMessage(message('3', { conversationId }))
    failOnce()
    await expect(replies.cancelReply(second.id)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await own.replies([second.id])).toMatchObject([{ status: 'QUEUED' }])
    expect(told()).toEqual([])
    await replies.cancelReply(second.id)
    expect(ends).toEqual(['CANCELLED'])
    run.complete('1')
    const next = await strategy.next()
    expect(next.request.text).toBe('3')
    next.accept()
    next.complete('3')
    await readAll(replies, third.id)
    expect(told()).toHaveLength(3)
  })
})

/** As a client does that is told to come again. */
function readAfterwards(replies: SessionReplies, replyId: ReplyId): Promise<ReplyEvent[]> {
  return until(
    () =>
      readAll(replies, replyId).catch((error: unknown) => {
        if (error instanceof StoreError) return undefined
        throw error
      }),
    'the end of the reply',
  )
}

describe('a clock that jumps', () => {
  it('F40: makes no reply expire that came to the head of its queue a moment ago', async () => {
    const clock = createFakeClock()
    const queueExpiryMs = 600_000
    const quotas = new Map([[assistantId, { maxRunning: 1, startsPerSecond: 1000 }]])
    await using gateway = await openEngine({ clock, queueExpiryMs, quotas })
    const { strategy } = gateway
    await gateway.replies.sendMessage(message('in the way'))
    const first = await strategy.next()
    first.accept()
    const bob = await gateway.open('bob')
    const waiting = await bob.replies.sendMessage(message('waits'))
    clock.jump(queueExpiryMs)
    first.complete('done')
    const run = await strategy.next()
    expect(run.request.text).toBe('waits')
    run.accept()
    run.complete('in time')
    expect((await readAll(bob.replies, waiting.id)).at(-1)).toMatchObject({ text: 'in time' })
  })

  it('F40: expires one that has waited in vain, however long its gateway was away meanwhile', async () => {
    const clock = createFakeClock()
    const queueExpiryMs = 600_000
    await using store = await openMemoryStore()
    let id: ReplyId
    {
      await using gateway = await openEngine({ clock, queueExpiryMs, store })
      const stalled = gateway.strategy.stallOpening()
      id = (await gateway.replies.sendMessage(message('1'))).id
      await stalled
    }
    clock.advance(queueExpiryMs)
    await using gateway = await openEngine({ clock, queueExpiryMs, store })
    await gateway.sessions.recover()
    expect((await readAll(gateway.replies, id)).at(-1)).toMatchObject({ code: 'EXPIRED' })
  })
})

describe('an engine that is closed', () => {
  it('F20: gives back to the queue a reply for which nothing was sent, and the next one runs it', async () => {
    await using store = await openMemoryStore()
    {
      await using gateway = await openEngine({ store })
      const stalled = gateway.strategy.stallOpening()
      const reply = await gateway.replies.sendMessage(message('1'))
      await stalled
      await gateway.engine.drain(AbortSignal.abort())
      expect(await gateway.own.replies([reply.id])).toMatchObject([{ status: 'QUEUED' }])
    }
    await using gateway = await openEngine({ store })
    const [waiting] = await gateway.own.openReplies(undefined)
    await gateway.sessions.recover()
    const run = await gateway.strategy.next()
    expect(run.request.text).toBe('1')
    run.accept()
    run.complete('done')
    const events = waiting && (await readAll(gateway.replies, waiting.id))
    expect(events?.at(-1)).toMatchObject({ type: 'completed' })
  })
})
