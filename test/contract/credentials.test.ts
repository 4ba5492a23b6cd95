import { createClient as createSseClient } from 'graphql-sse'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  RepliesDocument,
  type RepliesSubscription,
} from '../../schema/operations/generated/graphql.ts'
import { createAuthenticator } from '../../src/auth/authenticator.ts'
import type { CredentialStatus } from '../../src/auth/identity.ts'
import type { ApiKeySettings } from '../../src/config/sections/api-keys.ts'
import type { ReplyEventBody, ReplyId } from '../../src/domain.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { createFetchJson } from '../../src/lib/fetch-json.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { apiKey } from '../kit/credentials/api-keys.ts'
import { createRsaIssuer } from '../kit/credentials/issuer.ts'
import { check } from '../kit/history/checker.ts'
import { openConnection } from '../kit/history/connection.ts'
import { createClient } from '../kit/clients/client.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { message } from '../kit/fakes/engine.ts'
import { type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import type { SeenEvent, Step } from '../kit/history/history.ts'
import { openKeyServer } from '../kit/credentials/jwks.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { createRecorder, type GraphError, toSeen } from '../kit/clients/recorder.ts'
import { until } from '../kit/process/until.ts'
import { completed } from '../kit/fakes/stored-replies.ts'
import { issuerSettings } from '../kit/credentials/issuer-settings.ts'

const fetchJson = createFetchJson()

const checkMs = 60_000
const hourMs = 3_600_000
const maxAgeMs = 10_000
const maxStaleMs = 300_000
const replyId = 'r0' as ReplyId
const variables = { replyId: encodeGlobal('Reply', replyId) }
const query = RepliesDocument.toString()
const delta = (offset: number, text: string): ReplyEventBody => ({
  type: 'delta',
  kind: 'ANSWER',
  offset,
  text,
})

/** A gateway on a clock that stands still, with an issuer of two keys, and Alice, who has sent one message. */
async function open(apiKeys: readonly ApiKeySettings[] = [], more: FakeGatewayOptions = {}) {
  const clock = createFakeClock()
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  const [old, next] = await Promise.all(
    ['old', 'next'].map((kid) => createRsaIssuer({ nowSeconds, kid })),
  )
  if (!old || !next) throw new Error('two keys are needed')
  const keys = await openKeyServer(old.jwk, next.jwk)
  onTestFinished(() => keys[Symbol.asyncDispose]())
  const auth = createAuthenticator({
    maxTokenLength: 15_360,
    issuers: [
      issuerSettings({
        issuer: old.issuer,
        audience: old.audience,
        clockToleranceSeconds: 0,
        jwksUrl: keys.url,
        jwks: {
          cooldownSeconds: 1,
          maxAgeSeconds: maxAgeMs / 1000,
          maxStaleSeconds: maxStaleMs / 1000,
          timeoutMs: 60_000,
          maxBytes: 65_536,
        },
      }),
    ],
    apiKeys,
    clock,
    fetchJson,
    onFetchFailure: () => undefined,
  })
  onTestFinished(() => auth[Symbol.dispose]())
  const gateway = await openFakeGateway({
    clock,
    authenticator: auth,
    credentialCheckMs: checkMs,
    ...more,
  })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  const client = createClient(gateway.url)
  onTestFinished(() => client[Symbol.dispose]())
  const alice = gateway.session('alice')
  await alice.replies.sendMessage(message('hello'))
  const listen = (token: string) => client.stream({ token, query, variables })
  const byKey = (key: string) =>
    client.stream({ query, variables, headers: backendHeaders(key, 'alice') })
  return { clock, nowSeconds, old, next, keys, auth, gateway, client, alice, listen, byKey }
}

const sent: Step = {
  type: 'send',
  as: 'alice',
  accepted: { replyId: variables.replyId, messageId: 'm', conversationId: 'c' },
}
const truth = (events: readonly SeenEvent[]): Step => ({
  type: 'truth',
  as: 'alice',
  replyId: variables.replyId,
  events,
})

const backendHeaders = (key: string, subject: string) => ({
  authorization: `ApiKey ${key}`,
  'x-session-subject': subject,
})

describe('P8 T10: a live subscription', () => {
  it('ends when its key is published no more, and goes on under another without a gap', async () => {
    const { clock, old, next, keys, gateway, client, alice } = await open()
    const recorder = createRecorder()
    recorder.add(sent)
    const following = { reader: 'a', as: 'alice', replyId: variables.replyId }
    const first = await recorder.follow(client, { ...following, token: await old.sign('alice') })
    const other = await recorder.follow(client, {
      ...following,
      reader: 'b',
      token: await next.sign('alice'),
    })
    const [resumeAfter] = alice.append(replyId, { type: 'started' }, delta(0, 'Hel')).slice(-1)
    await first.take(({ __typename }) => __typename === 'ReplyDelta')
    keys.publish(next.jwk)
    await clock.pass(checkMs)
    expect(await first.take()).toEqual([])
    expect(await first.stream.ended).toBe('complete')
    expect(first.errors).toMatchObject([
      { extensions: { code: 'SUBSCRIPTION_TOKEN_EXPIRED', resumeAfter } },
    ])
    expect(first.stream.frames.at(-2)?.id).toBeUndefined()
    expect(gateway.ends).toEqual(['token-expired'])

    alice.append(replyId, delta(3, 'lo'))
    const fresh = await recorder.follow(client, {
      ...following,
      token: await next.sign('alice'),
      after: first.errors[0]?.extensions?.resumeAfter,
    })
    alice.append(replyId, completed('Hello'))
    const rest = await fresh.take()
    expect(rest.map(({ __typename }) => __typename)).toEqual(['ReplyDelta', 'ReplyCompleted'])
    recorder.add(truth((await other.take()).map(toSeen)))
    expect(check(recorder.history)).toEqual([])
  })

  it('ends within a moment when its API key is taken back, and goes on by graphql-sse under the next', async () => {
    const [one, two] = [apiKey('one'), apiKey('two')]
    const { auth, gateway, alice } = await open([one.settings, two.settings])
    const history: Step[] = [sent]
    let key = one.key
    const sse = createSseClient({
      url: `${gateway.url}/graphql`,
      headers: () => backendHeaders(key, 'alice'),
      retryAttempts: 0,
    })
    let after: string | undefined
    for (const turn of ['first', 'second']) {
      const connection = openConnection(history, {
        reader: 'a',
        as: 'alice',
        replyId: variables.replyId,
        ...(after !== undefined && { after }),
      })
      const results = sse.iterate<RepliesSubscription>({
        query,
        variables: { ...variables, ...(after !== undefined && { after }) },
      })
      if (turn === 'first') alice.append(replyId, { type: 'started' }, delta(0, 'Hel'))
      for await (const { data, errors } of results) {
        if (data) connection.see(toSeen(data.replies))
        if (data?.replies.__typename === 'ReplyDelta' && turn === 'first') {
          alice.append(replyId, delta(3, 'lo'))
          auth.replaceApiKeys([two.settings])
          await gateway.server.checkCredentials()
          key = two.key
        }
        const ending = errors?.[0]?.extensions as GraphError['extensions']
        if (ending?.code === 'SUBSCRIPTION_TOKEN_EXPIRED') {
          after = ending.resumeAfter
          alice.append(replyId, completed('Hello'))
        }
      }
      connection.end(turn === 'first' ? 'error' : 'complete')
    }
    expect(gateway.ends).toEqual(['token-expired', 'completed'])
    const seen = history.flatMap((step) => (step.type === 'seen' ? [step.event] : []))
    expect(seen.map(({ body }) => body)).toEqual([
      { type: 'started' },
      { type: 'delta', kind: 'ANSWER', offset: 0, text: 'Hel' },
      { type: 'delta', kind: 'ANSWER', offset: 3, text: 'lo' },
      { type: 'completed', text: 'Hello' },
    ])
    expect(check(history)).toEqual([])
  })

  it('of another key of the same backend goes on', async () => {
    const [one, two] = [apiKey('one'), apiKey('two')]
    const { auth, gateway, alice, byKey } = await open([one.settings, two.settings])
    using first = await byKey(one.key)
    using second = await byKey(two.key)
    auth.replaceApiKeys([two.settings])
    await gateway.server.checkCredentials()
    expect(await first.ended).toBe('complete')
    alice.append(replyId, completed('a'))
    expect((await second.next())?.data).toContain('ReplyCompleted')
  })

  it('is looked at once in each interval, not before', async () => {
    const one = apiKey('one')
    const { clock, auth, gateway, byKey } = await open([one.settings])
    using stream = await byKey(one.key)
    auth.replaceApiKeys([])
    await clock.pass(checkMs - 1_500)
    expect(gateway.ends).toEqual([])
    await clock.pass(1_500)
    expect(await stream.ended).toBe('complete')
    expect(gateway.ends).toEqual(['token-expired'])
  })

  it('ends when its API key is used up, or after an hour', async () => {
    const { clock, auth, gateway, byKey } = await open()
    const dated = apiKey('dated', { notAfter: clock.now() + 2 * hourMs })
    const endless = apiKey('endless')
    auth.replaceApiKeys([dated.settings, endless.settings])
    using short = await byKey(endless.key)
    using long = await byKey(dated.key)
    clock.advance(hourMs - 1)
    expect(gateway.ends).toEqual([])
    clock.advance(1)
    expect(await short.ended).toBe('complete')
    expect(gateway.ends).toEqual(['token-expired'])
    clock.advance(hourMs)
    expect(await long.ended).toBe('complete')
  })

  it('lives on while its issuer cannot be reached, however long', async () => {
    const { clock, old, keys, gateway, alice, listen } = await open()
    using stream = await listen(await old.sign('alice'))
    const before = keys.requests
    keys.answer((response) => response.destroy())
    for (let passed = 0; passed < maxStaleMs + 2 * checkMs; passed += checkMs) {
      const asked = keys.requests
      clock.advance(checkMs)
      await until(() => keys.requests > asked, 'a question to the issuer')
      await gateway.server.checkCredentials()
    }
    expect(keys.requests).toBeGreaterThan(before)
    expect(gateway.ends).toEqual([])
    alice.append(replyId, completed('a'))
    expect((await stream.next())?.data).toContain('ReplyCompleted')
  })

  it('costs no timer and no question of its own: many share one', async () => {
    const { clock, old, keys, listen } = await open()
    const openStream = async (index: number) => listen(await old.sign('alice', { index }))
    const streams = [await openStream(0)]
    const areOpen = () => streams.every(({ frames }) => frames.length > 0)
    await until(areOpen, 'the first comment')
    const { pending } = clock
    streams.push(...(await Promise.all([1, 2, 3, 4].map(openStream))))
    await until(areOpen, 'the first comments')
    expect(clock.pending).toBe(pending)
    const asked = keys.requests
    clock.advance(checkMs)
    await until(() => keys.requests > asked, 'a question to the issuer')
    await clock.pass(0)
    expect(keys.requests).toBe(asked + 1)
    for (const stream of streams) stream.cut()
  })

  it('is not ended by a failure of ours to look, which is logged', async () => {
    const errors: string[] = []
    const logger: Logger = { ...silentLogger, error: (_fields, text) => void errors.push(text) }
    const status: CredentialStatus = {
      isStillAccepted: () => Promise.reject(new TypeError('a bug')),
    }
    const caller = {
      kind: 'jwt' as const,
      issuer: 'test',
      subject: 'alice',
      scopes: [],
      expiresAt: Number.MAX_SAFE_INTEGER,
    }
    const authenticator = {
      authenticate: async () => ({ caller, status, by: 'header' as const }),
      challenge: () => 'Bearer',
    }
    const { gateway, alice, listen } = await open([], { authenticator, logger })
    using stream = await listen('any')
    await gateway.server.checkCredentials()
    expect(errors).toEqual(['credential could not be checked'])
    alice.append(replyId, completed('a'))
    expect((await stream.next())?.data).toContain('ReplyCompleted')
  })
})
