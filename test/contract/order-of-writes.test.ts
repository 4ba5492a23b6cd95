import { describe, expect, it } from 'vitest'
import type { ConversationId, Reply, ReplyEvent } from '../../src/domain.ts'
import { onAbort } from '../../src/lib/on-abort.ts'
import type { CancelOutcome, TakeRunEvents } from '../../src/strategy/strategy.ts'
import { fairWeather, type WriteName } from '../sim/store/commits.ts'
import {
  assistantId,
  message,
  newDisk,
  openEngine,
  type OpenEngineOptions,
  readAll,
  readUntil,
} from '../kit/fakes/engine.ts'
import type { PlayedRun } from '../kit/fakes/strategy.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

/** An engine over a disk that tells which writes have become durable, and can refuse the next ones. */
async function openWritten(options: OpenEngineOptions = {}) {
  const writes: WriteName[] = []
  let failures = 0
  const disk = newDisk({
    ...fairWeather,
    onDurable: (names) => void writes.push(...names),
    outage() {
      if (failures === 0) return undefined
      failures -= 1
      return 'unavailable'
    },
  })
  const store = options.store ?? disk.open()
  const claims: ConversationId[] = []
  const running: number[] = []
  const gateway = await openEngine({
    store,
    ledger: {
      ...store.ledger,
      async claim(session, conversationId, at) {
        claims.push(conversationId)
        return await store.ledger.claim(session, conversationId, at)
      },
    },
    metrics: { ...uncounted, queueLength: (_, __, count) => void running.push(count) },
    ...options,
  })
  const { replies, strategy } = gateway
  async function answer(reply: Reply, text = 'yes'): Promise<PlayedRun> {
    const run = await strategy.next()
    run.accept()
    run.complete(text)
    await readAll(replies, reply.id)
    return run
  }
  return {
    ...gateway,
    disk,
    writes,
    claims,
    answer,
    failOnce: () => void (failures += 1),
    /** Replies that hold a permit now. */
    held: () => running.at(-1) ?? 0,
    /** Talks once, so that the conversation is bound. */
    async bind() {
      const reply = await replies.sendMessage(message('first'))
      await answer(reply)
      await until(() => running.at(-1) === 0, 'the permit to be released')
      writes.length = 0
      claims.length = 0
      return reply.conversationId
    },
  }
}

const textsOf = (runs: readonly PlayedRun[]) => runs.map(({ request }) => request.text)

