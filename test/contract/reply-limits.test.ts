import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/store/store.ts'
import type { Ledger } from '../../src/store/ledger.ts'
import {
  openMemoryStore,
  assistantId,
  message,
  newConversation,
  openEngine,
  readAll,
} from '../kit/fakes/engine.ts'
import {
  AssistantUnavailableError,
  ConversationBusyError,
  InvalidInputError,
  NotFoundError,
  RateLimitedError,
} from '../../src/errors.ts'
import { RunFailedError } from '../../src/strategy/run-failure.ts'
import { until } from '../kit/process/until.ts'

const unreachable = () =>
  new RunFailedError(
    {
      code: 'UPSTREAM_UNAVAILABLE',
      message: 'Nobody is there.',
      retryable: true,
      retryAfterMs: null,
    },
    { outcome: 'not-accepted' },
  )
const twoAMinute = { limits: { messagesPerMinute: 2, guestMessagesPerMinute: 1 } }
const keyed = (key: string) => ({ idempotency: { key, input: key } })

describe('T17: messages within a minute', () => {
  it('are so many for each session, and more are refused with the time to wait', async () => {
    await using gateway = await openEngine(twoAMinute)
    const { replies } = gateway
    await replies.sendMessage(message('1'))
    expect(await replies.limits()).toMatchObject({ messages: { remaining: 1 } })
    await replies.sendMessage(message('2'))
    const refusal = await replies.sendMessage(message('3')).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(RateLimitedError)
    expect(refusal).toMatchObject({ retryAfterMs: expect.any(Number) })
    const bob = await gateway.open('bob')
    expect(await bob.replies.sendMessage(message('1'))).toMatchObject({ status: 'QUEUED' })
  })

  it('are fewer for a guest', async () => {
    await using gateway = await openEngine(twoAMinute)
    const guest = await gateway.open('guest', { kind: 'guest' })
    await guest.replies.sendMessage(message('1'))
    await expect(guest.replies.sendMessage(message('2'))).rejects.toThrow(RateLimitedError)
  })

  it('F39: do not count a message twice that is sent again, nor refuse it', async () => {
    await using gateway = await openEngine(twoAMinute)
    const { replies } = gateway
    const first = await replies.sendMessage(message('1', keyed('k')))
    for (let n = 0; n < 3; n += 1) {
      expect((await replies.sendMessage(message('1', keyed('k')))).id).toBe(first.id)
    }
    expect(await replies.limits()).toMatchObject({ messages: { remaining: 1 } })
    await replies.sendMessage(message('2'))
    expect((await replies.sendMessage(message('1', keyed('k')))).id).toBe(first.id)
    await expect(replies.sendMessage(message('3', keyed('other')))).rejects.toThrow(
      RateLimitedError,
    )
  })
})

describe('a message that is refused', () => {
  it('does not count', async () => {
    await using gateway = await openEngine(twoAMinute)
    const { replies } = gateway
    const { conversationId } = await replies.sendMessage(message('1'))
    for (let n = 0; n < 3; n += 1) {
      const refused = message('2', { conversationId, onBusy: 'REJECT' })
      await expect(replies.sendMessage(refused)).rejects.toThrow(ConversationBusyError)
    }
    expect(await replies.limits()).toMatchObject({ messages: { remaining: 1 } })
  })

  it('F29: does not count where the store did not take it', async () => {
    await using real = await openMemoryStore()
    let isFailing = true
    const accept: Ledger['accept'] = async (session, request) => {
      if (isFailing) throw new StoreError('unavailable', 'the disk is away')
      return await real.ledger.accept(session, request)
    }
    const store = { ...real, ledger: { ...real.ledger, accept } }
    await using gateway = await openEngine({ store, limits: { messagesPerMinute: 1 } })
    const { replies } = gateway
    const refused = replies.sendMessage(message('1'))
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    isFailing = false
    expect(await replies.sendMessage(message('1'))).toMatchObject({ status: 'QUEUED' })
  })
})

describe('T17: the replies of a session', () => {
  it('are open at most so many at once', async () => {
    await using gateway = await openEngine({ limits: { maxOpenPerSession: 2, maxQueued: 10 } })
    const { replies, conversations } = gateway
    const first = await replies.sendMessage(message('1'))
    const other = await conversations.start(newConversation())
    await replies.sendMessage(message('2', { conversationId: other.id }))
    expect(await replies.limits()).toMatchObject({ openReplies: { remaining: 0 } })
    await expect(replies.sendMessage(message('3'))).rejects.toThrow(RateLimitedError)
    await replies.cancelReply(first.id)
    expect(await replies.sendMessage(message('3'))).toMatchObject({ status: 'QUEUED' })
  })

  it('run at most so many at once, and those of others pass them by', async () => {
    await using gateway = await openEngine({ limits: { maxRunningPerSession: 1 } })
    const { replies, conversations, strategy } = gateway
    const first = await replies.sendMessage(message('1'))
    const run = await strategy.next()
    const other = await conversations.start(newConversation())
    const second = await replies.sendMessage(message('2', { conversationId: other.id }))
    const bob = await gateway.open('bob')
    await bob.replies.sendMessage(message('from bob'))
    expect((await strategy.next()).request.text).toBe('from bob')
    expect(strategy.started).toBe(2)
    run.accept()
    run.complete('one')
    await readAll(replies, first.id)
    const next = await strategy.next()
    expect(next.request.text).toBe('2')
    next.accept()
    next.complete('two')
    expect((await readAll(replies, second.id)).at(-1)).toMatchObject({ text: 'two' })
  })
})

