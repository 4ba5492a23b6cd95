import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { createGateway } from '../../src/compose/gateway.ts'
import { createLogger } from '../../src/observe/log.ts'
import { apiKey } from '../kit/credentials/api-keys.ts'
import { createRsaIssuer } from '../kit/credentials/issuer.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'

const marker = 'sub-of-somebody-in-particular'

/** A gateway with every way in, whose log is read. No upstream is asked. */
async function open() {
  const clock = createFakeClock()
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  const rsa = await createRsaIssuer({ nowSeconds })
  const stranger = await createRsaIssuer({ nowSeconds })
  const other = await createRsaIssuer({ nowSeconds, issuer: 'https://other.test' })
  const spent = apiKey('spent')
  const shop = apiKey('shop')
  let log = ''
  const logger = createLogger({ level: 'info', destination: { write: (line) => (log += line) } })
  const config = parseConfig({
    env: {},
    json: {
      issuers: [
        { ...rsa.settings, tenantClaim: 'org' },
        { ...other.settings, subjectClaim: 'oid' },
      ],
      apiKeys: [
        { ...shop.settings },
        { ...spent.settings, notAfter: new Date(clock.now() - 1).toISOString() },
      ],
      cookie: {},
      guests: { key: 'g'.repeat(32) },
      operatorScope: 'our-operators',
      session: { key: 's'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
      assistants: [
        {
          id: 'bot',
          name: 'Bot',
          strategy: 'bot',
          baseUrl: 'http://127.0.0.1:9',
          credentials: { type: 'token', token: 'pat_x', allowSharedToken: true },
          bot: { botId: '1' },
        },
      ],
      store: 'sqlite::memory:',
      probe: { checkAtStart: false },
    },
  })
  const gateway = await createGateway(config, { clock, logger })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  async function ask(headers: Record<string, string>, query = '{ viewer { id } }') {
    const response = await gateway.fetch(
      new Request('http://gateway.test/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      }),
    )
    await response.text()
    return response
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  /** What the log says of refusals. */
  const refusals = (): Record<string, unknown>[] =>
    log
      .split('\n')
      .filter((line) => line.includes('caller refused'))
      .map((line) => JSON.parse(line))
  return { clock, rsa, stranger, other, shop, spent, ask, bearer, refusals, log: () => log }
}

type Kit = Awaited<ReturnType<typeof open>>
type Shown = Record<string, string>

const org = { org: 'acme' }
const cases: Record<string, [(kit: Kit) => Promise<Shown> | Shown, object]> = {
  'a token for another audience': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker, { ...org, aud: 'elsewhere' })),
    { issuer: 'https://rsa.test', claim: 'aud', expected: ['gateway'] },
  ],
  'a token without an audience': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker, { ...org, aud: [] })),
    { issuer: 'https://rsa.test', claim: 'aud', expected: ['gateway'] },
  ],
  'a token of an issuer that ends with a slash more': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker, { iss: 'https://rsa.test/' })),
    {
      namedIssuer: 'https://rsa.test/',
      claim: 'iss',
      expected: ['https://rsa.test', 'https://other.test'],
    },
  ],
  'a token that is over': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker, { ...org, exp: 1_000 })),
    { issuer: 'https://rsa.test', claim: 'exp' },
  ],
  'a token that lives too long': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker, { ...org, exp: 4_000_000_000 })),
    {
      issuer: 'https://rsa.test',
      claim: 'exp',
      reason: 'The lifetime of the token is too long.',
      expected: expect.stringContaining('maxLifetimeSeconds'),
    },
  ],
  'a token that is not good yet': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker, { ...org, nbf: 4_000_000_000 })),
    { issuer: 'https://rsa.test', claim: 'nbf' },
  ],
  'a token of an algorithm that is not pinned': [
    ({ rsa, bearer }) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      return bearer(`${part({ alg: 'ES256' })}.${part({ iss: rsa.issuer, sub: marker })}.AAAA`)
    },
    { issuer: 'https://rsa.test', claim: 'alg', expected: ['RS256'] },
  ],
  'a token by another key': [
    async ({ stranger, bearer }) => bearer(await stranger.sign(marker, org)),
    { issuer: 'https://rsa.test', expected: 'a signature by the configured public-key' },
  ],
  'a token without its tenant': [
    async ({ rsa, bearer }) => bearer(await rsa.sign(marker)),
    { issuer: 'https://rsa.test', claim: 'org' },
  ],
  'a token without the claim that names subjects there': [
    async ({ other, bearer }) => bearer(await other.sign(marker)),
    { issuer: 'https://other.test', claim: 'oid' },
  ],
  'a blank subject': [
    async ({ rsa, bearer }) => bearer(await rsa.sign('   ', org)),
    { issuer: 'https://rsa.test', claim: 'sub' },
  ],
  'text that is no token': [
    ({ bearer }) => bearer(marker),
    { expected: 'three parts of base64url' },
  ],
  'another scheme': [
    () => ({ authorization: `Basic ${btoa(`${marker}:x`)}` }),
    { expected: 'one Authorization header: Bearer TOKEN or ApiKey KEY' },
  ],
  'nobody at all': [() => ({}), { reason: 'A credential is needed.' }],
  'an API key that is not configured': [
    () => ({ authorization: `ApiKey ${'k'.repeat(40)}`, 'x-session-subject': marker }),
    { reason: 'The API key is not accepted.', expected: 'a key whose SHA-256 is in apiKeys' },
  ],
  'an API key whose time is over': [
    ({ spent }) => ({ authorization: `ApiKey ${spent.key}`, 'x-session-subject': marker }),
    { apiKey: 'spent', expected: 'a time before its notAfter' },
  ],
  'an API key that names no user': [
    ({ shop }) => ({ authorization: `ApiKey ${shop.key}` }),
    { apiKey: 'shop', reason: expect.stringContaining('X-Session-Subject') },
  ],
  'an API key whose user is not encoded': [
    ({ shop }) => ({ authorization: `ApiKey ${shop.key}`, 'x-session-subject': `${marker} %` }),
    { apiKey: 'shop', reason: expect.stringContaining('percent-encoded') },
  ],
  'a user named beside a token': [
    async ({ rsa, bearer }) => ({
      ...bearer(await rsa.sign(marker, org)),
      'x-session-subject': marker,
    }),
    { issuer: 'https://rsa.test', reason: 'X-Session-Subject is only for API keys.' },
  ],
  'two cookies of one name': [
    () => ({ cookie: `__Host-coze-gateway=${marker}; __Host-coze-gateway=b` }),
    { expected: 'one cookie __Host-coze-gateway' },
  ],
  'a header and a cookie of different callers': [
    async ({ rsa, bearer }) => ({
      ...bearer(await rsa.sign(marker, org)),
      cookie: `__Host-coze-gateway=${await rsa.sign('bob', org)}`,
    }),
    { issuer: 'https://rsa.test', expected: 'a cookie of the same subject as the header' },
  ],
  'a cookie that a page of another site sends': [
    async ({ rsa }) => ({
      cookie: `__Host-coze-gateway=${await rsa.sign(marker, org)}`,
      'sec-fetch-site': 'cross-site',
    }),
    { reason: expect.stringContaining('configured origin') },
  ],
  'a guest under a key that was replaced': [
    ({ bearer }) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const header = part({ alg: 'HS256', typ: 'guest+jwt' })
      const claims = part({ iss: 'urn:coze-graphql-gateway:guests', sub: marker })
      return bearer(`${header}.${claims}.AAAA`)
    },
    { issuer: 'urn:coze-graphql-gateway:guests', expected: expect.stringContaining('guests.key') },
  ],
}

