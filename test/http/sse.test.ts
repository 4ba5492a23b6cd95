import { createClient as createSseClient } from 'graphql-sse'
import { describe, expect, it } from 'vitest'
import type { ReplyEventBody, ReplyId } from '../../src/domain.ts'
import { UnavailableError } from '../../src/errors.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { createClient } from '../kit/clients/client.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { type FakeGateway, type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import { until } from '../kit/process/until.ts'
import { completed } from '../kit/fakes/stored-replies.ts'

const query = RepliesDocument.toString()
const replyId = 'r0' as ReplyId
const variables = { replyId: encodeGlobal('Reply', replyId) }
const started: ReplyEventBody = { type: 'started' }
const delta = (offset: number, text: string): ReplyEventBody => ({
  type: 'delta',
  kind: 'ANSWER',
  offset,
  text,
})

interface PlainInit {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A gateway with Alice, who has sent one message. */
async function open(options: FakeGatewayOptions = {}) {
  const gateway = await openFakeGateway(options)
  const alice = gateway.session('alice')
  const onBusy = 'QUEUE'
  await alice.replies.sendMessage({
    text: 'hello',
    assistantId: undefined,
    conversationId: undefined,
    attachmentIds: [],
    imageUrls: [],
    extras: { parameters: {}, metadata: {} },
    onBusy,
    idempotency: undefined,
  })
  const client = createClient(gateway.url)
  return {
    gateway,
    alice,
    client,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

const token = 'alice'
const cursorsOnly = 'subscription($replyId: ID) { replies(replyId: $replyId) { cursor } }'
const ofReply = { token, query, variables }
const ofSession = { token, query }

/** Reads so many lines of a stream as the simplest clients do: each line is acted on as it comes. */
async function readLines(url: string, count: number, lastEventId: string | undefined) {
  const accept = { accept: 'text/event-stream', 'content-type': 'application/json' }
  const resume = lastEventId !== undefined && { 'last-event-id': lastEventId }
  const body = JSON.stringify({ query: cursorsOnly, variables })
  const headers = { authorization: `Bearer ${token}`, ...accept, ...resume }
  const answer = await globalThis.fetch(`${url}/graphql`, { method: 'POST', headers, body })
  const lines = (await answer.text()).split('\n')
  const last = lines.slice(0, count).findLast((line) => line.startsWith('id: '))
  return {
    seen: lines.slice(0, count).flatMap((line) => /"cursor":"([^"]+)"/.exec(line)?.[1] ?? []),
    lastEventId: last?.slice('id: '.length) ?? lastEventId,
    isWhole: count >= lines.length,
  }
}

async function ended(gateway: FakeGateway, reason: string) {
  await until(() => gateway.ends.includes(reason as never), `the end ${reason}`)
}

describe('a subscription over SSE', () => {
  it.each(['POST', 'GET'] as const)('streams to the graphql-sse client by %s', async (method) => {
    await using system = await open()
    system.alice.append(replyId, started, delta(0, 'Hel'))
    const sse = createSseClient({
      url: `${system.gateway.url}/graphql`,
      headers: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
      ...(method === 'GET' && {
        fetchFn: (url: string, { body: _body, ...init }: RequestInit) => {
          const search = new URLSearchParams({ query, variables: JSON.stringify(variables) })
          return globalThis.fetch(`${url}?${search}`, { ...init, method })
        },
      }),
    })
    const seen: unknown[] = []
    for await (const { data } of sse.iterate({ query, variables })) {
      seen.push(data?.['replies'])
      if (seen.length === 2) system.alice.append(replyId, delta(3, 'lo'), completed('Hello'))
    }
    expect(seen).toMatchObject([
      { __typename: 'ReplyStarted', replyId: variables.replyId },
      { __typename: 'ReplyDelta', kind: 'ANSWER', offset: 0, text: 'Hel' },
      { __typename: 'ReplyDelta', offset: 3, text: 'lo' },
      { __typename: 'ReplyCompleted', text: 'Hello' },
    ])
    expect(system.gateway.ends).toEqual(['completed'])
  })

  it('sends a comment at once, each event with its cursor as id, and an empty complete', async () => {
    await using system = await open()
    using stream = await system.client.stream(ofReply)
    await until(() => stream.frames.length > 0, 'the first comment')
    const cursors = system.alice.append(replyId, delta(0, 'a\n"b"'), completed('a'))
    expect(await stream.ended).toBe('complete')
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'private, no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    expect(stream.headers['content-encoding']).toBeUndefined()
    const [comment, ...frames] = stream.frames
    expect(comment).toEqual({ comment: '' })
    expect(frames.map(({ event, id }) => [event, id])).toEqual([
      ['next', cursors[0]],
      ['next', cursors[1]],
      ['complete', undefined],
    ])
    expect(frames.at(-1)?.data).toBe('')
  })

  it('goes on after Last-Event-ID, which wins over the argument', async () => {
    await using system = await open()
    const [first, second] = system.alice.append(replyId, started, delta(0, 'a'), delta(1, 'b'))
    using stream = await system.client.stream({
      ...ofReply,
      variables: { ...variables, after: first },
      lastEventId: second,
    })
    expect(JSON.parse((await stream.next())?.data ?? '')).toMatchObject({
      data: { replies: { offset: 1, text: 'b' } },
    })
  })

  it.each(['lastEventId', 'lastEventID', 'Last-Event-ID', 'last-event-id'])(
    'goes on after ?%s= of a GET, as polyfills of EventSource send it, but not of a POST, nor before the header',
    async (name) => {
      await using system = await open()
      const [first, second] = system.alice.append(replyId, started, delta(0, 'a'), delta(1, 'b'))
      const ask = async (cursor = '', more: PlainInit = {}) => {
        const search = new URLSearchParams({ query, variables: JSON.stringify(variables) })
        search.append(name, cursor)
        const answer = await globalThis.fetch(`${system.gateway.url}/graphql?${search}`, {
          ...more,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'text/event-stream',
            'content-type': 'application/json',
            ...more.headers,
          },
        })
        const reader = answer.body?.getReader()
        let text = ''
        while (!text.includes('data:')) text += Buffer.from((await reader?.read())?.value ?? [])
        await reader?.cancel()
        const [first = ''] = text.split('\n').filter((line) => line.startsWith('data:'))
        return /"offset":(\d)/.exec(first)?.[1] ?? 'started'
      }
      expect(await ask(first)).toBe('0')
      expect(await ask(second)).toBe('1')
      expect(await ask('')).toBe('started')
      expect(await ask(first, { headers: { 'last-event-id': second ?? '' } })).toBe('1')
      const body = JSON.stringify({ query, variables })
      expect(await ask(second, { method: 'POST', body })).toBe('started')
    },
  )

  it.each([
    ['BAD_USER_INPUT', { after: 'x' }],
    ['SUBSCRIPTION_CURSOR_EXPIRED', { after: 'alice.0.-' }],
    ['NOT_FOUND', { replyId: 'r9' }],
  ])('shows %s to a graphql-sse client at once, which does not come again', async (code, more) => {
    await using system = await open()
    system.alice.append(replyId, started)
    system.alice.trim()
    let requests = 0
    const sse = createSseClient({
      url: `${system.gateway.url}/graphql`,
      headers: { authorization: `Bearer ${token}` },
      fetchFn: (url: string, init: RequestInit) => {
        requests += 1
        return globalThis.fetch(url, init)
      },
      retry: () => Promise.reject(new Error('the client would come again')),
    })
    const results = await Array.fromAsync(sse.iterate({ query, variables: more }))
    expect(results).toMatchObject([{ errors: [{ extensions: { code } }] }])
    expect(requests).toBe(1)
  })

  it('shows a document that is too deep to a graphql-sse client at once', async () => {
    await using system = await open({ limits: { maxDepth: 1 } })
    const sse = createSseClient({
      url: `${system.gateway.url}/graphql`,
      headers: { authorization: `Bearer ${token}` },
      retry: () => Promise.reject(new Error('the client would come again')),
    })
    const results = await Array.fromAsync(sse.iterate({ query, variables }))
    expect(results).toMatchObject([{ errors: [{ extensions: { code: 'BAD_REQUEST' } }] }])
  })

  it.each([
    ['401', 401, { authorization: 'Basic x' }, {}],
    ['429', 429, {}, { limits: { maxSubscriptionsPerSession: 0 } }],
    ['503', 503, {}, { limits: { maxSubscriptions: 0 } }],
  ] as const)(
    'keeps the status %s for a POST that takes only streams',
    async (_name, status, headers, options) => {
      await using system = await open(options)
      using stream = await system.client.stream({
        ...ofSession,
        headers: { accept: 'text/event-stream', ...headers },
      })
      expect(stream.status).toBe(status)
    },
  )

  it.each([
    ['is no GraphQL', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['does not fit the schema', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'has two operations',
      'subscription A { replies { cursor } } query B { viewer { sessionFingerprint } }',
      'BAD_REQUEST',
    ],
  ])(
    'answers a GET whose document %s with 400, on which an EventSource stops instead of asking for ever',
    async (_what, document, code) => {
      await using system = await open()
      const search = new URLSearchParams({ query: document })
      const answer = await fetch(`${system.gateway.url}/graphql?${search}`, {
        headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
      })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        400,
        'application/json; charset=utf-8',
      ])
      expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code } }] })
    },
  )

  it('is an empty stream with its end past the end to a POST', async () => {
    await using system = await open()
    const [after] = system.alice.append(replyId, completed('a'))
    using stream = await system.client.stream({
      ...ofReply,
      lastEventId: after,
      headers: { accept: 'text/event-stream' },
    })
    expect([stream.status, await stream.ended]).toEqual([200, 'complete'])
    expect(stream.frames.map(({ event }) => event)).toEqual([undefined, 'complete'])
  })

  it('is 204 past the end to a GET with Last-Event-ID, and completes at once by the argument', async () => {
    await using system = await open()
    const [after] = system.alice.append(replyId, completed('a'))
    using byHeader = await system.client.stream({
      ...ofReply,
      method: 'GET',
      lastEventId: after,
    })
    expect(byHeader.status).toBe(204)
    using byArgument = await system.client.stream({
      ...ofReply,
      variables: { ...variables, after },
    })
    expect(byArgument.status).toBe(200)
    expect(await byArgument.ended).toBe('complete')
  })

  it.each([
    ['a cursor that is garbage', 400, 'BAD_USER_INPUT', { after: 'x' }],
    ["another session's cursor", 400, 'BAD_USER_INPUT', { after: 'bob.0.-' }],
    ['a position that was trimmed', 410, 'SUBSCRIPTION_CURSOR_EXPIRED', { after: 'alice.0.-' }],
    ['an unknown reply', 404, 'NOT_FOUND', { replyId: encodeGlobal('Reply', 'r9') }],
    ['an id of another type', 404, 'NOT_FOUND', { replyId: encodeGlobal('Message', 'r0') }],
    ['an id that is garbage', 404, 'NOT_FOUND', { replyId: 'r0' }],
  ])('refuses %s before the head: %i %s', async (_what, status, code, more) => {
    await using system = await open()
    system.alice.append(replyId, started)
    system.alice.trim()
    using stream = await system.client.stream({ ...ofSession, variables: more })
    expect(stream.status).toBe(status)
    const { errors } = JSON.parse(await stream.refusal)
    expect(errors).toMatchObject([{ extensions: { code } }])
    expect(system.gateway.ends).toEqual([])
  })

  it('T1: answers an id that is garbage or of another type as one that is unknown', async () => {
    await using system = await open()
    const asked = [encodeGlobal('Reply', 'r9'), encodeGlobal('Message', 'r0'), 'r0']
    const answers = asked.map(async (id) => {
      using stream = await system.client.stream({ ...ofSession, variables: { replyId: id } })
      return await stream.refusal
    })
    const [unknown, ...others] = await Promise.all(answers)
    expect(others).toEqual([unknown, unknown])
  })

  it.each([
    ['parse', 'subscription {', {}, 'GRAPHQL_PARSE_FAILED'],
    ['validation', 'subscription { nope }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['variable', query, { replyId: 1.5 }, 'BAD_USER_INPUT'],
  ])('tells a %s error on an accepted stream', async (_what, document, values, code) => {
    await using system = await open()
    using stream = await system.client.stream({ token, query: document, variables: values })
    expect(stream.status).toBe(200)
    expect(await stream.ended).toBe('complete')
    expect(JSON.parse((await stream.next())?.data ?? '')).toMatchObject({
      errors: [{ extensions: { code } }],
    })
  })

  it('answers a query as one result and the end', async () => {
    await using system = await open()
    using stream = await system.client.stream({ token, query: '{ viewer { sessionFingerprint } }' })
    expect(await stream.ended).toBe('complete')
    expect(stream.frames.slice(1)).toEqual([
      { event: 'next', data: '{"data":{"viewer":{"sessionFingerprint":"alice"}}}' },
      { event: 'complete', data: '' },
    ])
  })

  it('must be asked for as an event stream', async () => {
    await using system = await open()
    const answer = await system.client.call(ofReply)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body).errors[0].extensions.code).toBe('BAD_REQUEST')
  })

  it('loads the reply afresh for each event', async () => {
    await using system = await open()
    using stream = await system.client.stream({
      token,
      query: 'subscription { replies { reply { text } } }',
    })
    const texts: string[] = []
    for (const [offset, letter] of ['a', 'b', 'c'].entries()) {
      system.alice.append(replyId, delta(offset, letter))
      texts.push(JSON.parse((await stream.next())?.data ?? '').data.replies.reply.text)
    }
    expect(texts).toEqual(['a', 'ab', 'abc'])
  })

  it('ends when its client has gone', async () => {
    await using system = await open()
    const stream = await system.client.stream(ofReply)
    await until(() => system.alice.readers === 1, 'the reader')
    stream.cut()
    await ended(system.gateway, 'client-gone')
    expect(system.alice.readers).toBe(0)
  })

  it('F35: an idle stream gets a comment in each interval, and many share one timer, one for their credentials, and one for silent peers', async () => {
    const clock = createFakeClock()
    await using system = await open({ clock, keepAliveMs: 800 })
    const streams = await Promise.all([1, 2, 3].map(() => system.client.stream(ofSession)))
    await until(() => streams.every(({ frames }) => frames.length === 1), 'the first comments')
    expect(clock.pending).toBe(3)
    await clock.pass(800)
    await until(() => streams.every(({ frames }) => frames.length === 2), 'a comment each')
    for (const stream of streams) stream.cut()
  })

  it('F35: its client knows from `viewer.keepAliveMs` how long a living connection is silent at most', async () => {
    const clock = createFakeClock()
    await using system = await open({ clock, keepAliveMs: 800 })
    const query = '{ viewer { keepAliveMs } }'
    const { body } = await system.client.call({ token: 'alice', query })
    const { keepAliveMs } = JSON.parse(body).data.viewer
    using stream = await system.client.stream(ofSession)
    for (let comments = 1; comments <= 3; comments += 1) {
      await until(() => stream.frames.length === comments, 'a comment')
      await clock.pass(keepAliveMs)
    }
  })

  it('T10: ends with its credential, and says where to resume', async () => {
    const clock = createFakeClock()
    const expiresAt = clock.now() + 40 * 86_400_000 // longer than a timer of Node can be
    await using system = await open({ clock, expiresAt, keepAliveMs: 86_400_000 })
    using stream = await system.client.stream(ofSession)
    const [resumeAfter] = system.alice.append(replyId, delta(0, 'a'))
    await stream.next()
    clock.advance(39 * 86_400_000)
    expect(system.gateway.ends).toEqual([])
    clock.advance(86_400_000)
    const last = await stream.next()
    expect(last?.id).toBeUndefined()
    expect(JSON.parse(last?.data ?? '')).toMatchObject({
      errors: [
        {
          extensions: {
            code: 'SUBSCRIPTION_TOKEN_EXPIRED',
            resumeAfter,
          },
        },
      ],
    })
    expect(await stream.ended).toBe('complete')
    expect(system.gateway.ends).toEqual(['token-expired'])
  })

  it('F40: ends with its credential also where the wall clock was set back meanwhile', async () => {
    const clock = createFakeClock()
    await using system = await open({ clock, expiresAt: clock.now() + 1_000 })
    using stream = await system.client.stream(ofSession)
    await until(() => system.alice.readers === 1, 'the reader')
    clock.jump(-500)
    clock.advance(1_000)
    await until(() => stream.frames.length > 0, 'the first comment')
    expect(system.gateway.ends).toEqual([])
    clock.advance(500)
    expect(await stream.ended).toBe('complete')
    expect(system.gateway.ends).toEqual(['token-expired'])
  })

  it('closes without a complete when the gateway drains, and says when to come back', async () => {
    await using system = await open()
    using stream = await system.client.stream(ofSession)
    await until(() => system.alice.readers === 1, 'the reader')
    await system.gateway.server.drain()
    expect(await stream.ended).toBe('closed')
    expect(stream.frames.at(-1)).toEqual({ retry: '2500' })
    expect(system.gateway.ends).toEqual(['drained'])
    using refused = await system.client.stream(ofSession)
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBe('1')
    expect(JSON.parse(await refused.refusal).errors[0].extensions.code).toBe('DRAINING')
  })

  it('F33: closes resumably when the store does not answer', async () => {
    await using system = await open()
    using stream = await system.client.stream(ofSession)
    await until(() => system.alice.readers === 1, 'the reader')
    system.alice.failWith(new UnavailableError('the store does not answer'))
    expect(await stream.ended).toBe('closed')
    expect(stream.frames.at(-1)?.retry).toBeDefined()
    expect(system.gateway.ends).toEqual(['error'])
  })

  it('hides the cause when the gateway itself has failed', async () => {
    await using system = await open()
    using stream = await system.client.stream(ofSession)
    await until(() => system.alice.readers === 1, 'the reader')
    system.alice.failWith(new Error('secret'))
    expect(await stream.ended).toBe('complete')
    const { data } = (await stream.next()) ?? {}
    expect(data).toContain('INTERNAL_SERVER_ERROR')
    expect(data).not.toContain('secret')
  })

  it('F42 T16: gives the newest subscription of a session the place of its oldest, which can resume', async () => {
    await using system = await open({ limits: { maxSubscriptionsPerSession: 2 } })
    using oldest = await system.client.stream(ofSession)
    using second = await system.client.stream(ofSession)
    using other = await system.client.stream({ ...ofSession, token: 'bob' })
    const [cursor] = system.alice.append(replyId, started)
    await oldest.next()
    using newest = await system.client.stream(ofSession)
    expect(newest.status).toBe(200)
    expect(await oldest.ended).toBe('closed')
    expect(oldest.frames.at(-1)).toEqual({ retry: '5000' })
    expect(system.gateway.ends).toEqual(['replaced'])
    system.alice.append(replyId, delta(0, 'a'))
    for (const kept of [second, newest]) expect((await kept.next())?.data).toBeDefined()
    // It resumes where it was, and now the second is the oldest.
    using resumed = await system.client.stream({ ...ofSession, lastEventId: cursor })
    expect((await resumed.next())?.data).toContain('"text":"a"')
    expect(await second.ended).toBe('closed')
    expect(system.gateway.ends).toEqual(['replaced', 'replaced'])
    await until(() => other.frames.length > 0, 'the first comment of somebody else')
  })

  it('F42: ends no stream for a subscription that is refused', async () => {
    await using system = await open({ limits: { maxSubscriptionsPerSession: 1 } })
    using first = await system.client.stream(ofSession)
    using refused = await system.client.stream({
      ...ofSession,
      method: 'GET',
      variables: { replyId: 'r0' },
    })
    expect(refused.status).toBe(404)
    const [cursor] = system.alice.append(replyId, started)
    expect((await first.next())?.id).toBe(cursor)
    expect(system.gateway.ends).toEqual([])
  })

  it('loses no event of a client that reads line by line, wherever its connection is cut', async () => {
    await using system = await open()
    const cursors = system.alice.append(replyId, started, delta(0, 'a'), completed('a'))
    for (let lines = 1; ; lines += 1) {
      const { seen, lastEventId, isWhole } = await readLines(system.gateway.url, lines, undefined)
      const rest = await readLines(system.gateway.url, Infinity, lastEventId)
      const missing = cursors.filter((cursor) => ![...seen, ...rest.seen].includes(cursor))
      expect([lines, missing]).toEqual([lines, []])
      if (isWhole) break
    }
  })

  it('T16 F37: what the whole gateway has no room for is 503, and not all come again at once', async () => {
    const jitter = [0, 0.99]
    const random = () => jitter.shift() ?? 0
    await using system = await open({ limits: { maxSubscriptions: 1 }, random })
    const first = await system.client.stream(ofSession)
    const waits: unknown[] = []
    for (const other of ['bob', 'carol']) {
      using refused = await system.client.stream({ ...ofSession, token: other })
      expect(refused.status).toBe(503)
      expect(JSON.parse(await refused.refusal).errors[0].extensions.code).toBe('UNAVAILABLE')
      waits.push(refused.headers['retry-after'])
    }
    expect(waits).toEqual(['1', '4'])
    first.cut()
    await ended(system.gateway, 'client-gone')
    using third = await system.client.stream({ ...ofSession, token: 'bob' })
    expect(third.status).toBe(200)
  })

  it('F36 T16: a reader that stops costs a bounded buffer, disturbs nobody, and is dropped', async () => {
    const clock = createFakeClock()
    await using system = await open({ clock, stalledMs: 300 })
    using stalled = await system.client.stream(ofSession)
    stalled.pause()
    using reading = await system.client.stream(ofSession)
    const text = 'x'.repeat(1_000_000)
    const rounds = 40
    for (let round = 0; round < rounds; round += 1) {
      system.alice.append(replyId, delta(0, text))
      expect((await reading.next())?.data).toContain(text)
    }
    // It is told only when all before it has left: who reads is not behind when time goes on.
    system.alice.append(replyId, delta(0, 'the last'))
    expect((await reading.next())?.data).toContain('the last')
    clock.advance(300)
    await ended(system.gateway, 'stalled')
    expect(system.gateway.ends).toEqual(['stalled'])
    expect(system.alice.readers).toBe(1)
  })
})
