import { describe, expect, it } from 'vitest'
import { type ChatClientOptions, createChatClient } from '../../../src/client/client.ts'
import {
  accepted,
  completed,
  createFakeChatGateway,
  delta,
  keepAliveMs,
  started,
} from '../../kit/fakes/chat-gateway.ts'

const maxAttempts = 5

function open(options: Partial<ChatClientOptions> = {}) {
  const gateway = createFakeChatGateway()
  let tokens = 0
  const errors: string[] = []
  const chat = createChatClient({
    url: 'http://gateway.test/graphql',
    token: () => `token ${(tokens += 1)}`,
    onError: ({ code }) => errors.push(code),
    maxAttempts,
    ...gateway,
    ...options,
  })
  return { ...gateway, chat, errors }
}

describe('the stream of a session', () => {
  it('begins where the log ended before the message was sent, so that no event is missed', async () => {
    const { chat, stream, requests } = open()
    const reply = await chat.send('hello')
    const { after } = await stream()
    expect(after).toBe('c0')
    expect(requests.map(({ operation }) => operation.query.slice(0, 8))).toEqual([
      'query($i',
      'mutation',
    ])
    expect(reply.status).toBe('QUEUED')
  })

  it('keeps the events that come before the response to the message', async () => {
    const { chat, stream, streams } = open()
    const stop = chat.onEvent(() => undefined)
    const first = await stream()
    const sending = chat.send('hello')
    first.send(started('r1', 'c1'), delta('r1', 'c2', 0, 'Hel'))
    const reply = await sending
    first.send(delta('r1', 'c3', 3, 'lo'), completed('r1', 'c4', 'Hello'))
    expect(await reply.done).toMatchObject({ status: 'COMPLETED', text: 'Hello' })
    const seen: string[] = []
    for await (const { cursor } of reply.events) seen.push(cursor)
    expect(seen).toEqual(['c1', 'c2', 'c3', 'c4'])
    expect(streams).toHaveLength(1)
    stop()
  })

  it('goes on after the last whole event when the connection is lost', async () => {
    const { chat, stream, clock } = open()
    const reply = await chat.send('hello')
    const first = await stream()
    first.send(started('r1', 'c1'), delta('r1', 'c2', 0, 'Hel'))
    first.end()
    await clock.pass(125)
    const second = await stream()
    expect(second.after).toBe('c2')
    second.send(delta('r1', 'c3', 3, 'lo'), completed('r1', 'c4', 'Hello'))
    expect((await reply.done).text).toBe('Hello')
  })

  it('waits as long as the gateway asks when it drains', async () => {
    const { chat, stream, streams, clock } = open()
    await chat.send('hello')
    const first = await stream()
    first.retry(3_000)
    first.end()
    await clock.pass(2_999)
    expect(streams).toHaveLength(1)
    await clock.pass(1)
    expect(streams).toHaveLength(2)
    chat.close()
  })

  it('gives up after so many attempts without progress, and counts anew after progress', async () => {
    const { chat, stream, streams, clock, errors } = open()
    const reply = await chat.send('hello')
    for (let attempt = 1; attempt < maxAttempts; attempt += 1) {
      ;(await stream()).end()
      await clock.pass(20_000)
    }
    const lucky = await stream()
    lucky.send(delta('r1', 'c1', 0, 'a'))
    lucky.end()
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      await clock.pass(20_000)
      expect(errors).toEqual([])
      ;(await stream()).end()
    }
    await expect(reply.done).rejects.toMatchObject({ code: 'NETWORK', retryable: true })
    expect(errors).toEqual(['NETWORK'])
    expect(streams).toHaveLength(2 * maxAttempts)
    expect(chat.connection.snapshot()).toMatchObject({ status: 'failed' })
    expect(clock.pending).toBe(0)
  })

  it('takes a stream that lasts for progress', async () => {
    const { chat, stream, clock, errors } = open()
    await chat.send('hello')
    for (let attempt = 0; attempt < maxAttempts * 2; attempt += 1) {
      const quiet = await stream()
      await clock.pass(keepAliveMs)
      quiet.comment()
      await clock.pass(1)
      quiet.comment()
      quiet.end()
      await clock.pass(1_000)
    }
    expect(errors).toEqual([])
    chat.close()
  })

  it('asks for another token when its own has expired, and goes on where the gateway says', async () => {
    const { chat, stream, clock } = open()
    await chat.send('hello')
    const first = await stream()
    first.send(delta('r1', 'c1', 0, 'a'))
    first.end('SUBSCRIPTION_TOKEN_EXPIRED', { resumeAfter: 'c2' })
    await clock.pass(125)
    const second = await stream()
    expect(second.after).toBe('c2')
    expect(second.authorization).not.toBe(first.authorization)
    chat.close()
  })

  it('asks for one more token when one is refused, and then gives up', async () => {
    const { chat, stream, streams, errors } = open()
    const reply = await chat.send('hello')
    ;(await stream()).end('UNAUTHENTICATED')
    ;(await stream()).end('UNAUTHENTICATED')
    await expect(reply.done).rejects.toMatchObject({ code: 'UNAUTHENTICATED', retryable: false })
    expect(streams).toHaveLength(2)
    expect(errors).toEqual(['UNAUTHENTICATED'])
  })

  it('reads the state again when the log no longer has its cursor', async () => {
    const { chat, stream, state, clock } = open()
    const reply = await chat.send('hello')
    const first = await stream()
    first.send(delta('r1', 'c1', 0, 'He'))
    state.cursor = 'c9'
    state.replies.set('r1', accepted('r1', { status: 'RUNNING', text: 'Hello, wor' }))
    first.end('SUBSCRIPTION_CURSOR_EXPIRED')
    await clock.pass(125)
    const second = await stream()
    expect(second.after).toBe('c9')
    expect(reply.state.snapshot().text).toBe('Hello, wor')
    second.send(delta('r1', 'c10', 10, 'ld'), completed('r1', 'c11', 'Hello, world'))
    expect((await reply.done).text).toBe('Hello, world')
  })

  it.each(['FORBIDDEN', 'BAD_REQUEST', 'GRAPHQL_VALIDATION_FAILED'] as const)(
    'ends at once with %s, which no attempt mends',
    async (code) => {
      const { chat, stream, streams } = open()
      const reply = await chat.send('hello')
      ;(await stream()).end(code)
      await expect(reply.done).rejects.toMatchObject({ code })
      expect(streams).toHaveLength(1)
    },
  )

  it('takes a connection for lost that is silent for longer than comments may be apart', async () => {
    const { chat, stream, streams, clock } = open()
    await chat.send('hello')
    const first = await stream()
    await clock.pass(keepAliveMs)
    first.comment()
    await clock.pass(keepAliveMs * 1.5)
    expect(first.isClosed).toBe(false)
    expect(first.pings).toBeGreaterThan(0)
    await clock.pass(keepAliveMs)
    expect(first.isClosed).toBe(true)
    expect(streams).toHaveLength(2)
    chat.close()
  })

  it('connects again at once on another network, and in a page that slept', async () => {
    const { chat, stream, streams, clock, wake } = open()
    await chat.send('hello')
    const first = await stream()
    wake(false)
    expect(first.isClosed).toBe(false)
    wake(true)
    expect(first.isClosed).toBe(true)
    const second = await stream()
    expect(streams).toHaveLength(2)
    second.end()
    await clock.pass(0)
    wake(true)
    const third = await stream()
    expect(streams).toHaveLength(3)
    clock.delay(keepAliveMs * 10)
    wake(false)
    expect(third.isClosed).toBe(true)
    chat.close()
  })

  it('begins anew when the token is of another session, whose events alone are shown', async () => {
    const { chat, stream, state, clock, errors } = open()
    const seen: string[] = []
    const stop = chat.onEvent(({ replyId }) => seen.push(replyId))
    const reply = await chat.send('hello')
    const first = await stream()
    state.fingerprint = 'bob'
    state.cursor = 'b0'
    first.end('BAD_USER_INPUT')
    await clock.pass(20_000)
    await expect(reply.done).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const second = await stream()
    expect(second.after).toBe('b0')
    second.send(started('b1', 'b1'))
    expect(seen).toEqual(['b1'])
    expect(errors).toEqual([])
    stop()
  })

  it('is not given up because its listeners come and go', async () => {
    const { chat, stream, clock, errors } = open()
    let stop = chat.onEvent(() => undefined)
    for (let times = 0; times < maxAttempts * 2; times += 1) {
      await clock.pass(0)
      stop()
      stop = chat.onEvent(() => undefined)
    }
    expect((await stream()).isClosed).toBe(false)
    expect(errors).toEqual([])
    stop()
  })

  it('is closed when nothing is followed, and leaves no timer', async () => {
    const { chat, stream, clock } = open()
    const reply = await chat.send('hello')
    const first = await stream()
    first.send(completed('r1', 'c1', 'Hello'))
    await reply.done
    await clock.pass(0)
    expect(first.isClosed).toBe(true)
    expect(chat.connection.snapshot()).toEqual({ status: 'idle' })
    expect(clock.pending).toBe(0)
  })

  it('is opened for a message that is sent just when the last reply has ended', async () => {
    const { chat, stream, streams } = open()
    const reply = await chat.send('hello')
    const first = await stream()
    const sent = reply.done.then(() => chat.send('more'))
    first.send(completed('r1', 'c1', 'Hello'))
    const next = await sent
    ;(await stream()).send(completed('r2', 'c2', 'More'))
    expect((await next.done).text).toBe('More')
    expect(streams.length).toBeLessThanOrEqual(2)
  })

  it('comes back with the network for those who listen, although it had been given up', async () => {
    const { chat, stream, streams, clock, errors, wake } = open()
    const seen: string[] = []
    const stop = chat.onEvent(({ cursor }) => seen.push(cursor))
    for (let attempt = 0; attempt <= maxAttempts; attempt += 1) {
      ;(await stream()).end()
      await clock.pass(20_000)
    }
    expect(errors).toEqual(['NETWORK'])
    wake(true)
    ;(await stream()).send(started('r1', 'c1'))
    expect(seen).toEqual(['c1'])
    expect(streams).toHaveLength(maxAttempts + 2)
    expect(chat.connection.snapshot()).toEqual({ status: 'open' })
    stop()
  })

  it('is given up after the attempts to read where the log ends, once', async () => {
    const { chat, troubles, requests, clock, errors } = open()
    troubles.push(...Array.from({ length: 50 }, () => 'LOST' as const))
    const stop = chat.onEvent(() => undefined)
    for (let attempt = 0; attempt < 20; attempt += 1) await clock.pass(20_000)
    expect(errors).toEqual(['NETWORK'])
    expect(requests).toHaveLength(maxAttempts + 1)
    stop()
  })

  it('goes on when the token could not be had for a moment', async () => {
    let asked = 0
    const token = () =>
      (asked += 1) === 2 ? Promise.reject(new TypeError('fetch failed')) : `token ${asked}`
    const { chat, stream, clock, errors } = open({ token })
    const stop = chat.onEvent(() => undefined)
    await clock.pass(0)
    await clock.pass(250)
    expect((await stream()).after).toBe('c0')
    expect(errors).toEqual([])
    stop()
  })

  it('goes on for the next message where it ended', async () => {
    const { chat, stream, requests, clock } = open()
    await chat.send('hello')
    const first = await stream()
    first.send(completed('r1', 'c1', 'Hello'))
    await clock.pass(0)
    expect(first.isClosed).toBe(true)
    const next = await chat.send('more')
    const second = await stream()
    expect(second.after).toBe('c1')
    second.send(completed('r2', 'c2', 'More'))
    expect((await next.done).text).toBe('More')
    expect(requests).toHaveLength(3)
  })
})