describe('why a caller was refused', () => {
  it.each(Object.entries(cases))(
    'is in the log, without the credential and its subject: %s',
    async (_name, [show, told]) => {
      const kit = await open()
      const headers = await show(kit)
      const response = await kit.ask(headers)
      expect([400, 401, 403]).toContain(response.status)
      expect(kit.refusals()).toEqual([
        expect.objectContaining({ level: 'info', count: 1, ...told }),
      ])
      expect(kit.log()).not.toContain(marker)
      for (const part of (headers['authorization'] ?? '').split(/[ .]/).slice(1)) {
        if (part.length > 8) expect(kit.log()).not.toContain(part)
      }
    },
  )

  it('is in the log when the scope of operators is missing, with the scope that was asked for', async () => {
    const kit = await open()
    const token = await kit.rsa.sign(marker, { ...org, scope: 'operators' })
    const query = '{ assistants { isolation { findings { layer } } } }'
    await kit.ask(kit.bearer(token), query)
    expect(kit.refusals()).toEqual([
      expect.objectContaining({
        reason: 'This is for operators only.',
        issuer: 'https://rsa.test',
        expected: 'our-operators',
      }),
    ])
    expect(kit.log()).not.toContain(marker)
  })

  it('is one line a minute, however many are refused', async () => {
    const kit = await open()
    const token = await kit.rsa.sign(marker, { ...org, aud: 'elsewhere' })
    for (let count = 0; count < 20; count += 1) await kit.ask(kit.bearer(token))
    expect(kit.refusals()).toHaveLength(1)
    kit.clock.advance(60_000)
    expect(kit.refusals().map(({ count }) => count)).toEqual([1, 19])
  })

  it('names the claim to the owner of a token, and nothing to a token that nobody signed', async () => {
    const kit = await open()
    const owned = await kit.ask(kit.bearer(await kit.rsa.sign(marker, { ...org, aud: 'x' })))
    expect(owned.headers.get('www-authenticate')).toContain('The claim aud of the token')
    const forged = await kit.ask(kit.bearer(await kit.stranger.sign(marker, { ...org, aud: 'x' })))
    const told = forged.headers.get('www-authenticate')
    expect(told).toContain('The signature of the token is wrong.')
    for (const hidden of ['gateway', 'aud', 'org']) expect(told).not.toContain(hidden)
  })
})