describe('F1: an assistant that cannot be reached', () => {
  it('is left alone after so many failures in a row: messages are refused with the time to wait', async () => {
    await using gateway = await openEngine({ circuitFailures: 2 })
    const { replies, strategy, engine } = gateway
    for (const text of ['1', '2']) {
      const reply = await replies.sendMessage(message(text))
      const run = await strategy.next()
      run.fail(unreachable())
      expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
      })
    }
    await until(() => engine.isDegraded(), 'the circuit to open')
    const refusal = await replies.sendMessage(message('3')).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(AssistantUnavailableError)
    expect(refusal).toMatchObject({ retryAfterMs: expect.any(Number) })
    const file = { name: 'a.txt', mediaType: 'text/plain', content: pieces('a') }
    await expect(gateway.conversations.uploadFile(undefined, file)).rejects.toThrow(
      AssistantUnavailableError,
    )
  })

  it('is served again once it answers', async () => {
    await using gateway = await openEngine({ circuitFailures: 1, circuitMs: 1 })
    const { replies, strategy, engine } = gateway
    await replies.sendMessage(message('1'))
    const run = await strategy.next()
    run.fail(unreachable())
    await until(() => engine.isDegraded(), 'the circuit to open')
    const reply = await until(
      () => replies.sendMessage(message('2')).catch(() => undefined),
      'a message to be taken',
    )
    const trial = await strategy.next()
    trial.accept()
    trial.complete('here again')
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ text: 'here again' })
    expect(engine.isDegraded()).toBe(false)
  })
})

describe('what a message carries', () => {
  it.each([
    ['a parameter that is not configured', { parameters: { other: 1 }, metadata: {} }],
    ['a parameter of a Bot that is no text', { parameters: { city: 1 }, metadata: {} }],
    ['metadata that is not configured', { parameters: {}, metadata: { other: 'x' } }],
    ['empty metadata', { parameters: {}, metadata: { ticket: '' } }],
    ['long metadata', { parameters: {}, metadata: { ticket: 'x'.repeat(513) } }],
  ])('is refused: %s', async (_what, extras) => {
    await using gateway = await openEngine()
    await expect(gateway.replies.sendMessage(message('x', { extras }))).rejects.toThrow(
      InvalidInputError,
    )
    expect(await gateway.replies.limits()).toMatchObject({ messages: { remaining: 60 } })
  })

  it('goes with it, files included', async () => {
    await using gateway = await openEngine()
    const { replies, conversations, strategy } = gateway
    const file = await conversations.uploadFile(assistantId, {
      name: 'a.txt',
      mediaType: 'text/plain; charset=utf-8',
      content: pieces('hel', 'lo'),
    })
    expect(gateway.records.uploaded).toEqual([{ name: 'a.txt', text: 'hello' }])
    const extras = { parameters: { city: 'Rome' }, metadata: { ticket: '7' } }
    const attachmentIds = [file.id]
    await replies.sendMessage(message('read it', { attachmentIds, extras }))
    const { request } = await strategy.next()
    expect(request).toMatchObject({
      text: 'read it',
      extras,
      attachments: [{ name: 'a.txt', upstreamId: 'file-1', bytes: 5 }],
    })
  })

  it('T1: is never a file of another session', async () => {
    await using gateway = await openEngine()
    const file = { name: 'a.txt', mediaType: 'text/plain', content: pieces('a') }
    const { id } = await gateway.conversations.uploadFile(undefined, file)
    const mallory = await gateway.open('mallory')
    await expect(
      mallory.replies.sendMessage(message('mine', { attachmentIds: [id] })),
    ).rejects.toThrow(NotFoundError)
  })

  it.each([
    ['of a media type that is not taken', { mediaType: 'application/x-sh' }, InvalidInputError],
    ['without a name', { name: '' }, InvalidInputError],
  ])('is no file %s', async (_what, change, error) => {
    await using gateway = await openEngine()
    const file = { name: 'a', mediaType: 'image/png', content: pieces('a'), ...change }
    await expect(gateway.conversations.uploadFile(undefined, file)).rejects.toThrow(error)
    expect(gateway.records.uploaded).toEqual([])
  })

  it.each([
    ['cannot be reached just now', true, null, 1_000],
    ['says itself when to come again', true, 5_000, 5_000],
    ['needs an operator', false, null, null],
  ])('is no file while the assistant %s', async (_what, retryable, told, retryAfterMs) => {
    await using gateway = await openEngine()
    const failure = { ...unreachable().failure, retryable, retryAfterMs: told }
    gateway.records.failWith(new RunFailedError(failure, { outcome: 'not-accepted' }))
    const file = { name: 'a', mediaType: 'image/png', content: pieces('a') }
    await expect(gateway.conversations.uploadFile(undefined, file)).rejects.toMatchObject({
      code: 'ASSISTANT_UNAVAILABLE',
      retryAfterMs,
    })
  })

  it('is a file only so often within a minute', async () => {
    await using gateway = await openEngine({ limits: { uploadsPerMinute: 1 } })
    const upload = () =>
      gateway.conversations.uploadFile(undefined, {
        name: 'a',
        mediaType: 'image/png',
        content: pieces('a'),
      })
    await upload()
    await expect(upload()).rejects.toThrow(RateLimitedError)
  })
})

async function* pieces(...texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text)
}
