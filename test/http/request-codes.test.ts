import { describe, expect, it } from 'vitest'
import type { ReplyId } from '../../src/domain.ts'
import {
  CursorExpiredError,
  SubscriptionTokenExpiredError,
  UnavailableError,
} from '../../src/errors.ts'
import { createClient, acceptStream } from '../kit/clients/client.ts'
import { endingCodes, requestStatuses } from '../kit/schema/codes.ts'
import { type FakeGateway, type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import { until } from '../kit/process/until.ts'

const authorization = 'Bearer alice'
const json = { authorization, 'content-type': 'application/json' }
const strict = { ...json, accept: 'application/graphql-response+json' }
const replies =
  'subscription ($replyId: ID, $after: String) { replies(replyId: $replyId, after: $after) { cursor } }'

interface Case {
  readonly status: number
  readonly code: string
  readonly gateway?: FakeGatewayOptions
  readonly ask: (gateway: FakeGateway) => Promise<Response>
}

const post = (gateway: FakeGateway, body: object | string, headers: Record<string, string>) =>
  globalThis.fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const viewer = { query: '{ viewer { sessionFingerprint } }' }
const stream = (gateway: FakeGateway, variables: object = {}, query = replies) =>
  post(gateway, { query, variables }, { ...json, accept: acceptStream })

/** The rest of it never comes. */
function postHalf({ url }: FakeGateway): Promise<Response> {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
  })
  // Needed by the specification of fetch, and missing in its types.
  const init = { method: 'POST', body, duplex: 'half' }
  return globalThis.fetch(`${url}/graphql`, { ...init, headers: json })
}

const cases: readonly Case[] = [
  { status: 400, code: 'BAD_REQUEST', ask: (gateway) => post(gateway, '{', json) },
  {
    status: 405,
    code: 'BAD_REQUEST',
    ask: ({ url }) => globalThis.fetch(`${url}/graphql`, { method: 'DELETE', headers: json }),
  },
  {
    status: 406,
    code: 'BAD_REQUEST',
    ask: (gateway) => post(gateway, viewer, { ...json, accept: 'image/png' }),
  },
  {
    status: 408,
    code: 'BAD_REQUEST',
    gateway: { requestMs: 1 },
    ask: postHalf,
  },
  {
    status: 415,
    code: 'BAD_REQUEST',
    ask: (gateway) => post(gateway, viewer, { authorization, 'content-type': 'text/plain' }),
  },
  {
    status: 400,
    code: 'GRAPHQL_PARSE_FAILED',
    ask: (gateway) => post(gateway, { query: '{' }, strict),
  },
  {
    status: 400,
    code: 'GRAPHQL_VALIDATION_FAILED',
    ask: (gateway) => post(gateway, { query: '{ nope }' }, strict),
  },
  {
    status: 400,
    code: 'BAD_USER_INPUT',
    ask: (gateway) => post(gateway, { query: 'query ($id: ID!) { node(id: $id) { id } }' }, strict),
  },
  { status: 400, code: 'BAD_USER_INPUT', ask: (gateway) => stream(gateway, { after: 'x' }) },
  {
    status: 401,
    code: 'UNAUTHENTICATED',
    ask: (gateway) => post(gateway, viewer, { ...json, authorization: 'Basic eA==' }),
  },
  {
    status: 403,
    code: 'FORBIDDEN',
    ask: (gateway) =>
      stream(gateway, {}, 'subscription { probeProgress(probeId: "p") { __typename } }'),
  },
  { status: 404, code: 'NOT_FOUND', ask: (gateway) => stream(gateway, { replyId: 'x' }) },
  {
    status: 410,
    code: 'SUBSCRIPTION_CURSOR_EXPIRED',
    async ask(gateway) {
      await post(
        gateway,
        { query: 'mutation { sendMessage(input: { text: "x" }) { __typename } }' },
        json,
      )
      gateway.session('alice').append('r0' as ReplyId, { type: 'started' })
      gateway.session('alice').trim()
      return stream(gateway, { after: 'alice.0.-' })
    },
  },
  {
    status: 413,
    code: 'TOO_LARGE',
    gateway: { limits: { maxBodyBytes: 100 } },
    ask: (gateway) => post(gateway, { ...viewer, operationName: 'x'.repeat(100) }, json),
  },
  {
    status: 429,
    code: 'RATE_LIMITED',
    gateway: { limits: { maxSubscriptionsPerSession: 0 } },
    ask: (gateway) => stream(gateway),
  },
  {
    status: 503,
    code: 'DRAINING',
    async ask(gateway) {
      await gateway.server.drain()
      return stream(gateway)
    },
  },
  {
    status: 503,
    code: 'UNAVAILABLE',
    gateway: {
      load: {
        isNearLimit: true,
        check() {
          throw new UnavailableError('There is no memory.')
        },
      },
    },
    ask: (gateway) => post(gateway, viewer, json),
  },
  {
    status: 500,
    code: 'INTERNAL_SERVER_ERROR',
    gateway: {
      authenticator: {
        authenticate: () => Promise.reject(new Error('a secret')),
        challenge: () => 'Bearer',
      },
    },
    ask: (gateway) => post(gateway, viewer, json),
  },
]

describe('a request that is refused', () => {
  it.each(cases)(
    'is told $status $code, and when to come back',
    async ({ status, code, ask, gateway: options }) => {
      await using gateway = await openFakeGateway(options)
      const answer = await ask(gateway)
      const body = await answer.text()
      expect(answer.status).toBe(status)
      expect(JSON.parse(body)).toEqual({
        errors: [expect.objectContaining({ extensions: expect.objectContaining({ code }) })],
      })
      expect(body).not.toContain('secret')
      expect(answer.headers.get('cache-control')).toBe('private, no-store')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      const isPassing = status === 429 || status === 503
      expect(answer.headers.get('retry-after')).toEqual(
        isPassing ? expect.stringMatching(/^\d+$/) : null,
      )
    },
  )

  it('is so with every status of every documented code', () => {
    const documented = Object.entries(requestStatuses).flatMap(([code, statuses]) =>
      statuses.map((status) => `${status} ${code}`),
    )
    expect(new Set(cases.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(documented),
    )
  })
})

/** Why a stream that runs may end, other than by what it is about. */
const endings = [
  new SubscriptionTokenExpiredError('It has expired.'),
  new CursorExpiredError('The log was trimmed.'),
]

describe('a stream that ends before what it is about', () => {
  it.each(endings)('says $code without a place in the log, then completes', async (error) => {
    await using gateway = await openFakeGateway()
    using client = createClient(gateway.url)
    using opened = await client.stream({ token: 'alice', query: replies })
    await until(() => gateway.session('alice').readers === 1, 'the reader')
    gateway.session('alice').failWith(error)
    const last = await opened.next()
    expect(last?.id).toBeUndefined()
    expect(JSON.parse(last?.data ?? '')).toMatchObject({
      errors: [{ extensions: { code: error.code } }],
    })
    expect(await opened.ended).toBe('complete')
  })

  it('does so with every documented code', () => {
    expect(new Set(endings.map(({ code }) => code as string))).toEqual(endingCodes)
  })
})
