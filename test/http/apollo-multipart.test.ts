import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client'
import { CombinedProtocolErrors } from '@apollo/client/errors'
import { describe, expect, it } from 'vitest'
import type { ReplyEventBody, ReplyId } from '../../src/domain.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { createClient } from '../kit/clients/client.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { message } from '../kit/fakes/engine.ts'
import { type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import { completed } from '../kit/fakes/stored-replies.ts'
import { until } from '../kit/process/until.ts'

const accept = 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0, application/json;q=0.9'
const query = `subscription ($replyId: ID, $after: String) {
  replies(replyId: $replyId, after: $after) { __typename cursor ... on ReplyDelta { offset text } }
}`
const replyId = 'r0' as ReplyId
const variables = { replyId: encodeGlobal('Reply', replyId) }
const started: ReplyEventBody = { type: 'started' }
const delta = (offset: number, text: string): ReplyEventBody => ({
  type: 'delta',
  kind: 'ANSWER',
  offset,
  text,
})

/** A gateway with Alice, who has sent one message. */
async function open(options: FakeGatewayOptions = {}) {
  const gateway = await openFakeGateway(options)
  const alice = gateway.session('alice')
  await alice.replies.sendMessage(message('hello'))
  return { gateway, alice, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() }
}

async function ask(url: string, body: object, headers: Record<string, string> = {}) {
  return await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer alice',
      'content-type': 'application/json',
      accept,
      ...headers,
    },
    body: JSON.stringify(body),
  })
}

/** What has come so far, in a text that grows. */
function read(response: Response) {
  const read = { text: '', ended: Promise.resolve() }
  read.ended = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? [])
      read.text += decoder.decode(chunk, { stream: true })
  })()
  // Where nobody waits for the end, it may be cut off by the end of the test.
  read.ended.catch(() => undefined)
  return read
}

const part = (json: string) => `\r\ncontent-type: application/json\r\n\r\n${json}\r\n--graphql`
const beginning = `\r\n--graphql${part('{}')}`

describe("a subscription over Apollo's multipart HTTP, byte by byte", () => {
  it('has each event in a part that is whole when it is sent, with its cursor, and an end', async () => {
    await using stage = await open()
    const response = await ask(stage.gateway.url, { query, variables })
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
      'cache-control': 'private, no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    })
    const body = read(response)
    await until(() => body.text === beginning, 'the first heartbeat')
    const [cursor] = stage.alice.append(replyId, started)
    const payload = `{"payload":{"data":{"replies":{"__typename":"ReplyStarted","cursor":"${cursor}"}},"extensions":{"cursor":"${cursor}"}}}`
    await until(() => body.text === `${beginning}${part(payload)}`, 'the event')
    stage.alice.append(replyId, completed('a'))
    await body.ended
    expect(body.text).toMatch(/"__typename":"ReplyCompleted".*\r\n--graphql--\r\n$/s)
    expect(stage.gateway.ends).toEqual(['completed'])
  })

  it('goes on after the cursor of `extensions`', async () => {
    await using stage = await open()
    const [, second] = stage.alice.append(replyId, started, delta(0, 'a'), completed('a'))
    const response = await ask(stage.gateway.url, {
      query,
      variables: { ...variables, after: second },
    })
    const text = await response.text()
    expect(text).toContain('ReplyCompleted')
    expect(text).not.toContain('ReplyStarted')
  })

  it('is kept alive by empty results', async () => {
    const clock = createFakeClock()
    await using stage = await open({ clock, keepAliveMs: 8_000 })
    const body = read(await ask(stage.gateway.url, { query }))
    await until(() => body.text === beginning, 'the first heartbeat')
    await clock.pass(8_000)
    await until(() => body.text === `${beginning}${part('{}')}`, 'the next heartbeat')
  })

  it('shares no frames with a reader of the same events by server-sent events', async () => {
    await using stage = await open()
    using events = createClient(stage.gateway.url)
    using other = await events.stream({ token: 'alice', query })
    const body = read(await ask(stage.gateway.url, { query }))
    await until(() => stage.alice.readers === 2, 'both readers')
    stage.alice.append(replyId, started)
    stage.alice.append(replyId, delta(0, 'a'))
    expect((await other.next())?.data).toContain('ReplyStarted')
    expect((await other.next())?.data).toContain('"text":"a"')
    await until(() => body.text.includes('"text":"a"'), 'the delta')
    expect(body.text).not.toContain('event: next')
  })

  it('is closed without an end by a drain, so that the client resumes elsewhere', async () => {
    await using stage = await open()
    const body = read(await ask(stage.gateway.url, { query }))
    await until(() => body.text === beginning, 'the first heartbeat')
    await stage.gateway.server.drain()
    await body.ended
    expect([body.text, stage.gateway.ends]).toEqual([beginning, ['drained']])
  })

  it('says that the credential has expired, and where to resume', async () => {
    const clock = createFakeClock()
    await using stage = await open({ clock, expiresAt: clock.now() + 1_000 })
    const body = read(await ask(stage.gateway.url, { query }))
    await until(() => body.text === beginning, 'the first heartbeat')
    const [cursor] = stage.alice.append(replyId, started)
    await until(() => body.text.includes('ReplyStarted'), 'the event')
    await clock.pass(1_000)
    await body.ended
    const last = body.text.split('\r\n--graphql').at(-2) ?? ''
    expect(JSON.parse(last.slice(last.indexOf('{')))).toMatchObject({
      payload: null,
      errors: [{ extensions: { code: 'SUBSCRIPTION_TOKEN_EXPIRED', resumeAfter: cursor } }],
    })
    expect(body.text).toMatch(/\r\n--graphql--\r\n$/)
  })

  it.each([
    ['a cursor that is none', { query, variables: { after: 'x' } }, 400, 'BAD_USER_INPUT'],
    ['a reply that is not there', { query, variables: { replyId: 'r9' } }, 404, 'NOT_FOUND'],
  ])('is refused with a status: %s', async (_what, body, status, code) => {
    await using stage = await open()
    const response = await ask(stage.gateway.url, body)
    expect([response.status, await response.json()]).toMatchObject([
      status,
      { errors: [{ extensions: { code } }] },
    ])
  })

  it('is one part and the end for a query of a client that takes nothing else', async () => {
    await using stage = await open()
    const response = await ask(
      stage.gateway.url,
      { query: '{ __typename }' },
      { accept: 'multipart/mixed; subscriptionSpec="1.0"' },
    )
    const payload = '{"payload":{"data":{"__typename":"Query"}}}'
    expect(await response.text()).toBe(`\r\n--graphql${part(payload)}--\r\n`)
  })

  it.each(['multipart/mixed', 'multipart/mixed;deferSpec=20220824', 'multipart/*'])(
    'is no answer to "accept: %s"',
    async (other) => {
      await using stage = await open()
      const response = await ask(stage.gateway.url, { query }, { accept: other })
      expect(response.status).toBe(406)
    },
  )
})

