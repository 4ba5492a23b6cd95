import { describe, expect, it } from 'vitest'
import { CursorExpiredError } from '../../src/errors.ts'
import type {
  ConversationId,
  Reply,
  ReplyFailureCode,
  ReplyId,
  Session,
  SessionId,
} from '../../src/domain.ts'
import type { AcceptOutcome, Ledger } from '../../src/store/ledger.ts'
import type { SendMessageRequest } from '../../src/session/acceptance.ts'
import { RunFailedError } from '../../src/strategy/run-failure.ts'
import type { Recovered } from '../../src/strategy/strategy.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import {
  assistantId,
  callerOf,
  message,
  openEngine,
  newDisk,
  newConversation,
  openMemoryStore,
  readAll,
  readUntil,
  typesOf,
} from '../kit/fakes/engine.ts'
import { createScriptedStrategy, type PlayedRun } from '../kit/fakes/strategy.ts'
import { accept, acceptReply, claimReply } from '../kit/fakes/stored-replies.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

type Engine = Awaited<ReturnType<typeof openEngine>>

/** A message whose run has been accepted upstream. */
async function begin(
  { replies, strategy }: Pick<Engine, 'replies' | 'strategy'>,
  text: string,
  more: Partial<SendMessageRequest> = {},
) {
  const reply = await replies.sendMessage(message(text, more))
  const run = await strategy.next()
  run.accept()
  return { reply, run }
}

/** One message and its whole answer. */
async function converse(
  gateway: Pick<Engine, 'replies' | 'strategy'>,
  text: string,
  answer: string,
  more: Partial<SendMessageRequest> = {},
) {
  const { reply, run } = await begin(gateway, text, more)
  run.complete(answer)
  const end = (await readAll(gateway.replies, reply.id)).at(-1)
  return { reply, run, end }
}

