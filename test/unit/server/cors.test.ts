import { describe, expect, it } from 'vitest'
import { corsSchema } from '../../../src/config/sections/process.ts'
import { createCors } from '../../../src/server/cors.ts'
import { fromFetchRequest } from '../../../src/server/fetch/fetch.ts'

const page = 'https://app.example.com'
const from = (origin?: string) =>
  fromFetchRequest(
    new Request('https://gateway.example.com/graphql', { headers: origin ? { origin } : {} }),
  )
const open = (settings: object, credentials = false) =>
  createCors(corsSchema.parse(settings), { credentials })

describe('pages of other origins', () => {
  it('get nothing by default, and no cache needs to tell them apart', () => {
    const cors = open({})
    expect(cors.headers(from(page))).toEqual({})
    expect(cors.preflight(from(page), ['GET', 'POST'])).toEqual({
      status: 204,
      headers: { allow: 'GET, POST, OPTIONS' },
    })
    expect(cors.isAllowed(from(page))).toBe(false)
  })

  it.each([page, 'capacitor://localhost', 'chrome-extension://abcdefghijklmnop'])(
    'may call from the configured origin %s',
    (origin) => {
      const cors = open({ origins: [origin] })
      expect(cors.isAllowed(from(origin))).toBe(true)
      expect(cors.headers(from(origin))).toEqual({
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'retry-after, www-authenticate, x-request-id',
      })
    },
  )

  it.each([
    ['https://app.example.com.evil.com'],
    ['https://APP.example.com'],
    ['http://app.example.com'],
    ['https://app.example.com:8443'],
    ['null'],
    [undefined],
  ])('may not call from %s, and caches are told that it depends', (origin) => {
    const cors = open({ origins: [page] })
    expect(cors.isAllowed(from(origin))).toBe(false)
    expect(cors.headers(from(origin))).toEqual({ vary: 'Origin' })
  })

  it('may send cookies only where cookies are credentials, and never by a star', () => {
    const granted = open({ origins: [page] }, true).headers(from(page))
    expect(granted).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
    })
    expect(open({ origins: [page] }).headers(from(page))).not.toHaveProperty(
      'access-control-allow-credentials',
    )
  })

  it('may send the headers of tracing that their scripts add, and those of the setting', () => {
    const allowed = (settings: object) =>
      open({ origins: [page], ...settings }).preflight(from(page), ['POST']).headers[
        'access-control-allow-headers'
      ]
    const read =
      'authorization, content-type, last-event-id, x-request-id, graphql-require-preflight'
    expect(allowed({})).toBe(
      `${read}, traceparent, tracestate, baggage, sentry-trace, apollographql-client-name, apollographql-client-version, apollo-require-preflight, x-apollo-operation-name`,
    )
    expect(allowed({ requestHeaders: ['x-client'] })).toBe(`${read}, x-client`)
    expect(allowed({ requestHeaders: [] })).toBe(read)
  })
})

describe('the settings of origins', () => {
  const problems = (settings: object) =>
    corsSchema.safeParse(settings).error?.issues.map(({ message }) => message) ?? []

  it.each([
    page,
    'http://localhost:3000',
    'capacitor://localhost',
    'ionic://localhost',
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'moz-extension://0b1d7a3e-1f1c-4c55-9d39-6f0a3a0f9a11',
  ])('take %s', (origin) => {
    expect(problems({ origins: [origin] })).toEqual([])
  })

  it.each([
    '*',
    'https://*.preview.example',
    'chrome-extension://*',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://app.example.com:443',
    'https://App.example.com',
    'capacitor://localhost/',
    'app.example.com',
    'file://',
    'file:///index.html',
    'data:text/html,x',
    'null',
    '',
  ])('refuse %j, which no browser sends, in words', (origin) => {
    expect(problems({ origins: [origin] })).toEqual([expect.stringMatching(/without a star/)])
  })

  it.each(['*', 'X-Client', 'x client', 'x-client:', ''])(
    'refuse %j as the name of a header',
    (name) => {
      expect(problems({ requestHeaders: [name] })).toEqual([
        'must be the name of a header, in small letters, without a star',
      ])
    },
  )
})