describe('a message', () => {
  it('is repeated with its key after a lost response, and is one message', async () => {
    const { chat, troubles, requests, clock } = open()
    await chat.send('first')
    troubles.push('LOST', 'DRAINING')
    const sending = chat.send('hello')
    await clock.pass(2_000)
    expect((await sending).id).toBe('r2')
    const keys = requests.map(({ operation }) =>
      Reflect.get(Object(operation.variables?.['input']), 'idempotencyKey'),
    )
    expect(new Set(keys.slice(-3)).size).toBe(1)
    chat.close()
  })

  it('is refused with the code of the gateway, once', async () => {
    const { chat, troubles, requests } = open()
    troubles.push('RATE_LIMITED')
    await expect(chat.send('hello')).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryable: true,
    })
    expect(requests).toHaveLength(1)
  })

  it('of a closed client is refused, and so is the reply that was followed', async () => {
    const { chat, stream, errors } = open()
    const reply = await chat.send('hello')
    const first = await stream()
    chat.close()
    await expect(reply.done).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(chat.send('hello')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(first.isClosed).toBe(true)
    expect(errors).toEqual([])
    expect(chat.connection.snapshot()).toEqual({ status: 'idle' })
  })
})

describe('a reply that is followed after a reload', () => {
  it('goes on where it was, from one request', async () => {
    const { chat, stream, state, requests } = open()
    state.cursor = 'c5'
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hel' }))
    const reply = await chat.follow('r7')
    expect(reply.state.snapshot().text).toBe('Hel')
    const first = await stream()
    expect(first.after).toBe('c5')
    first.send(delta('r7', 'c6', 3, 'lo'), completed('r7', 'c7', 'Hello'))
    expect((await reply.done).text).toBe('Hello')
    expect(requests).toHaveLength(1)
  })

  it('does not shrink by deltas that are older than what was read', async () => {
    const { chat, stream, state } = open()
    const stop = chat.onEvent(() => undefined)
    const first = await stream()
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hello, wor' }))
    const following = chat.follow('r7')
    first.send(started('r7', 'c1'), delta('r7', 'c2', 0, 'Hel'))
    const reply = await following
    const texts: string[] = []
    reply.state.subscribe(() => texts.push(reply.state.snapshot().text))
    first.send(delta('r7', 'c3', 3, 'lo, '), delta('r7', 'c4', 7, 'world'))
    first.send(completed('r7', 'c5', 'Hello, world'))
    expect((await reply.done).text).toBe('Hello, world')
    expect(texts.every((text) => text.startsWith('Hello, wor'))).toBe(true)
    stop()
  })

  it('is followed although its message was sent here and it ends in the meantime', async () => {
    const { chat, stream, state } = open()
    const stop = chat.onEvent(() => undefined)
    const first = await stream()
    const sending = chat.send('hello')
    first.send(started('r1', 'c1'))
    state.replies.set('r1', accepted('r1', { status: 'COMPLETED', text: 'Hello' }))
    const following = chat.follow('r1')
    expect((await (await following).done).text).toBe('Hello')
    expect((await (await sending).done).text).toBe('Hello')
    stop()
  })

  it('has the text that comes while its state is read', async () => {
    const { chat, stream, state, requests } = open()
    const stop = chat.onEvent(() => undefined)
    const first = await stream()
    const { length } = requests
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hel' }))
    const following = chat.follow('r7')
    while (requests.length === length) await Promise.resolve()
    first.send(delta('r7', 'c2', 3, 'lo'))
    expect((await following).state.snapshot().text).toBe('Hello')
    stop()
    chat.close()
  })

  it('keeps what it has if another instance knows less of it yet', async () => {
    const { chat, stream, state } = open()
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hel' }))
    const reply = await chat.follow('r7')
    const first = await stream()
    first.send(delta('r7', 'c2', 3, 'lo, '))
    await expect(chat.follow('r8')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    first.send(delta('r7', 'c3', 7, 'world'))
    expect(reply.state.snapshot().text).toBe('Hello, world')
    chat.close()
  })

  it('leaves no gap in another one whose cursor is lost meanwhile', async () => {
    const { chat, stream, state, clock } = open()
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hel' }))
    const reply = await chat.follow('r7')
    const first = await stream()
    first.end('SUBSCRIPTION_CURSOR_EXPIRED')
    await clock.pass(0)
    state.cursor = 'c9'
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hello, wor' }))
    state.replies.set('r8', accepted('r8', { status: 'RUNNING' }))
    await chat.follow('r8')
    await clock.pass(250)
    const second = await stream()
    expect(second.after).toBe('c9')
    second.send(delta('r7', 'c10', 10, 'ld'))
    expect(reply.state.snapshot().text).toBe('Hello, world')
    chat.close()
  })

  it('is asked for once, whoever follows it', async () => {
    const { chat, stream, state, requests } = open()
    const stop = chat.onEvent(() => undefined)
    await stream()
    state.replies.set('r7', accepted('r7', { status: 'RUNNING', text: 'Hel' }))
    const [one, other] = await Promise.all([chat.follow('r7'), chat.follow('r7')])
    expect(one).toBe(other)
    for (const { operation } of requests) {
      const { ids = [] } = operation.variables as { ids?: readonly string[] }
      expect(new Set(ids).size).toBe(ids.length)
    }
    stop()
    chat.close()
  })

  it('is refused if the session has no such reply', async () => {
    const { chat } = open()
    await expect(chat.follow('r7')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