describe('a message to a conversation that is idle and bound', () => {
  it('leaves after one durable write, in the turn in which its sender is answered', async () => {
    await using gateway = await openWritten()
    const { replies, strategy, writes } = gateway
    await gateway.bind()
    const reply = await replies.sendMessage(message('second'))
    expect(writes).toEqual(['accept'])
    expect(strategy.started).toBe(2)
    expect(reply.status).toBe('RUNNING')
    await gateway.answer(reply)
  })

  it('shows its first text before the id of its chat is stored', async () => {
    await using gateway = await openWritten()
    const { replies, strategy, writes } = gateway
    await gateway.bind()
    const reply = await replies.sendMessage(message('second'))
    const run = await strategy.next()
    run.accept()
    run.delta('Hi')
    expect(await readUntil(replies, reply.id, 'delta')).toMatchObject({ text: 'Hi' })
    expect(writes).toEqual(['accept'])
    run.complete('Hi')
    await readAll(replies, reply.id)
  })

  it('shows its first text in the turn in which that comes', async () => {
    await using gateway = await openWritten()
    const { replies, strategy } = gateway
    await gateway.bind()
    const started = Promise.withResolvers<TakeRunEvents>()
    strategy.start = (_, take, signal) => {
      started.resolve(take)
      return new Promise((_, reject) => onAbort(signal, () => reject(signal.reason)))
    }
    const reply = await replies.sendMessage(message('second'))
    const take = await started.promise
    const seen: ReplyEvent[] = []
    const everything = { replyId: undefined, lastEventId: undefined, after: undefined }
    const { conversationId } = reply
    const subscription = await replies.subscribe({ ...everything, conversationId })
    const stop = new AbortController()
    const following = subscription.follow((items) => {
      seen.push(...items.map(({ event }) => event))
      return undefined
    }, stop.signal)
    await new Promise((resolve) => setImmediate(resolve))
    const ids = { chatId: 'chat', conversationId: `up-${conversationId}-0` }
    const wait = take([
      { type: 'accepted', ...ids },
      { type: 'delta', ...ids, messageId: 'm', kind: 'ANSWER', text: 'Hi' },
    ])
    expect(wait).toBeUndefined()
    expect(seen).toMatchObject([{ type: 'delta', text: 'Hi' }])
    stop.abort(new Error('enough'))
    await expect(following).rejects.toThrow('enough')
  })

  it('asks for no claim, before it or after it', async () => {
    await using gateway = await openWritten()
    await gateway.bind()
    await gateway.answer(await gateway.replies.sendMessage(message('second')))
    await gateway.answer(await gateway.replies.sendMessage(message('third')))
    await until(() => gateway.held() === 0, 'the permit to be released')
    expect(gateway.claims).toEqual([])
  })

  it('may name it without its assistant', async () => {
    await using gateway = await openWritten()
    const conversationId = await gateway.bind()
    await gateway.answer(await gateway.replies.sendMessage(message('second', { conversationId })))
    expect(gateway.claims).toEqual([])
  })

  it('is claimed from the queue by a process that does not know whose conversation it is', async () => {
    await using gateway = await openWritten()
    const conversationId = await gateway.bind()
    await using next = await openWritten({ store: gateway.store })
    await next.answer(await next.replies.sendMessage(message('second', { conversationId })))
    expect(next.claims).toEqual([conversationId])
  })

  it('is followed by the messages that came meanwhile, in their order', async () => {
    await using gateway = await openWritten()
    const { replies, strategy } = gateway
    await gateway.bind()
    await replies.sendMessage(message('2'))
    const waiting = [
      await replies.sendMessage(message('3')),
      await replies.sendMessage(message('4')),
    ]
    const runs = [await strategy.next()]
    for (const reply of waiting) {
      runs.at(-1)?.accept()
      runs.at(-1)?.complete('yes')
      runs.push(await strategy.next())
      expect(await gateway.own.replies([reply.id])).toMatchObject([{ status: 'RUNNING' }])
    }
    expect(textsOf(runs)).toEqual(['2', '3', '4'])
  })

  it('is cancelled by an INTERRUPT that is accepted in the same moment', async () => {
    await using gateway = await openWritten()
    const { replies, strategy } = gateway
    await gateway.bind()
    const [first, urgent] = await Promise.all([
      replies.sendMessage(message('2')),
      replies.sendMessage(message('3', { onBusy: 'INTERRUPT' })),
    ])
    expect(first.status).toBe('RUNNING')
    expect((await readAll(replies, first.id)).at(-1)).toMatchObject({ type: 'cancelled' })
    let run = await strategy.next()
    if (run.request.text === '2') run = await strategy.next()
    expect(run.request.text).toBe('3')
    run.accept()
    run.complete('now')
    expect((await readAll(replies, urgent.id)).at(-1)).toMatchObject({ text: 'now' })
  })

  it('is cancelled by an INTERRUPT whose answer comes before its own', async () => {
    await using gateway = await openWritten()
    const conversationId = await gateway.bind()
    const { store } = gateway
    const claimed = Promise.withResolvers<void>()
    await using next = await openEngine({
      store,
      ledger: {
        ...store.ledger,
        async accept(session, request) {
          const outcome = await store.ledger.accept(session, request)
          if (request.text === '2') await claimed.promise
          return outcome
        },
        async claim(...args) {
          const lease = await store.ledger.claim(...args)
          setImmediate(claimed.resolve)
          return lease
        },
      },
    })
    const { replies, strategy } = next
    const both = { assistantId, conversationId }
    const [first, urgent] = await Promise.all([
      replies.sendMessage(message('2', both)),
      replies.sendMessage(message('3', { ...both, onBusy: 'INTERRUPT' })),
    ])
    expect((await readAll(replies, first.id)).at(-1)).toMatchObject({ type: 'cancelled' })
    const run = await strategy.next()
    expect(run.request.text).toBe('3')
    run.accept()
    run.complete('now')
    expect((await readAll(replies, urgent.id)).at(-1)).toMatchObject({ text: 'now' })
  })

  it('goes on in a new upstream conversation where its assistant is driven otherwise by then', async () => {
    await using gateway = await openWritten()
    const { strategy } = gateway
    await gateway.bind()
    await using other = await openWritten({
      store: gateway.store,
      strategy: gateway.strategy,
      serve: () => ({ strategy: { ...strategy, kind: 'workflow' }, reason: 'the bot leaks' }),
    })
    const reply = await other.replies.sendMessage(message('second'))
    const run = await strategy.next()
    expect(run.request.history).toHaveLength(2)
    expect(strategy.opened).toHaveLength(2)
    run.accept()
    run.complete('yes')
    expect((await readAll(other.replies, reply.id)).at(-1)).toMatchObject({ contextReset: true })
  })
})