describe('Apollo Client with its own HttpLink', () => {
  async function openApollo(options: FakeGatewayOptions = {}) {
    const stage = await open(options)
    const link = new HttpLink({
      uri: `${stage.gateway.url}/graphql`,
      headers: { authorization: 'Bearer alice' },
    })
    const client = new ApolloClient({ link, cache: new InMemoryCache() })
    const seen: unknown[] = []
    const ends: unknown[] = []
    const subscription = client
      .subscribe({ query: gql(query), variables, fetchPolicy: 'no-cache' })
      .subscribe({
        next: (result) => void seen.push(result.error ?? result.data),
        error: (error) => void ends.push(error),
        complete: () => void ends.push('complete'),
      })
    await until(() => stage.alice.readers === 1, 'the reader')
    return {
      ...stage,
      seen,
      ends,
      subscription,
      async [Symbol.asyncDispose]() {
        subscription.unsubscribe()
        client.stop()
        await stage[Symbol.asyncDispose]()
      },
    }
  }

  it('follows a reply to its end', async () => {
    await using apollo = await openApollo()
    apollo.alice.append(replyId, started)
    await until(() => apollo.seen.length === 1, 'the first event')
    apollo.alice.append(replyId, delta(0, 'a'))
    await until(() => apollo.seen.length === 2, 'the delta, before anything follows it')
    apollo.alice.append(replyId, completed('a'))
    await until(() => apollo.ends.length > 0, 'the end')
    expect(apollo.ends).toEqual(['complete'])
    expect(apollo.seen).toMatchObject([
      { replies: { __typename: 'ReplyStarted' } },
      { replies: { __typename: 'ReplyDelta', offset: 0, text: 'a' } },
      { replies: { __typename: 'ReplyCompleted' } },
    ])
  })

  it('that unsubscribes is noticed', async () => {
    await using apollo = await openApollo()
    apollo.subscription.unsubscribe()
    await until(() => apollo.gateway.ends.length > 0, 'the end')
    expect(apollo.gateway.ends).toEqual(['client-gone'])
  })

  it('is told that its credential has expired', async () => {
    const clock = createFakeClock()
    await using apollo = await openApollo({ clock, expiresAt: clock.now() + 1_000 })
    await clock.pass(1_000)
    await until(() => apollo.seen.length + apollo.ends.length > 0, 'the error')
    const [error] = [...apollo.seen, ...apollo.ends]
    expect(CombinedProtocolErrors.is(error)).toBe(true)
    expect(JSON.stringify(error)).toContain('SUBSCRIPTION_TOKEN_EXPIRED')
  })

  it('meets an error, not an end, when the gateway is drained', async () => {
    await using apollo = await openApollo()
    await apollo.gateway.server.drain()
    await until(() => apollo.seen.length + apollo.ends.length > 0, 'the error')
    const [error] = [...apollo.seen, ...apollo.ends]
    expect(String(error)).toContain('premature end of multipart body')
  })
})