describe('reply engine', () => {
  it('answers when the message is accepted, and streams the reply to who comes late', async () => {
    await using gateway = await openEngine()
    const reply = await gateway.replies.sendMessage(message('Hello'))
    expect(reply.status).toBe('QUEUED')
    const run = await gateway.strategy.next()
    expect(run.request.text).toBe('Hello')
    run.accept()
    run.delta('Hi ')
    run.delta('there')
    run.complete('Hi there')
    const events = await readAll(gateway.replies, reply.id)
    expect(typesOf(events).filter((type) => type !== 'delta')).toEqual(['started', 'completed'])
    expect(events.at(-1)).toMatchObject({ type: 'completed', text: 'Hi there' })
    expect(await readAll(gateway.replies, reply.id)).toMatchObject([
      { type: 'started' },
      { type: 'delta', offset: 0, text: 'Hi there' },
      { type: 'completed', text: 'Hi there' },
    ])
  })

  it('F17: runs one reply of a conversation at a time, in the order of sending', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const first = await replies.sendMessage(message('1'))
    const run1 = await strategy.next()
    const second = await replies.sendMessage(message('2'))
    expect(second).toMatchObject({ conversationId: first.conversationId, queuePosition: 0 })
    run1.accept()
    run1.complete('one')
    const run2 = await strategy.next()
    expect(run2.request.text).toBe('2')
    expect(run2.request.upstream).toEqual(run1.request.upstream)
    run2.accept()
    run2.complete('two')
    expect((await readAll(replies, second.id)).at(-1)).toMatchObject({ text: 'two' })
  })

  it('INTERRUPT cancels the running reply and those that wait, and comes next', async () => {
    await using gateway = await openEngine()
    const { replies, strategy, lines } = gateway
    const { reply: first } = await begin(gateway, '1')
    const waiting = await replies.sendMessage(message('2'))
    const third = await converse(gateway, '3', 'three', { onBusy: 'INTERRUPT' })
    expect(third.run.request.text).toBe('3')
    expect((await readAll(replies, first.id)).at(-1)).toMatchObject({
      type: 'cancelled',
      upstreamCancelled: true,
    })
    expect(third.end).toMatchObject({ type: 'completed' })
    expect(await readAll(replies, waiting.id)).toMatchObject([
      { type: 'cancelled', upstreamCancelled: false },
    ])
    expect(strategy.started).toBe(2)
    const ended = lines.filter(({ message: line }) => line === 'reply ended')
    expect(ended.map(({ fields }) => fields['reply'])).toEqual(
      expect.arrayContaining([first.id, waiting.id, third.reply.id]),
    )
    expect(ended).toHaveLength(3)
  })

  it('a hundred INTERRUPTs at once run one message and cancel each other one once', async () => {
    const limits = { messagesPerMinute: 1_000, maxOpenPerSession: 5, maxQueued: 1 }
    await using gateway = await openEngine({ limits })
    const { replies, strategy, own } = gateway
    const { conversationId } = await replies.sendMessage(message('first'))
    const run = await strategy.next()
    run.accept()
    const sent = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        replies.sendMessage(message(`urgent ${n}`, { conversationId, onBusy: 'INTERRUPT' })),
      ),
    )
    const last = await strategy.next()
    last.accept()
    last.complete('done')
    const ids = sent.map(({ id }) => id)
    const ends = await Promise.all(ids.map(async (id) => typesOf(await readAll(replies, id))))
    expect(ends.filter((types) => types.includes('completed'))).toHaveLength(1)
    expect(ends.filter((types) => types.join() === 'cancelled')).toHaveLength(99)
    expect(strategy.started).toBe(2)
    expect(await own.openReplies(undefined)).toEqual([])
  })

  it.each(['claimed', 'sent'] as const)(
    'F21: a reply that was %s and interrupted when the gateway was killed is cancelled, and not looked up',
    async (step) => {
      const disk = newDisk()
      const left = { chatId: 'chat-1', conversationId: 'up-1' }
      let interrupting: AcceptOutcome | undefined
      const replyId = await leaveRunning(disk, left, step, async (ledger, reply, session) => {
        const { conversationId } = reply
        await acceptReply(ledger, session, { conversationId, assistantId })
        const interrupt = { conversationId, assistantId, onBusy: 'INTERRUPT' } as const
        interrupting = await accept(ledger, session, { ...interrupt, text: 'urgent' })
      })
      expect(interrupting).toMatchObject({ type: 'accepted', interrupts: replyId })
      await using store = disk.open()
      await using gateway = await openEngine({ store })
      const { engine, replies, strategy, own } = gateway
      strategy.recovers(() => {
        throw new Error('nobody asks how it went on')
      })
      await engine.recover()
      expect((await readAll(replies, replyId)).at(-1)).toMatchObject({ type: 'cancelled' })
      const next = await strategy.next()
      expect(next.request.text).toBe('urgent')
      next.accept()
      next.complete('here')
      await until(async () => (await own.openReplies(undefined)).length === 0, 'all to end')
      expect(strategy.started).toBe(1)
    },
  )

  it('INTERRUPT cancels a reply whose beginning is just being stored', async () => {
    await using store = await openMemoryStore()
    const begun = Promise.withResolvers<void>()
    const stored = Promise.withResolvers<void>()
    const { ledger } = store
    await using gateway = await openEngine({
      store,
      ledger: {
        ...ledger,
        async claim(...args) {
          const claim = await ledger.claim(...args)
          begun.resolve()
          await stored.promise
          return claim
        },
      },
    })
    const { replies, strategy } = gateway
    const first = await replies.sendMessage(message('1'))
    await begun.promise
    await replies.sendMessage(message('2', { onBusy: 'INTERRUPT' }))
    stored.resolve()
    expect((await strategy.next()).request.text).toBe('2')
    expect((await readAll(replies, first.id)).at(-1)).toMatchObject({ type: 'cancelled' })
  })

  it('REJECT refuses while another reply runs, and a full queue refuses all', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    await replies.sendMessage(message('1'))
    await strategy.next()
    await expect(replies.sendMessage(message('2', { onBusy: 'REJECT' }))).rejects.toMatchObject({
      code: 'CONVERSATION_BUSY',
    })
    await replies.sendMessage(message('2'))
    await replies.sendMessage(message('3'))
    await expect(replies.sendMessage(message('4'))).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  })

  it('cancels a waiting reply without running it', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    await replies.sendMessage(message('1'))
    const run = await strategy.next()
    const waiting = await replies.sendMessage(message('2'))
    expect(await replies.cancelReply(waiting.id)).toMatchObject({ status: 'CANCELLED' })
    run.accept()
    run.complete('one')
    const third = await replies.sendMessage(message('3'))
    expect((await strategy.next()).request.text).toBe('3')
    expect(await replies.cancelReply(third.id)).toMatchObject({ status: 'CANCELLED' })
  })

  it('counts and logs the end of a reply once, also of one that nobody ran', async () => {
    const ended: unknown[] = []
    const metrics = { ...uncounted, replyEnded: (...end: unknown[]) => void ended.push(end) }
    await using gateway = await openEngine({ metrics })
    const { replies, strategy, lines } = gateway
    const first = await replies.sendMessage(message('one'))
    const waiting = await replies.sendMessage(message('two'))
    const run = await strategy.next()
    run.accept()
    await replies.cancelReply(waiting.id)
    await replies.cancelReply(waiting.id)
    run.complete('done')
    await until(() => ended.length > 1, 'both ends')
    expect(ended).toEqual([
      ['CANCELLED', undefined],
      ['COMPLETED', undefined],
    ])
    const told = lines.filter((line) => line.message === 'reply ended')
    expect(told.map(({ fields }) => fields)).toMatchObject([
      { reply: waiting.id, assistant: 'helper', status: 'CANCELLED' },
      { reply: first.id, status: 'COMPLETED' },
    ])
  })

  it('a cancelled workflow goes on in a new upstream conversation, seeded, and says so', async () => {
    await using gateway = await openEngine({ kind: 'workflow' })
    const { replies } = gateway
    const { reply: first, run } = await begin(gateway, 'remember me')
    run.delta('I wi')
    await replies.cancelReply(first.id)
    const { run: again, end } = await converse(gateway, 'who am I?', 'You')
    expect(again.request.upstream).not.toEqual(run.request.upstream)
    expect(again.request.history.map(({ text }) => text)).toContain('remember me')
    expect(end).toMatchObject({ contextReset: true })
  })

  const unseenEnds = [
    ['is cancelled', async (gateway, { id }) => gateway.replies.cancelReply(id)],
    ['is cut', async (_, __, run) => run.fail(failed('UPSTREAM_TRUNCATED'))],
    ['falls silent', async (_, __, run) => run.fail(failed('UPSTREAM_TIMEOUT'))],
    ['cannot be read', async (_, __, run) => run.fail(failed('UPSTREAM_PROTOCOL'))],
    ['says too much', async (_, __, run) => run.fail(failed('LIMIT'))],
    [
      'names no run',
      async (_, __, run) =>
        run.say({ type: 'message', chatId: '', conversationId: '0', messageId: 'm', text: 'x' }),
    ],
    ['meets a fault of ours', async (_, __, run) => run.fail(new TypeError('a fault'))],
  ] satisfies readonly (readonly [
    string,
    (gateway: Engine, reply: Reply, run: PlayedRun) => Promise<unknown>,
  ])[]

  describe.each(['bot', 'workflow'] as const)('a %s whose end nobody saw', (kind) => {
    it.each(unseenEnds)(
      'leaves its upstream conversation to what still runs there: %s',
      async (_, endIt) => {
        await using gateway = await openEngine({ kind })
        const { replies, strategy } = gateway
        strategy.refusesCancels()
        const { reply: first, run } = await begin(gateway, 'remember me')
        run.delta('I wi')
        await readUntil(replies, first.id, 'delta')
        await endIt(gateway, first, run)
        await readAll(replies, first.id)
        const { run: again, end } = await converse(gateway, 'who am I?', 'You')
        expect(again.request.upstream).not.toEqual(run.request.upstream)
        expect(again.request.history.map(({ text }) => text)).toContain('remember me')
        expect(end).toMatchObject({ contextReset: true })
      },
    )
  })

  it.each(unseenEnds)(
    'a Bot that agrees to stop keeps its upstream conversation: %s',
    async (_, endIt) => {
      await using gateway = await openEngine()
      const { replies, strategy } = gateway
      const { reply: first, run } = await begin(gateway, 'remember me')
      run.delta('I wi')
      await readUntil(replies, first.id, 'delta')
      await endIt(gateway, first, run)
      await readAll(replies, first.id)
      expect(strategy.cancelled).toEqual([run.chatId])
      const { run: again, end } = await converse(gateway, 'who am I?', 'You')
      expect(again.request.upstream).toEqual(run.request.upstream)
      expect(end).toMatchObject({ contextReset: false })
    },
  )

  it('a reply that another instance runs leaves its upstream conversation when it is cancelled', async () => {
    await using gateway = await openEngine()
    const { replies, strategy, session, store } = gateway
    const { ledger } = store
    const reply = await acceptReply(ledger, session, { assistantId })
    const { id, conversationId } = reply
    const lease = await claimReply(ledger, session, conversationId)
    const binding = { scope: strategy.scope, strategy: strategy.kind, conversationId: 'up-old' }
    await lease.intend({ binding, contextReset: false, at: 2 })
    lease.recordChat('chat-old')
    expect(await replies.cancelReply(id)).toMatchObject({ status: 'CANCELLED' })
    const { run, end } = await converse(gateway, '2', 'two', { conversationId })
    expect(run.request.upstream).not.toMatchObject({ conversationId: 'up-old' })
    expect(end).toMatchObject({ contextReset: true })
  })

  it('F41: a Bot that went on in a conversation of its own choice is told the older messages with the next one', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    await converse(gateway, '1', 'one')
    const second = await replies.sendMessage(message('2'))
    const moved = await strategy.next()
    const { chatId } = moved
    const ids = { chatId, conversationId: 'up-moved' }
    moved.say(
      { type: 'accepted', ...ids },
      { type: 'message', ...ids, messageId: 'm', text: 'two' },
      { type: 'completed', ...ids, usage: null },
    )
    expect((await readAll(replies, second.id)).at(-1)).toMatchObject({ contextReset: true })
    const { run: next, end } = await converse(gateway, '3', 'three')
    expect(next.request.upstream).not.toMatchObject({ conversationId: 'up-moved' })
    expect(next.request.history.map(({ text }) => text)).toEqual(['1', 'one', '2', 'two'])
    expect(end).toMatchObject({ contextReset: true })
  })

  it('F21 F41: a Bot that went on elsewhere in a reply of an earlier process is told the older messages with the next one', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = newDisk()
    const ids = { chatId: 'chat-2', conversationId: 'up-moved' }
    {
      await using store = disk.open()
      await using gateway = await openEngine({ store })
      await converse(gateway, '1', 'one')
    }
    {
      await using store = disk.open()
      const caller = callerOf('alice')
      const nameOf = (generation: number) => caller.nameOf(generation)
      const { session } = await store.ledger.openSession('alice' as SessionId, nameOf, 0)
      const { conversationId } = await acceptReply(store.ledger, session, {
        assistantId,
        text: '2',
      })
      const lease = await claimReply(store.ledger, session, conversationId)
      await lease.intend({ binding: undefined, contextReset: false, at: 2 })
      const { scope, kind: strategy } = createScriptedStrategy()
      const binding = { scope, strategy, conversationId: ids.conversationId }
      await lease.bind(binding, { contextReset: true, at: 3 })
      lease.recordChat(ids.chatId)
    }
    const store = stack.use(disk.open())
    const { engine, replies, strategy, own } = stack.use(await openEngine({ store }))
    strategy.recovers(() => foundAnswer(ids, 'two'))
    const [open] = await own.openReplies(undefined)
    await engine.recover()
    if (open === undefined) throw new Error('nothing was left running')
    expect((await readAll(replies, open.id)).at(-1)).toMatchObject({ text: 'two' })
    await replies.sendMessage(message('3'))
    const next = await strategy.next()
    expect(next.request.upstream).not.toMatchObject({ conversationId: ids.conversationId })
    expect(next.request.history.map(({ text }) => text)).toEqual(['1', 'one', '2', 'two'])
  })

  it('F41: a conversation that is gone upstream goes on in a new one, within the same reply', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    await converse(gateway, '1', 'one')
    const second = await replies.sendMessage(message('2'))
    const gone = await strategy.next()
    gone.fail(
      new RunFailedError(
        { code: 'UPSTREAM_REFUSED', message: 'gone', retryable: false, retryAfterMs: null },
        { outcome: 'not-accepted', conversationGone: true },
      ),
    )
    const again = await strategy.next()
    expect(again.request.upstream).not.toEqual(gone.request.upstream)
    expect(again.request.history.map(({ text }) => text)).toEqual(['1', 'one'])
    again.accept()
    again.complete('two')
    const events = await readAll(replies, second.id)
    expect(typesOf(events)).toEqual(['started', 'delta', 'completed'])
    expect(events.at(-1)).toMatchObject({ text: 'two', contextReset: true })
  })

  it('F41: a conversation of an account that the assistant has left is not asked for', async () => {
    await using store = await openMemoryStore()
    {
      await using before = await openEngine({ store })
      await converse(before, '1', 'one')
    }
    const strategy = createScriptedStrategy('bot', 'another')
    await using gateway = await openEngine({ store, strategy })
    const reply = await gateway.replies.sendMessage(message('2'))
    const run = await strategy.next()
    expect(strategy.opened).toHaveLength(1)
    expect(run.request.history.map(({ text }) => text)).toEqual(['1', 'one'])
    run.accept()
    run.complete('two')
    expect((await readAll(gateway.replies, reply.id)).at(-1)).toMatchObject({
      text: 'two',
      contextReset: true,
    })
  })

  it('F9: a Bot whose stream breaks off is asked how it ended', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.delta('Hel')
    const { upstream } = run.request
    const conversationId = upstream.type === 'id' ? upstream.conversationId : ''
    strategy.recovers(({ chatId }) => {
      const ids = { chatId: chatId ?? '', conversationId }
      return foundAnswer(ids, 'Hello')
    })
    run.fail(truncated())
    const events = await readAll(replies, reply.id)
    expect(events.at(-1)).toMatchObject({ type: 'completed', text: 'Hello' })
  })

  it('F9: what arrived stays when nothing more can be found out', async () => {
    await using gateway = await openEngine()
    const { replies } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.delta('Hel')
    run.fail(truncated())
    const events = await readAll(replies, reply.id)
    expect(events.at(-1)).toMatchObject({ type: 'failed', code: 'UPSTREAM_TRUNCATED' })
    expect(events.at(-2)).toMatchObject({ type: 'delta', text: 'Hel' })
  })

  it('F9: what is looked up takes the place of what the stream said, and is not shown twice', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.message('One.', 'm1')
    run.delta('Two, and a pie', 'm2')
    run.say({
      type: 'follow-up',
      chatId: run.chatId,
      conversationId: run.conversationId,
      text: 'Why?',
    })
    strategy.recovers(({ chatId = '', shown }) => {
      expect(shown).toBe('One.\n\nTwo, and a pie')
      const ids = { chatId, conversationId: run.conversationId }
      return {
        type: 'found',
        events: [
          { type: 'accepted', ...ids },
          { type: 'message', ...ids, messageId: 'm1', text: 'One. Corrected.' },
          { type: 'follow-up', ...ids, text: 'Why?' },
          { type: 'completed', ...ids, usage: null },
        ],
      }
    })
    run.fail(truncated())
    const events = await readAll(replies, reply.id)
    expect(events.at(-1)).toMatchObject({
      type: 'completed',
      text: 'One. Corrected.',
      followUps: ['Why?'],
    })
  })

  it('F9: a Bot is asked by the conversation that it was sent to, where nothing of the run was seen', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const reply = await replies.sendMessage(message('1'))
    const run = await strategy.next()
    strategy.recovers(({ chatId, upstreamConversationId, shown }) => {
      expect({ chatId, upstreamConversationId, shown }).toEqual({
        chatId: undefined,
        upstreamConversationId: run.conversationId,
        shown: '',
      })
      const ids = { chatId: 'chat-1', conversationId: run.conversationId }
      return foundAnswer(ids, 'Hello')
    })
    run.fail(failed('UPSTREAM_OUTCOME_UNKNOWN'))
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
      type: 'completed',
      text: 'Hello',
    })
  })

  it.each(['UPSTREAM_TRUNCATED', 'UPSTREAM_TIMEOUT', 'UPSTREAM_OUTCOME_UNKNOWN'] as const)(
    'a Workflow that had said everything and announced it is looked up when its stream is lost (%s)',
    async (code) => {
      await using gateway = await openEngine({ kind: 'workflow' })
      const { replies, strategy } = gateway
      const { reply, run } = await begin(gateway, '1')
      run.delta('Hel')
      run.message('Hello')
      run.finish()
      strategy.recovers(({ shown, isFinished }) => {
        expect({ shown, isFinished }).toEqual({ shown: 'Hello', isFinished: true })
        const ids = { chatId: run.chatId, conversationId: run.conversationId }
        return foundAnswer(ids, 'Hello')
      })
      run.fail(failed(code))
      const events = await readAll(replies, reply.id)
      expect(events.at(-1)).toMatchObject({ type: 'completed', text: 'Hello' })
      // Its end is proven: the conversation goes on.
      await replies.sendMessage(message('2'))
      const next = await strategy.next()
      expect(next.request.upstream).toEqual(run.request.upstream)
    },
  )

  it.each([
    ['a message is half', true, 'UPSTREAM_TRUNCATED'],
    ['nothing was announced', false, 'UPSTREAM_TRUNCATED'],
    ['it fell silent unannounced', false, 'UPSTREAM_TIMEOUT'],
  ] as const)(
    'a Workflow is not looked up, and its text is kept, where %s',
    async (_, half, code) => {
      await using gateway = await openEngine({ kind: 'workflow' })
      const { replies, strategy } = gateway
      const { reply, run } = await begin(gateway, '1')
      run.message('One.', 'm1')
      if (half) {
        run.finish()
        run.delta('Two, and a pie', 'm2')
      }
      strategy.recovers(() => {
        throw new Error('looked up')
      })
      run.fail(failed(code))
      const events = await readAll(replies, reply.id)
      expect(events.at(-1)).toMatchObject({ type: 'failed', code })
      const [stored] = await gateway.own.replies([reply.id])
      expect(stored?.text).toBe(half ? 'One.\n\nTwo, and a pie' : 'One.')
    },
  )

  it('F9: a Bot that does not tell how its stream ended is asked for so long, and no longer', async () => {
    const clock = createFakeClock()
    await using gateway = await openEngine({ clock, recoverMs: 5_000 })
    const { replies, strategy } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.delta('Hel')
    const asked = Promise.withResolvers<void>()
    strategy.recovers(async (_request, signal) => {
      asked.resolve()
      await clock.sleep(600_000, signal)
      return { type: 'unknown' }
    })
    run.fail(truncated())
    await asked.promise
    await clock.pass(4_999)
    expect(await gateway.own.replies([reply.id])).toMatchObject([{ status: 'RUNNING' }])
    await clock.pass(1)
    const events = await readAll(replies, reply.id)
    expect(events.at(-1)).toMatchObject({ type: 'failed', code: 'UPSTREAM_TRUNCATED' })
    expect(events.at(-2)).toMatchObject({ type: 'delta', text: 'Hel' })
  })

  it.each([
    ['F10', 'UPSTREAM_TIMEOUT'],
    ['F11', 'UPSTREAM_PROTOCOL'],
    ['F14', 'UPSTREAM_TOO_LARGE'],
    ['F15', 'LIMIT'],
  ] as const)('%s: an upstream that is given up for %s is told to cancel', async (_row, code) => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.fail(failed(code))
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ type: 'failed', code })
    expect(strategy.cancelled).toEqual([run.chatId])
  })

  it('F7: the log id of a call that failed is kept for operators', async () => {
    await using gateway = await openEngine()
    const { replies, strategy, own } = gateway
    const reply = await replies.sendMessage(message('1'))
    const run = await strategy.next()
    run.fail(failed('UPSTREAM_ERROR', { logId: 'log-1' }))
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ code: 'UPSTREAM_ERROR' })
    expect(await own.replies([reply.id])).toMatchObject([
      { explanation: { upstreamLogId: 'log-1', upstreamChatId: null } },
    ])
  })

  it.each(['bot', 'workflow'] as const)(
    'F18: a %s that cancels its run itself ends the reply as cancelled',
    async (kind) => {
      await using gateway = await openEngine({ kind })
      const { replies } = gateway
      const { reply, run } = await begin(gateway, '1')
      run.delta('Hel')
      const { chatId, conversationId } = run
      run.say({ type: 'cancelled', chatId, conversationId })
      const events = await readAll(replies, reply.id)
      expect(typesOf(events)).toEqual(['started', 'delta', 'cancelled'])
      expect(events.at(-1)).toMatchObject({ upstreamCancelled: true })
    },
  )

  it('F16: ends a reply at the first event of another conversation, and shows nothing of it', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.say({
      type: 'delta',
      chatId: run.chatId,
      conversationId: 'of-bob',
      messageId: 'm',
      kind: 'ANSWER',
      text: 'swordfish',
    })
    const events = await readAll(replies, reply.id)
    expect(typesOf(events)).toEqual(['started', 'failed'])
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })

    await replies.sendMessage(message('2'))
    expect((await strategy.next()).request.upstream).not.toEqual(run.request.upstream)
  })

  it('leaves the older messages to the next reply where the one that was to bring them is refused', async () => {
    await using gateway = await openEngine({ kind: 'workflow' })
    const { replies, strategy } = gateway
    await converse(gateway, 'my name is Ann', 'hello Ann')
    const second = await replies.sendMessage(message('never mind'))
    await strategy.next()
    await replies.cancelReply(second.id)
    const third = await replies.sendMessage(message('what is my name?'))
    const refused = await strategy.next()
    expect(refused.request.history).toMatchObject([{ text: 'my name is Ann' }, {}, {}])
    const failure = { code: 'UPSTREAM_RATE_LIMITED', message: 'x', retryable: true } as const
    refused.fail(
      new RunFailedError({ ...failure, retryAfterMs: null }, { outcome: 'not-accepted' }),
    )
    await readAll(replies, third.id)
    const { run, end } = await converse(gateway, 'what is my name?', 'Ann')
    expect(run.request.history).toContainEqual(expect.objectContaining({ text: 'my name is Ann' }))
    expect(end).toMatchObject({ contextReset: true })
  })

  it("F16: ends a reply whose run begins in another's conversation instead of its own", async () => {
    await using gateway = await openEngine()
    const { replies, strategy, open } = gateway
    const bob = await open('bob')
    await bob.replies.sendMessage(message('of Bob'))
    const { conversationId } = await strategy.next()
    const reply = await replies.sendMessage(message('1'))
    const run = await strategy.next()
    const of = { chatId: run.chatId, conversationId }
    run.say(
      { type: 'accepted', ...of },
      { type: 'delta', ...of, messageId: 'm', kind: 'ANSWER', text: 'swordfish' },
    )
    const events = await readAll(replies, reply.id)
    expect(typesOf(events)).toEqual(['started', 'failed'])
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
  })

  it('F16: ends a reply whose lost run is found to be of another chat', async () => {
    await using gateway = await openEngine()
    const { replies, strategy } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.delta('Hel')
    const of = { chatId: 'of-bob', conversationId: run.conversationId }
    strategy.recovers(() => foundAnswer(of, 'swordfish'))
    run.fail(truncated())
    const events = await readAll(replies, reply.id)
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(JSON.stringify(events)).not.toContain('swordfish')
  })

  it('F16 F21: ends a reply of an earlier process whose run is found to be of another chat', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = newDisk()
    const conversationId = 'up-1'
    const replyId = await leaveRunning(disk, { chatId: 'chat-1', conversationId })
    const store = stack.use(disk.open())
    const { engine, replies, strategy } = stack.use(await openEngine({ store }))
    const of = { chatId: 'of-bob', conversationId }
    strategy.recovers(() => foundAnswer(of, 'swordfish'))
    await engine.recover()
    const events = await readAll(replies, replyId)
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(JSON.stringify(events)).not.toContain('swordfish')
  })

  it('a cancelled reply stays cancelled, however often it is cancelled', async () => {
    await using gateway = await openEngine()
    const { replies } = gateway
    const { reply } = await begin(gateway, '1')
    const first = await replies.cancelReply(reply.id)
    expect(first).toMatchObject({ status: 'CANCELLED', upstreamCancelled: true })
    expect(await replies.cancelReply(reply.id)).toEqual(first)
    expect(typesOf(await readAll(replies, reply.id))).toEqual(['started', 'cancelled'])
  })

  it('F20: a reply that does not end in time ends as SHUTDOWN, one that waits keeps waiting', async () => {
    await using gateway = await openEngine()
    const { replies, engine } = gateway
    const { reply: first } = await begin(gateway, '1')
    const second = await replies.sendMessage(message('2'))
    await engine.drain(AbortSignal.abort())
    expect((await readAll(replies, first.id)).at(-1)).toMatchObject({ code: 'SHUTDOWN' })
    const [waiting] = await gateway.store.ledger.session(gateway.session).replies([second.id])
    expect(waiting?.status).toBe('QUEUED')
    await expect(replies.sendMessage(message('3'))).rejects.toMatchObject({ code: 'DRAINING' })
  })

  it('F20: a reply of a Bot that does not end in time is left to the other instances, and is not cancelled', async () => {
    const instances = { isShared: true, live: 2, takeDuty: async () => false }
    await using gateway = await openEngine({ instances })
    const { replies, engine, run, reply } = { ...gateway, ...(await begin(gateway, '1')) }
    run.delta('o')
    await readUntil(replies, reply.id, 'delta')
    await engine.drain(AbortSignal.abort())
    const [left] = await gateway.store.ledger.session(gateway.session).replies([reply.id])
    expect(left).toMatchObject({ status: 'RUNNING', text: 'o' })
    expect(gateway.strategy.cancelled).toEqual([])
  })

  it.each([
    ['agrees to stop keeps', false],
    ['does not agree to stop leaves', true],
  ])('F20: a Bot that %s its upstream conversation at a shutdown', async (_, contextReset) => {
    await using store = await openMemoryStore()
    const strategy = createScriptedStrategy()
    if (contextReset) strategy.refusesCancels()
    let upstream
    {
      await using before = await openEngine({ store, strategy })
      const reply = await before.replies.sendMessage(message('1'))
      const run = await strategy.next()
      upstream = run.request.upstream
      run.accept()
      run.delta('o')
      await readUntil(before.replies, reply.id, 'delta')
      await before.engine.drain(AbortSignal.abort())
    }
    await using gateway = await openEngine({ store, strategy })
    const reply = await gateway.replies.sendMessage(message('2'))
    const run = await strategy.next()
    if (contextReset) expect(run.request.upstream).not.toEqual(upstream)
    else expect(run.request.upstream).toEqual(upstream)
    run.accept()
    run.complete('two')
    expect((await readAll(gateway.replies, reply.id)).at(-1)).toMatchObject({ contextReset })
  })

  it('F20: a reply that goes back to the queue at a shutdown is cancelled all the same where that was asked for', async () => {
    await using gateway = await openEngine()
    const { replies, strategy, engine } = gateway
    const stalled = strategy.stallOpening()
    const reply = await replies.sendMessage(message('1'))
    await stalled
    const drained = engine.drain(AbortSignal.abort())
    expect(await replies.cancelReply(reply.id)).toMatchObject({ status: 'CANCELLED' })
    await drained
    expect(typesOf(await readAll(replies, reply.id))).toEqual(['cancelled'])
  })

  it('F20: a reply that a message interrupts just before the shutdown does not run at the next start', async () => {
    await using gateway = await openEngine()
    const { replies, strategy, engine, session, store } = gateway
    const stalled = strategy.stallOpening()
    const { id, conversationId } = await replies.sendMessage(message('1'))
    await stalled
    const interrupting = { conversationId, assistantId, onBusy: 'INTERRUPT' } as const
    const accepted = acceptReply(store.ledger, session, interrupting)
    await engine.drain(AbortSignal.abort())
    const urgent = await accepted
    const found = await store.ledger.session(session).replies([id, urgent.id])
    expect(found.map((reply) => reply?.status)).toEqual(['CANCELLED', 'QUEUED'])
  })

  it('ends a reader of one reply that lags when the conversation is deleted', async () => {
    await using gateway = await openEngine()
    const { replies, conversations } = gateway
    const { reply, run } = await begin(gateway, '1')
    run.delta('Hi')
    const where = { conversationId: undefined, after: undefined, lastEventId: undefined }
    const subscription = await replies.subscribe({ replyId: reply.id, ...where })
    const asked = Promise.withResolvers<void>()
    const slow = Promise.withResolvers<void>()
    const following = subscription.follow(() => {
      asked.resolve()
      return slow.promise
    }, new AbortController().signal)
    await asked.promise
    run.complete('Hi')
    await readAll(replies, reply.id)
    await conversations.delete(reply.conversationId)
    slow.resolve()
    await expect(following).rejects.toThrow(CursorExpiredError)
  })

  it('F20: a reply that is being claimed when the time is over goes back to the queue', async () => {
    await using gateway = await openEngine()
    const reply = await gateway.replies.sendMessage(message('1'))
    await gateway.engine.drain(AbortSignal.abort())
    const [waiting] = await gateway.store.ledger.session(gateway.session).replies([reply.id])
    expect(waiting?.status).toBe('QUEUED')
  })

  it('F40: orders by what came first, whatever the clock says', async () => {
    const clock = createFakeClock()
    await using gateway = await openEngine({ clock })
    const { replies, strategy, own } = gateway
    const sent = []
    for (const text of ['one', 'two', 'three']) {
      const reply = await replies.sendMessage(message(text))
      sent.push(reply)
      const run = await strategy.next()
      run.accept()
      run.delta(`${text} `)
      clock.jump(-3_600_000)
      run.complete(`${text} done`)
      const events = await readAll(replies, reply.id)
      expect(events.at(-1)).toMatchObject({ type: 'completed', text: `${text} done` })
      clock.jump(text === 'one' ? 7_200_000 : -600_000)
    }
    const [{ conversationId } = { conversationId: '' as ConversationId }] = sent
    const page = { direction: 'forward', limit: 10, after: undefined, before: undefined } as const
    expect((await own.messagePage(conversationId, page))?.rows.map(({ text }) => text)).toEqual([
      'one',
      'one done',
      'two',
      'two done',
      'three',
      'three done',
    ])
    // A message goes on in the conversation that was used last, not in the one with the latest time.
    const fresh = await gateway.conversations.start(newConversation())
    clock.jump(-3_600_000)
    await replies.sendMessage(message('four', { conversationId: fresh.id }))
    const five = await replies.sendMessage(message('five'))
    expect(five.conversationId).toBe(fresh.id)
  })

  it('EXPIRED: a reply that waited too long is not sent', async () => {
    await using gateway = await openEngine({ queueExpiryMs: -1 })
    const reply = await gateway.replies.sendMessage(message('1'))
    expect(await readAll(gateway.replies, reply.id)).toMatchObject([
      { type: 'failed', code: 'EXPIRED' },
    ])
  })

  it("T1: another session's reply, conversation and cursor are unknown", async () => {
    await using gateway = await openEngine()
    const { replies } = gateway
    const reply = await replies.sendMessage(message('1'))
    const cursor = await replies.cursor()
    const { replies: bob } = await gateway.open('bob')
    const nothing = {
      replyId: undefined,
      conversationId: undefined,
      after: undefined,
      lastEventId: undefined,
    }
    await expect(bob.cancelReply(reply.id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(bob.subscribe({ ...nothing, replyId: reply.id })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(
      bob.sendMessage(message('2', { conversationId: reply.conversationId })),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(bob.subscribe({ ...nothing, after: cursor })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    })
    await replies.subscribe({ ...nothing, after: cursor })
  })

  it("T2: another session's reply cannot be stopped while it runs", async () => {
    await using gateway = await openEngine()
    const { replies } = gateway
    const { reply, run } = await begin(gateway, '1')
    const { replies: bob } = await gateway.open('bob')
    await expect(bob.cancelReply(reply.id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    run.complete('whole')
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
      type: 'completed',
      text: 'whole',
    })
  })
})

/** A reply of alice that ran, in a chat that was heard of, when its process ended. */
async function leaveRunning(
  disk: ReturnType<typeof newDisk>,
  { chatId, conversationId: upstreamId }: { chatId: string; conversationId: string },
  step: 'claimed' | 'sent' = 'sent',
  then: (ledger: Ledger, reply: Reply, session: Session) => Promise<void> = async () => undefined,
): Promise<ReplyId> {
  await using store = disk.open()
  const { ledger } = store
  const caller = callerOf('alice')
  const nameOf = (generation: number) => caller.nameOf(generation)
  const { session } = await ledger.openSession('alice' as SessionId, nameOf, 0)
  const reply = await acceptReply(ledger, session, { assistantId })
  const { id, conversationId } = reply
  const lease = await claimReply(ledger, session, conversationId)
  const { scope, kind: strategy } = createScriptedStrategy()
  const binding = { scope, strategy, conversationId: upstreamId }
  if (step === 'sent') {
    await lease.intend({ binding, contextReset: false, at: 2 })
    lease.recordChat(chatId)
  }
  await then(ledger, reply, session)
  return id
}

/** What a look-up says of a run that has answered. */
function foundAnswer(
  ids: { readonly chatId: string; readonly conversationId: string },
  text: string,
): Recovered {
  return {
    type: 'found',
    events: [
      { type: 'accepted', ...ids },
      { type: 'message', ...ids, messageId: 'm', text },
      { type: 'completed', ...ids, usage: null },
    ],
  }
}

function truncated(): RunFailedError {
  return failed('UPSTREAM_TRUNCATED')
}

function failed(code: ReplyFailureCode, more: { readonly logId?: string } = {}): RunFailedError {
  return new RunFailedError(
    { code, message: 'it failed', retryable: true, retryAfterMs: null },
    { outcome: 'unseen', ...more },
  )
}