describe('a message to a new conversation', () => {
  it('leaves when it is bound, with its intent, in one write', async () => {
    await using gateway = await openWritten()
    const { replies, strategy, writes } = gateway
    writes.length = 0
    const reply = await replies.sendMessage(message('first'))
    expect(reply.status).toBe('QUEUED')
    await strategy.next()
    expect(writes).toEqual(['accept', 'claim', 'intend'])
  })
})

describe('text of a run that reveals its conversation', () => {
  it.each(['named', 'replaced'] as const)('is not shown before that is bound: %s', async (how) => {
    await using gateway = await openWritten({ kind: how === 'named' ? 'workflow' : 'bot' })
    const { replies, writes } = gateway
    const strategy = gateway.strategy
    if (how === 'named') strategy.open = async () => ({ type: 'named' })
    else await gateway.bind()
    const reply = await replies.sendMessage(message('mine'))
    const run = await strategy.next()
    const ids = { chatId: run.chatId, conversationId: 'revealed' }
    run.say(
      { type: 'accepted', ...ids },
      { type: 'delta', ...ids, messageId: 'm', kind: 'ANSWER', text: 'Hi' },
    )
    await readUntil(replies, reply.id, 'delta')
    expect(writes).toContain('bind')
    // It may be written as soon as it is shown, and never before the binding.
    expect(writes.slice(0, writes.indexOf('bind'))).not.toContain('text')
  })
})

