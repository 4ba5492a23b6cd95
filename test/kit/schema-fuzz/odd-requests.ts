import type { Random } from '../random.ts'
import type { FuzzRequest } from './exchange.ts'
import { hostileText, nested } from './hostile-values.ts'

const viewer = '{ viewer { sessionFingerprint } }'
const json = { 'content-type': 'application/json' }

/** A request that is no GraphQL over HTTP, or only just. */
export function oddRequest(random: Random): FuzzRequest {
  const text = hostileText(random)
  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = json,
  ) => ({
    method: 'POST',
    path: '/graphql',
    headers,
    body,
  })
  const get = (search: Record<string, string>, headers: Record<string, string> = {}) => ({
    method: 'GET',
    path: `/graphql?${new URLSearchParams(search)}`,
    headers,
  })
  const form = (body: string) =>
    post(body, {
      'content-type': 'multipart/form-data; boundary=b',
      'graphql-require-preflight': '1',
    })
  const part = (name: string, value: string) =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  return random.pick<() => FuzzRequest>([
    () => post(''),
    () => post(text),
    () => post(JSON.stringify({ query: text })),
    () => post(JSON.stringify({ query: viewer, variables: text })),
    () => post(JSON.stringify({ query: viewer, operationName: text })),
    () => post(JSON.stringify({ query: viewer, extensions: { persistedQuery: text } })),
    () => post(JSON.stringify({ documentId: text })),
    () => post(JSON.stringify([{ query: viewer }, { query: viewer }])),
    () => post(JSON.stringify(nested(5_000))),
    () => post(`{"query":"${viewer}","query":"{ a }","__proto__":{"query":"x"}}`),
    () => post(JSON.stringify({ query: viewer }).slice(0, -5)),
    () => post(JSON.stringify({ query: `{ ${'a'.repeat(300_000)} }` })),
    () => post(new Uint8Array([0xff, 0xfe, 0x00, 0x7b])),
    () => post(JSON.stringify({ query: `{ ${'{ a '.repeat(3_000)}` })),
    () =>
      post(JSON.stringify({ query: `query { ${'viewer { sessionFingerprint } '.repeat(400)} }` })),
    () => post(JSON.stringify({ query: `{ ...F } fragment F on Query { ...F }` })),
    () => post(JSON.stringify({ query: `{ viewer { ${'@a '.repeat(50)} } }` })),
    () => post(JSON.stringify({ query: '{ __schema { types { name fields { name } } } }' })),
    () => post(JSON.stringify({ query: viewer }), { 'content-type': 'text/plain' }),
    () => post(`query=${viewer}`, { 'content-type': 'application/x-www-form-urlencoded' }),
    () => post(JSON.stringify({ query: viewer }), { ...json, 'content-encoding': 'gzip' }),
    () => post(JSON.stringify({ query: viewer }), { ...json, accept: 'image/png' }),
    () => post(JSON.stringify({ query: viewer }), { ...json, 'x-session-subject': 'someone else' }),
    () =>
      post(JSON.stringify({ query: viewer }), { ...json, cookie: '__Host-coze-gateway=x; a=b' }),
    () => post(JSON.stringify({ query: viewer }), { ...json, traceparent: '00-x-y-z' }),
    () => post('--b--\r\n', { 'content-type': 'multipart/form-data' }),
    () => form('--b--\r\n'),
    () => form(`${part('operations', '{}')}--b--\r\n`),
    () => form(`${part('map', '{}')}${part('operations', text.slice(0, 100))}--b--\r\n`),
    () => form(part('operations', 'x'.repeat(300_000))),
    () => form(Array.from({ length: 200 }, (_, at) => part(`f${at}`, 'x')).join('')),
    () => get({ query: viewer }),
    () => get({ query: 'mutation { eraseSession { __typename } }' }),
    () => get({ query: viewer, variables: text.slice(0, 1_000) }),
    () => get({ documentId: text.slice(0, 1_000) }),
    () => get({}, { accept: 'text/event-stream' }),
    () => ({
      ...get(
        { query: 'subscription { replies { cursor } }' },
        {
          accept: 'text/event-stream',
          'last-event-id': random.pick(['x', 'a.1.1', '..', '1', ' ', '%00']),
        },
      ),
      events: 1,
    }),
    () => ({ method: 'POST', path: '/auth/guest', headers: {}, body: text }),
    () => ({ method: 'DELETE', path: '/auth/cookie', headers: { 'sec-fetch-site': 'cross-site' } }),
    () => ({ method: 'POST', path: '/auth/cookie', headers: json, body: text }),
    () => ({
      method: random.pick(['PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']),
      path: random.pick(['/graphql', '/health/live', '/', '/auth/guest']),
      headers: {},
    }),
    () => ({
      method: 'GET',
      path: random.pick([
        '/',
        '/graphql/..',
        '//graphql',
        '/%67raphql',
        '/metrics',
        '/.env',
        '/a?b#c',
      ]),
      headers: {},
    }),
  ])()
}