describe('a permit', () => {
  const quotas = new Map([[assistantId, { maxRunning: 1, startsPerSecond: 1000 }]])

  it('is not lost where the message could not be stored', async () => {
    await using gateway = await openWritten({ quotas })
    const { replies, strategy, failOnce } = gateway
    await gateway.bind()
    failOnce()
    await expect(replies.sendMessage(message('lost'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    expect(gateway.held()).toBe(0)
    expect(strategy.started).toBe(1)
    await gateway.answer(await replies.sendMessage(message('second')))
    expect(gateway.claims).toEqual([])
  })

  it.each(['repeated', 'refused'] as const)('is not kept by a message that is %s', async (what) => {
    await using gateway = await openWritten({ quotas })
    const { replies } = gateway
    const conversationId = await gateway.bind()
    const idempotency = { key: 'key', input: 'x' }
    await gateway.answer(await replies.sendMessage(message('once', { idempotency })))
    await until(() => gateway.held() === 0, 'the permit to be released')
    if (what === 'repeated') await replies.sendMessage(message('once', { idempotency }))
    else {
      const unknown = { conversationId: 'unknown' as ConversationId, assistantId }
      await expect(replies.sendMessage(message('x', unknown))).rejects.toMatchObject({
        code: 'NOT_FOUND',
      })
    }
    expect(gateway.held()).toBe(0)
    await gateway.answer(await replies.sendMessage(message('again', { conversationId })))
  })

  it('is not waited for by who sends: the message waits in the queue', async () => {
    await using gateway = await openWritten({ quotas })
    const { replies, strategy } = gateway
    await gateway.bind()
    const bob = await gateway.open('bob')
    await bob.replies.sendMessage(message('in the way'))
    const first = await strategy.next()
    const reply = await replies.sendMessage(message('second'))
    expect(reply.status).toBe('QUEUED')
    first.accept()
    first.complete('done')
    await gateway.answer(reply)
  })
})

describe('a message that comes later', () => {
  it('does not overtake one that is queued, though nothing runs and a permit is free', async () => {
    await using gateway = await openWritten()
    const { store } = gateway
    const conversationId = await gateway.bind()
    const asked = Promise.withResolvers<void>()
    const claimable = Promise.withResolvers<void>()
    await using next = await openEngine({
      store,
      ledger: {
        ...store.ledger,
        async claim(...args) {
          asked.resolve()
          await claimable.promise
          return await store.ledger.claim(...args)
        },
      },
    })
    const { replies, strategy } = next
    // It names its conversation only, so that this process has to queue it.
    const first = await replies.sendMessage(message('2', { conversationId }))
    await asked.promise
    const second = await replies.sendMessage(message('3', { conversationId, assistantId }))
    expect([first.status, second.status]).toEqual(['QUEUED', 'QUEUED'])
    claimable.resolve()
    const run = await strategy.next()
    expect(run.request.text).toBe('2')
    run.accept()
    run.complete('two')
    expect((await strategy.next()).request.text).toBe('3')
  })
})

describe('a run that is cancelled', () => {
  it.each(['bot', 'workflow'] as const)(
    'before its chat id is known leaves its upstream conversation to what may run there: a %s',
    async (kind) => {
      await using gateway = await openWritten({ kind })
      const { replies, strategy } = gateway
      await gateway.bind()
      const first = await replies.sendMessage(message('never mind'))
      const run = await strategy.next()
      await replies.cancelReply(first.id)
      const second = await replies.sendMessage(message('again'))
      const again = await strategy.next()
      expect(again.request.upstream).not.toEqual(run.request.upstream)
      expect(again.request.history.map(({ text }) => text)).toContain('never mind')
      again.accept()
      again.complete('yes')
      expect((await readAll(replies, second.id)).at(-1)).toMatchObject({ contextReset: true })
    },
  )

  it('is not said to be cancelled before the platform was told', async () => {
    await using gateway = await openWritten()
    const { replies, strategy, own, writes } = gateway
    await gateway.bind()
    const told = Promise.withResolvers<void>()
    const agreed = Promise.withResolvers<CancelOutcome>()
    strategy.cancel = () => {
      told.resolve()
      return agreed.promise
    }
    const reply = await replies.sendMessage(message('never mind'))
    const run = await strategy.next()
    run.accept()
    run.delta('well')
    await readUntil(replies, reply.id, 'delta')
    const cancelling = replies.cancelReply(reply.id)
    await told.promise
    expect(await own.replies([reply.id])).toMatchObject([{ status: 'RUNNING' }])
    expect(writes).not.toContain('finish')
    agreed.resolve('agreed')
    expect(await cancelling).toMatchObject({ status: 'CANCELLED', upstreamCancelled: true })
  })

  it.each([
    ['agreed to', () => undefined, false],
    ['refused', (strategy) => strategy.refusesCancels(), false],
    ['not told', (strategy) => strategy.losesCancels(), true],
  ] satisfies readonly (readonly [
    string,
    (strategy: Awaited<ReturnType<typeof openEngine>>['strategy']) => void,
    boolean,
  ])[])('owes the platform a cancel where that was not told: %s', async (_, prepare, isOwed) => {
    await using gateway = await openWritten()
    const { replies, strategy, store, session } = gateway
    prepare(strategy)
    const reply = await replies.sendMessage(message('never mind'))
    const run = await strategy.next()
    run.accept()
    run.delta('well')
    await readUntil(replies, reply.id, 'delta')
    expect(await replies.cancelReply(reply.id)).toMatchObject({ status: 'CANCELLED' })
    const dueAt = await store.outbox.nextDue()
    if (!isOwed) expect(dueAt).toBeUndefined()
    else {
      const works = await store.outbox.take({ now: dueAt ?? 0, leaseMs: 1, limit: 10 })
      expect(works).toMatchObject([
        {
          type: 'cancel-chat',
          session,
          assistantId,
          chatId: run.chatId,
          upstream: { conversationId: run.conversationId, strategy: 'bot' },
        },
      ])
    }
  })
})

describe('the end of the gateway', () => {
  it('F20: between the write that begins a reply and its sending ends the reply, and nothing is sent', async () => {
    await using gateway = await openWritten()
    await gateway.bind()
    const { store } = gateway
    const accepted = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<void>()
    await using next = await openEngine({
      store,
      ledger: {
        ...store.ledger,
        async accept(...args) {
          const outcome = await store.ledger.accept(...args)
          accepted.resolve()
          await answered.promise
          return outcome
        },
      },
    })
    const sending = next.replies.sendMessage(message('late'))
    await accepted.promise
    await next.engine.drain(AbortSignal.abort())
    answered.resolve()
    const reply = await sending
    await until(
      async () => (await next.own.openReplies(undefined)).length === 0,
      'the reply to end',
    )
    expect((await readAll(next.replies, reply.id)).at(-1)).toMatchObject({ code: 'SHUTDOWN' })
    expect(next.strategy.started).toBe(0)
  })
})
