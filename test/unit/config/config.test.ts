import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  parseConfig,
  type Config,
  type ConfigSource,
} from '../../../src/config/config.ts'
import { guestIssuer } from '../../../src/auth/guests.ts'
import { environmentSettings } from '../../../src/config/environment.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { demoSecrets } from '../../../src/config/demo-secrets.ts'
import { reservedIssuer } from '../../../src/config/sections/guests.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const privatePem = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()

const encryptedPem = rsa.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString()
const ecPem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const shortPem = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

const issuer = { issuer: 'https://id.test', audience: 'gateway', secret: 'i'.repeat(32) }
const oauth = { type: 'oauth', appId: '1100', keyId: 'kid', privateKey: privatePem }
const workflow = { workflowId: '7001', appId: '7002' }
const assistant = {
  id: 'flow',
  name: 'Flow',
  strategy: 'workflow',
  baseUrl: 'https://api.coze.cn',
  credentials: oauth,
  workflow,
}
const minimal = {
  issuers: [issuer],
  session: { key: 's'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
  assistants: [assistant],
}

function parse(json: unknown, source: Partial<ConfigSource> = {}): Config {
  const readFile = (path: string): string => {
    throw Object.assign(new Error(path), { code: 'ENOENT' })
  }
  return parseConfig({ json, env: {}, readFile, ...source })
}

function problemsOf(json: unknown, source: Partial<ConfigSource> = {}): readonly string[] {
  try {
    parse(json, source)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('a configuration', () => {
  it('needs little: all else has a default', () => {
    const config = parse(minimal)
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 4000 },
      cors: { origins: [] },
      graphiql: true,
      logging: { level: 'info' },
      store: { engine: 'sqlite', file: resolve('data/gateway.db') },
      timeouts: { keepAliveMs: 12_000, drainMs: 25_000 },
      limits: { maxQueued: 10 },
    })
    expect(config.metrics).toBeUndefined()
    expect(config.issuers[0]).toMatchObject({
      keys: [{ algorithms: ['HS256'] }],
      clockToleranceSeconds: 30,
    })
    expect(config.assistants[0]).toMatchObject({
      credentials: { audience: 'api.coze.cn', accessTokenSeconds: 3_600 },
      workflow: { conversationKeying: 'auto', parameters: {} },
    })
  })

  it('F20 F26 F35 F36 F38c: holds to the promised bounds where none is set', () => {
    const { secret: _, ...published } = issuer
    const jwks = { ...published, jwksUrl: 'https://issuer.test/keys' }
    const { timeouts, limits, issuers } = parse({ ...minimal, issuers: [jwks] })
    expect(timeouts).toMatchObject({ drainMs: 25_000, keepAliveMs: 12_000, stalledMs: 60_000 })
    expect(limits).toMatchObject({ maxHeapPercent: 90, maxBufferedBytes: 65_536 })
    expect(issuers[0]?.keys).toMatchObject([{ cooldownSeconds: 30, maxStaleSeconds: 3_600 }])
  })

  it('F1 F5 F6 F10 F14 F15 F17: gives an upstream the documented patience', () => {
    const { timeouts, limits } = parse(minimal)
    expect(timeouts).toMatchObject({
      retryMs: 5_000,
      circuitMs: 30_000,
      tokenMs: 10_000,
      rateLimitWaitMs: 30_000,
      idleBotMs: 120_000,
      idleWorkflowMs: 600_000,
      totalMs: 600_000,
      busyWaitMs: 10_000,
    })
    expect(limits).toMatchObject({
      circuitFailures: 10,
      maxEventBytes: 8 * 1_048_576,
      maxReplyBytes: 4 * 1_048_576,
      maxReplyEvents: 100_000,
    })
  })

  it('leaves GraphiQL off where only persisted documents are answered, and refuses it on', () => {
    const readFile = () => JSON.stringify({ id: '{ viewer { sessionFingerprint } }' })
    const given = (settings: object) =>
      parseConfig({ json: { ...minimal, ...settings }, env: {}, readFile })
    const only = { persistedDocuments: { file: 'documents.json', only: true } }
    expect(given({}).graphiql).toBe(true)
    expect(given({ persistedDocuments: { file: 'documents.json' } }).graphiql).toBe(true)
    expect(given(only).graphiql).toBe(false)
    expect(() => given({ ...only, graphiql: true })).toThrow(
      /^graphiql: .*persistedDocuments.only/m,
    )
  })

  it('takes persisted documents as code generators write them, and as a manifest of Apollo', () => {
    const document = 'query Session { viewer { sessionFingerprint } }'
    const operation = { id: 'abc', name: 'Session', type: 'query', body: document }
    const manifest = {
      format: 'apollo-persisted-query-manifest',
      version: 1,
      operations: [operation],
    }
    const read = (file: object) =>
      parse(
        { ...minimal, persistedDocuments: { file: 'documents.json' } },
        { readFile: () => JSON.stringify(file) },
      ).persistedDocuments?.documents
    for (const file of [{ abc: document }, manifest]) {
      expect(read(file)).toEqual(new Map([['abc', document]]))
    }
    expect(() => read({ ...manifest, version: 2 })).toThrow(/neither .* nor a manifest of Apollo/)
  })

  it('refuses an empty list of documents where nothing else is answered', () => {
    const readFile = () => '{}'
    const withDocuments = (only: boolean) => ({
      ...minimal,
      persistedDocuments: { file: 'none.json', only },
    })
    expect(problemsOf(withDocuments(true), { readFile })).toEqual([
      expect.stringMatching(
        /^persistedDocuments: names the file .*none\.json, which has no document/,
      ),
    ])
    expect(problemsOf(withDocuments(false), { readFile })).toEqual([])
  })

  it('has GraphQL at the path that is given, whether a slash ends it or not', () => {
    expect(parse(minimal).path).toBe('/graphql')
    const env = { COZE_GATEWAY_PATH: '/api/graphql/' }
    expect(parse(minimal, { env }).path).toBe('/api/graphql')
    for (const path of [
      '',
      '/',
      'graphql',
      '//graphql',
      '/a?b',
      '/%61',
      'https://x.example/graphql',
    ]) {
      expect(problemsOf({ ...minimal, path })).toEqual([
        expect.stringMatching(/^path: must be a path/),
      ])
    }
    for (const path of ['/health', '/auth/cookie']) {
      expect(problemsOf({ ...minimal, path })).toEqual([expect.stringMatching(/^path: .*\/auth/)])
    }
  })

  it('is frozen all the way down', () => {
    const config = parse(minimal)
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.assistants[0]?.credentials)).toBe(true)
    expect(Object.isFrozen(config.issuers[0]?.audience)).toBe(true)
  })

  it('reads secrets in place, from files beside it, and from the environment', () => {
    const files: Record<string, string> = {
      '/etc/gateway/config.json': JSON.stringify({
        ...minimal,
        issuers: [{ ...issuer, secret: { env: 'ISSUER_SECRET' } }],
        session: { ...minimal.session, key: { file: 'session.key' } },
        assistants: [
          { ...assistant, credentials: { ...oauth, privateKey: { file: '/keys/coze.pem' } } },
        ],
        store: 'sqlite:gateway.db',
      }),
      '/etc/gateway/session.key': `${'f'.repeat(40)}\n`,
      '/keys/coze.pem': privatePem,
    }
    const config = parse(undefined, {
      file: '/etc/gateway/config.json',
      env: { ISSUER_SECRET: 'e'.repeat(32) },
      readFile: (path) => files[path] ?? '',
    })
    expect(config.session.key.reveal()).toBe('f'.repeat(40))
    expect(config.issuers[0]?.keys).toMatchObject([{ type: 'secret' }])
    expect(config.store).toEqual({ engine: 'sqlite', file: '/etc/gateway/gateway.db' })
    const credentials = config.assistants[0]?.credentials
    expect(credentials?.type === 'oauth' && credentials.privateKey.reveal()).toContain(
      'BEGIN PRIVATE KEY',
    )
  })

  it.each([
    ['https://api.coze.com', 'oauth', 'cloud'],
    ['https://api.coze.cn', 'token', 'cloud'],
    ['https://api.coze.com:443/', 'token', 'cloud'],
    ['https://coze.internal', 'oauth', 'cloud'],
    ['https://coze.internal', 'token', 'studio'],
    ['http://127.0.0.1:8888', 'token', 'studio'],
  ] as const)('takes %s with credentials of type %s for the platform %s', (baseUrl, type, is) => {
    const token = { type, token: 'pat_x', allowSharedToken: true }
    const credentials = type === 'oauth' ? oauth : token
    const given = { ...assistant, baseUrl, credentials }
    expect(parse({ ...minimal, assistants: [given] }).assistants[0]?.platform).toBe(is)
  })

  it('takes plain http inside a private network where an assistant allows it', () => {
    const baseUrl = 'http://coze-server:8888'
    const { assistants } = parse(withAssistant({ baseUrl, allowPlainHttp: true }))
    expect(assistants[0]?.baseUrl).toBe(baseUrl)
    expect(problemsOf(withAssistant({ baseUrl }))).toEqual([
      expect.stringMatching(/^assistants\[0\]\.baseUrl: must be an https URL .*allowPlainHttp/),
    ])
  })

  it('takes the platform that is named before the likely one', () => {
    const baseUrl = 'https://coze.internal'
    const credentials = { type: 'token', token: 'pat_x', allowSharedToken: true }
    const given = { ...assistant, baseUrl, credentials, platform: 'cloud' }
    expect(parse({ ...minimal, assistants: [given] }).assistants[0]?.platform).toBe('cloud')
  })

  it('is overridden by the environment, scalar by scalar', () => {
    const config = parse(
      { ...minimal, listen: { host: '0.0.0.0', port: 1 } },
      {
        env: {
          COZE_GATEWAY_LISTEN_PORT: '5000',
          COZE_GATEWAY_METRICS_PORT: '9000',
          COZE_GATEWAY_GRAPHIQL: 'false',
          COZE_GATEWAY_LOGGING_LEVEL: 'warn',
          COZE_GATEWAY_STORE: 'sqlite::memory:',
          COZE_GATEWAY_TIMEOUTS_KEEP_ALIVE_MS: '5',
          COZE_GATEWAY_LIMITS_MAX_QUEUED: '3',
          COZE_GATEWAY_SESSION_KEY_FILE: 'key',
        },
        readFile: (path) => (path === resolve('key') ? 'K'.repeat(32) : ''),
      },
    )
    expect(config).toMatchObject({
      listen: { host: '0.0.0.0', port: 5000 },
      metrics: { host: '127.0.0.1', port: 9000 },
      graphiql: false,
      logging: { level: 'warn' },
      store: { file: ':memory:' },
      timeouts: { keepAliveMs: 5 },
      limits: { maxQueued: 3 },
    })
    expect(config.session.key.reveal()).toBe('K'.repeat(32))
  })

  it('takes a PostgreSQL server for the store, and its password from a file of its own', () => {
    const url = 'postgres://gateway@db.example/gateway?sslmode=verify-full'
    const { store, postgres } = parse(minimal, {
      env: {
        COZE_GATEWAY_STORE: url,
        COZE_GATEWAY_POSTGRES_PASSWORD_FILE: '/run/secrets/database',
        COZE_GATEWAY_POSTGRES_MAX_CONNECTIONS: '20',
      },
      readFile: (path) => (path === '/run/secrets/database' ? 'pass\n' : ''),
    })
    expect(store).toEqual({ engine: 'postgres', url })
    expect(postgres.maxConnections).toBe(20)
    expect(postgres.password?.reveal()).toBe('pass')
    expect(JSON.stringify({ store, postgres })).not.toContain('pass"')
  })

  it.each([
    ['redis://cache.example', { kind: 'server', hosts: [host('cache.example')], database: 0 }],
    [
      'rediss://me@[::1]:7000/3',
      { kind: 'server', hosts: [host('::1', 7000)], database: 3, isTls: true, user: 'me' },
    ],
    [
      'redis+sentinel://a%40b@one.example,two.example:7001/main',
      {
        kind: 'sentinel',
        hosts: [host('one.example', 26_379), host('two.example', 7001)],
        master: 'main',
        user: 'a@b',
      },
    ],
    [
      'rediss+cluster://10.0.0.1,10.0.0.2',
      { kind: 'cluster', hosts: [host('10.0.0.1'), host('10.0.0.2')], isTls: true },
    ],
  ])('takes %s for the lane', (lane, expected) => {
    const { lane: found } = parse({ ...minimal, lane })
    expect(found).toEqual({ isTls: false, user: undefined, ...expected })
  })

  it('takes the password of Redis from a file of its own', () => {
    const { lane, redis } = parse(minimal, {
      env: {
        COZE_GATEWAY_LANE: 'redis://me@localhost',
        COZE_GATEWAY_REDIS_PASSWORD_FILE: '/run/secrets/redis',
        COZE_GATEWAY_REDIS_PROTOCOL: '2',
      },
      readFile: (path) => (path === '/run/secrets/redis' ? 'pass\n' : ''),
    })
    expect(redis).toMatchObject({ protocol: 2, prefix: 'coze-gateway:', timeoutMs: 50 })
    expect(redis.password?.reveal()).toBe('pass')
    expect(JSON.stringify({ lane, redis })).not.toContain('pass"')
  })

  it('refuses limits that clients could not be told of', () => {
    expect(problemsOf({ ...minimal, limits: { messagesPerMinute: 2 ** 31 - 1 } })).toEqual([])
    expect(problemsOf({ ...minimal, limits: { messagesPerMinute: 2 ** 31 } })).toEqual([
      expect.stringMatching(/^limits\.messagesPerMinute: .*2147483647/),
    ])
  })

  /** What Kubernetes sets in every container of a namespace that has a service of that name. */
  const serviceLinks = (service: string, port: number) => {
    const name = service.toUpperCase().replaceAll('-', '_')
    const address = `tcp://10.0.0.1:${port}`
    return {
      [`${name}_SERVICE_HOST`]: '10.0.0.1',
      [`${name}_SERVICE_PORT`]: String(port),
      [`${name}_SERVICE_PORT_HTTP`]: String(port),
      [`${name}_PORT`]: address,
      [`${name}_PORT_${port}_TCP`]: address,
      [`${name}_PORT_${port}_TCP_PROTO`]: 'tcp',
      [`${name}_PORT_${port}_TCP_PORT`]: String(port),
      [`${name}_PORT_${port}_TCP_ADDR`]: '10.0.0.1',
    }
  }

  it.each(['coze-gateway', 'coze-gateway-metrics', 'coze-gateway-listen', 'coze-gateway-store'])(
    'starts beside a Kubernetes service that is called %s',
    (service) => {
      const config = parse(
        { ...minimal, metrics: { port: 9001 } },
        { env: serviceLinks(service, 9000) },
      )
      expect(config).toMatchObject({ listen: { port: 4000 }, metrics: { port: 9001 } })
    },
  )

  it('refuses variables it does not know', () => {
    const env = { COZE_GATEWAY_LISTEN_PROT: '1', COZE_GATEWAY_METRICS_PORT: 'tcp', OTHER: 'x' }
    expect(problemsOf(minimal, { env })).toEqual([
      'COZE_GATEWAY_LISTEN_PROT: is not a variable of the gateway',
      'COZE_GATEWAY_METRICS_PORT: must be a number',
    ])
  })

  it('takes half an hour from the environment as from the file', () => {
    const env = {
      COZE_GATEWAY_PROBE_INTERVAL_HOURS: '0.5',
      COZE_GATEWAY_PROBE_JITTER_MINUTES: '2.5',
    }
    expect(parse(minimal, { env }).probe).toMatchObject({ intervalHours: 0.5, jitterMinutes: 2.5 })
    expect(problemsOf(minimal, { env: { COZE_GATEWAY_LIMITS_MAX_DEPTH: '1.5' } })).toEqual([
      'COZE_GATEWAY_LIMITS_MAX_DEPTH: must be a whole number',
    ])
  })

  it('has a variable for every scalar outside of lists, as it is documented', () => {
    const nameClaim = { issuer: issuer.issuer, claim: 'account' }
    const full = parse(
      {
        ...minimal,
        metrics: { port: 9000 },
        cookie: {},
        guests: { key: 'g'.repeat(32) },
        persistedDocuments: { file: '/documents.json' },
        session: { ...minimal.session, nameClaim },
      },
      { readFile: () => '{}' },
    )
    const isSection = (value: unknown): value is Record<string, unknown> =>
      Object.getPrototypeOf(value ?? '') === Object.prototype
    const leaves = (value: unknown, path: readonly string[]): readonly string[] => {
      if (Array.isArray(value) || value instanceof Map || path[0] === 'store') return []
      if (!isSection(value)) return [path.join('.')]
      return Object.entries(value).flatMap(([name, part]) => leaves(part, [...path, name]))
    }
    const variables = environmentSettings(
      configSchema({ env: {}, baseDir: '/', readFile: () => '', mode: 'serve' }),
    ).map(({ path }) => path.join('.'))
    expect(leaves(full, []).filter((path) => !variables.includes(path))).toEqual([])
    expect(variables).toEqual(expect.arrayContaining(['store', 'persistedDocuments.file']))
  })

  it('takes persisted documents and the claim of names from the environment', () => {
    const env = {
      COZE_GATEWAY_PERSISTED_DOCUMENTS_FILE: 'documents.json',
      COZE_GATEWAY_PERSISTED_DOCUMENTS_ONLY: 'true',
      COZE_GATEWAY_SESSION_NAME_CLAIM_ISSUER: issuer.issuer,
      COZE_GATEWAY_SESSION_NAME_CLAIM_CLAIM: 'account',
    }
    const files: Record<string, string> = {
      [resolve('documents.json')]: '{"a":"{ viewer { id } }"}',
    }
    const { persistedDocuments, session } = parse(minimal, {
      env,
      readFile: (path) => files[path] ?? '',
    })
    expect(persistedDocuments).toMatchObject({ only: true })
    expect(persistedDocuments?.documents.size).toBe(1)
    expect(session.nameClaim).toEqual({ issuer: issuer.issuer, claim: 'account' })
  })

  const bom = '\ufeff'
  const pasted: Record<string, string> = {
    'with line breaks as backslash and n': privatePem.replaceAll('\n', '\\n'),
    'with line breaks as two backslashes and n': privatePem.replaceAll('\n', '\\\\n'),
    'with line breaks as backslash, r, backslash, n': privatePem.replaceAll('\n', '\\r\\n'),
    'with carriage returns': privatePem.replaceAll('\n', '\r\n'),
    'with spaces in place of line breaks': privatePem.replaceAll('\n', ' '),
    'in one line': privatePem.replaceAll('\n', ''),
    'in quotes': `"${privatePem.replaceAll('\n', '\\n')}"`,
    'in quotes of a shell': `'${privatePem}'`,
    'after a byte order mark': `${bom}${privatePem}`,
    indented: `\n  ${privatePem.replaceAll('\n', '\n    ')}`,
  }
  it.each(Object.entries(pasted))('takes a private key %s', (_name, privateKey) => {
    const { assistants } = parse(withAssistant({ credentials: { ...oauth, privateKey } }))
    const credentials = assistants[0]?.credentials
    const pem = credentials?.type === 'oauth' ? credentials.privateKey.reveal() : ''
    expect(createPrivateKey(pem).export({ type: 'pkcs1', format: 'pem' })).toBe(privatePem)
  })

  it('takes a public key with line breaks as backslash and n', () => {
    const publicKey = publicPem.replaceAll('\n', '\\n')
    expect(parse(withIssuer({ publicKey })).issuers[0]?.keys).toMatchObject([
      { type: 'public-key' },
    ])
  })

  it('takes files that an editor began with a byte order mark', () => {
    const files: Record<string, string> = {
      '/etc/config.json': `${bom}${JSON.stringify({
        ...minimal,
        session: { ...minimal.session, key: { file: 'key' } },
      })}`,
      '/etc/key': `${bom}${'k'.repeat(32)}\r\n`,
    }
    const source = { file: '/etc/config.json', readFile: (path: string) => files[path] ?? '' }
    expect(parse(undefined, source).session.key.reveal()).toBe('k'.repeat(32))
  })

  it.each([
    [{}, undefined],
    [{ HTTPS_PROXY: '' }, undefined],
    [{ HTTP_PROXY: 'http://proxy.test' }, undefined],
    [{ HTTPS_PROXY: 'http://proxy.test:3128' }, ['http://proxy.test:3128/', '']],
    [{ HTTPS_PROXY: 'proxy.test:3128', NO_PROXY: 'a, .b' }, ['http://proxy.test:3128/', 'a, .b']],
    [
      { HTTPS_PROXY: 'http://a.test', https_proxy: 'https://b.test', no_proxy: '*' },
      ['https://b.test/', '*'],
    ],
  ])('goes through the proxy that the environment names: %j', (env, expected) => {
    const { proxy } = parse(minimal, { env })
    expect(proxy && [proxy.url.reveal(), proxy.noProxy]).toEqual(expected)
  })

  it.each(['socks5://hunter2@proxy.test', 'http://hunter2:x y@:1', 'http://'])(
    'refuses the proxy %s, and shows nothing of it',
    (HTTPS_PROXY) => {
      const problems = problemsOf(minimal, { env: { HTTPS_PROXY } })
      expect(problems).toEqual([
        'HTTPS_PROXY: must be the URL of an HTTP proxy, such as http://proxy.example:3128',
      ])
    },
  )

  it('takes a file with comments and the address of its schema', () => {
    const text = String.raw`{ // "store": "sqlite:/nowhere.db"
      "$schema": "https://example.test//config.schema.json",
      /* the operators' /* "own": */ "operatorScope": "a//b/*c*/",
      "cookie": { "name": "__Host-a" }, // "\
      ${JSON.stringify(minimal).slice(1, -1)} }`
    const config = parse(undefined, { file: '/c.json', readFile: () => text })
    expect(config.operatorScope).toBe('a//b/*c*/')
    expect(config.store).toEqual({ engine: 'sqlite', file: '/data/gateway.db' })
    expect(config).not.toHaveProperty('$schema')
  })

  it('says where a file with comments is not JSON', () => {
    const readFile = () => '{ // a comment\n  "listen": {}, /* one\n more */ oops }'
    expect(problemsOf(undefined, { file: '/c.json', readFile })).toEqual([
      '/c.json: is not JSON (line 3, column 10)',
    ])
  })

  it.each([
    ['https://api.coze.com/', 'https://api.coze.com'],
    [' https://API.coze.com ', 'https://api.coze.com'],
    ['https://api.coze.cn:443', 'https://api.coze.cn'],
    ['https://studio.example/behind/a/proxy/', 'https://studio.example/behind/a/proxy'],
    ['http://127.0.0.1:8888/', 'http://127.0.0.1:8888'],
  ])('takes the base URL %j as %j', (baseUrl, taken) => {
    expect(parse(withAssistant({ baseUrl })).assistants[0]?.baseUrl).toBe(taken)
  })

  it('takes keys of each kind for an issuer, and pins algorithms that fit', () => {
    const keyless = { issuer: 'https://id.test', audience: ['a', 'b'] }
    const jwk = rsa.publicKey.export({ format: 'jwk' })
    const ed = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' })
    const parsed = (settings: object) =>
      parse({ ...minimal, issuers: [{ ...keyless, ...settings }] }).issuers[0]?.keys
    expect(parsed({ jwksUrl: 'https://id.test/keys', algorithms: ['ES256'] })).toMatchObject([
      { algorithms: ['ES256'], type: 'jwks', cooldownSeconds: 30, maxAgeSeconds: 600 },
    ])
    expect(parsed({ publicKey: publicPem })).toMatchObject([{ algorithms: ['RS256'] }])
    expect(parsed({ publicKey: jwk })).toMatchObject([{ type: 'public-key' }])
    expect(parsed({ publicKey: JSON.stringify(jwk) })).toMatchObject([{ algorithms: ['RS256'] }])
    expect(parsed({ publicKey: ed })).toMatchObject([{ algorithms: ['EdDSA'] }])
  })

  it('tells all problems at once, each with its path', () => {
    const problems = problemsOf(
      {
        listen: { port: 'x', prot: 1 },
        issuers: [{ issuer: 'a', audience: 'b' }, issuer, issuer],
        session: { key: { file: 'nowhere' }, nameClaim: { issuer: 'zz', claim: 'c' } },
        assistants: [
          {
            ...assistant,
            name: 5,
            baseUrl: 'https://www.coze.cn',
            workflow: { ...workflow, botId: '1' },
          },
          { ...assistant, workflow: undefined, strategy: 'auto' },
        ],
        store: 'redis://x',
        timeouts: { connectMs: 1.5 },
      },
      { env: { COZE_GATEWAY_LIMITS_MAX_DEPTH: 'deep' } },
    )
    expect(problems.map((problem) => problem.split(': ')[0])).toEqual(
      expect.arrayContaining([
        'listen.port',
        'listen.prot',
        'issuers[0]',
        'issuers[2].issuer',
        'session.key',
        'session.nameClaim.issuer',
        'session.nameKeys',
        'assistants[0].name',
        'assistants[0].baseUrl',
        'assistants[0].workflow',
        'assistants[1].id',
        'assistants[1].workflow',
        'assistants[1].fallback',
        'store',
        'timeouts.connectMs',
        'COZE_GATEWAY_LIMITS_MAX_DEPTH',
      ]),
    )
  })

  const withAssistant = (over: object) => ({ ...minimal, assistants: [{ ...assistant, ...over }] })
  const withWorkflow = (over: object) => withAssistant({ workflow: { ...workflow, ...over } })
  const withImages = (host: string) =>
    withAssistant({ imageHosts: [host], workflow: { ...workflow, attachmentParameter: 'FILES' } })
  const withIssuer = (over: object) => ({
    ...minimal,
    issuers: [{ issuer: 'https://id.test', audience: 'gateway', ...over }],
  })
  const wrong: Record<string, [unknown, string]> = {
    'a list instead of an object': [[], 'configuration: must be an object'],
    'no assistants': [{ ...minimal, assistants: [] }, 'assistants: must have at least 1 entry'],
    'neither app nor bot': [
      withWorkflow({ appId: undefined }),
      'assistants[0].workflow: needs exactly one of "appId" and "botId"',
    ],
    'an id that is a number': [withWorkflow({ workflowId: 7e18 }), 'do not fit in a number'],
    'a pinned conversation': [
      withWorkflow({ parameters: { CONVERSATION_NAME: 'Default' } }),
      'assistants[0].workflow.parameters.CONVERSATION_NAME: would put all sessions into one',
    ],
    'a pinned session': [
      withWorkflow({ parameters: { SESSION_NAME: 'x' }, sessionParameter: 'SESSION_NAME' }),
      'parameters.SESSION_NAME: is set to the session',
    ],
    'conversations by name for a bot': [
      withWorkflow({ appId: undefined, botId: '1', conversationKeying: 'name' }),
      'workflow.conversationKeying: "name" works with "appId" only',
    ],
    'a platform that nobody knows': [
      withAssistant({ platform: 'onprem' }),
      'assistants[0].platform: must be one of cloud, studio',
    ],
    "Studio at the cloud's host": [
      withAssistant({ platform: 'studio' }),
      'assistants[0].platform: does not fit api.coze.cn, which is "cloud", the default',
    ],
    'a shared token that nobody allowed': [
      withAssistant({ credentials: { type: 'token', token: 'pat_x' } }),
      'credentials.allowSharedToken: must be true',
    ],
    'plain http to a distant host': [
      withAssistant({ baseUrl: 'http://coze.example' }),
      'assistants[0].baseUrl: must be an https URL',
    ],
    'a base URL of another kind': [
      withAssistant({ baseUrl: 'ws://127.0.0.1:8888', allowPlainHttp: true }),
      'assistants[0].baseUrl: must be an https URL',
    ],
    'the cloud over plain http': [
      withAssistant({ baseUrl: 'http://api.coze.com', allowPlainHttp: true }),
      "assistants[0].baseUrl: is not the API's host: it is https://api.coze.com",
    ],
    'no base URL': [
      withAssistant({ baseUrl: undefined }),
      'https://api.coze.com or https://api.coze.cn',
    ],
    ...Object.fromEntries(
      (
        [
          ['https://www.coze.com', 'it is https://api.coze.com'],
          ['https://www.coze.cn/space/1/bot/2', 'it is https://api.coze.cn'],
          ['https://coze.com', 'it is https://api.coze.com'],
          ['https://code.coze.cn', 'it is https://api.coze.cn'],
          ['https://api.coze.com.', 'it is https://api.coze.com'],
          ['https://my-page.coze.site', 'is where published pages live'],
          ['https://api.coze.com/v3/chat', 'must have no path: it is https://api.coze.com'],
          ['https://api.coze.cn/open_api', 'must have no path: it is https://api.coze.cn'],
          ['https://studio.example/v1', 'must end before the paths of the API'],
          ['http://127.0.0.1:8888/space/1/develop', 'must end before the paths of the API'],
          ['https://me:secret@studio.example', 'must have no user and no password'],
          ['https://api.coze.com?x=1', 'must have no query'],
          ['api.coze.com', 'must be a URL such as'],
        ] as const
      ).map(([baseUrl, part]) => [
        `the base URL ${baseUrl}`,
        [
          withAssistant({ baseUrl }),
          `assistants[0].baseUrl: ${part.startsWith('it') ? "is not the API's host: " : ''}${part}`,
        ],
      ]),
    ),
    ...Object.fromEntries(
      Object.entries({
        'that is cut off': [privatePem.slice(0, 400), 'it has no END line'],
        'of one line, as a variable takes it': [privatePem.split('\n')[0], 'it has no END line'],
        'without its BEGIN line': [
          privatePem.split('\n').slice(1, -2).join('\n'),
          'no BEGIN and END lines',
        ],
        'in base64 once more': [Buffer.from(privatePem).toString('base64'), 'decode it'],
        'that is a path': ['/etc/keys/coze.pem', 'looks like the path of a file'],
        'that is encrypted': [encryptedPem, 'is encrypted with a passphrase'],
        'that is public': [publicPem, 'it is a public key'],
        'that is damaged': [privatePem.replace(/\n.{8}/, '\nAAAAAAAA'), 'are damaged'],
        'of an elliptic curve': [ecPem, 'must be an RSA key'],
        'of 1024 bits': [shortPem, 'must be an RSA key of at least 2048 bits'],
      }).map(([name, [privateKey, part]]) => [
        `a private key ${name}`,
        [withAssistant({ credentials: { ...oauth, privateKey } }), String(part)],
      ]),
    ),
    'a workflow id that is an address': [
      withWorkflow({ workflowId: 'https://www.coze.com/work_flow?workflow_id=7' }),
      'workflow.workflowId: must be an id alone',
    ],
    'a bot id with a space': [
      withWorkflow({ appId: undefined, botId: '7003 ' }),
      'workflow.botId: must be an id alone',
    ],
    'a key id with a line break': [
      withAssistant({ credentials: { ...oauth, keyId: 'kid\n' } }),
      'credentials.keyId: must be the fingerprint',
    ],
    'an audience of Coze that is an address': [
      withAssistant({ credentials: { ...oauth, audience: 'https://api.coze.cn' } }),
      'credentials.audience: must be a host',
    ],
    'a token with its scheme': [
      withAssistant({
        credentials: { type: 'token', token: 'Bearer pat_x', allowSharedToken: true },
      }),
      'credentials.token: must be the token alone',
    ],
    'one app on two sites': [
      {
        ...minimal,
        assistants: [
          assistant,
          { ...assistant, id: 'b', name: 'B', baseUrl: 'https://api.coze.com' },
        ],
      },
      'assistants[1].credentials.appId: is of assistants[0] on another site',
    ],
    'a template for an issuer': [
      withIssuer({
        issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
        secret: 'i'.repeat(32),
      }),
      'issuers[0].issuer: must have the hole {tid}',
    ],
    'an issuer that stands for several': [
      withIssuer({
        issuer: 'https://login.microsoftonline.com/common/v2.0',
        secret: 'i'.repeat(32),
      }),
      "issuers[0].issuer: must have the tenant's id",
    ],
    'an issuer that is a document': [
      withIssuer({
        issuer: 'https://id.test/.well-known/openid-configuration',
        secret: 'i'.repeat(32),
      }),
      'issuers[0].issuer: must end before',
    ],
    'an issuer with a space': [
      withIssuer({ issuer: 'https://id.test ', secret: 'i'.repeat(32) }),
      'issuers[0].issuer: must have no spaces',
    ],
    'any audience': [withIssuer({ audience: '*', secret: 'i'.repeat(32) }), 'issuers[0].audience'],
    'a template for keys': [
      withIssuer({ jwksUrl: 'https://id.test/{tenant}/keys' }),
      'issuers[0].jwksUrl: is a template',
    ],
    'the discovery document for keys': [
      withIssuer({ jwksUrl: 'https://id.test/.well-known/openid-configuration' }),
      'issuers[0].jwksUrl: is the discovery document',
    ],
    'an origin with a star': [
      { ...minimal, cors: { origins: ['https://*.preview.example'] } },
      'cors.origins[0]: must be an origin such as https://app.example.com or capacitor://localhost: exact, in small letters, without a star',
    ],
    'an origin with a port that browsers leave out': [
      { ...minimal, cors: { origins: ['https://app.test:443'] } },
      'cors.origins[0]: must be an origin',
    ],
    'a host with a scheme': [
      { ...minimal, listen: { host: 'http://0.0.0.0' } },
      'listen.host: must be an address or a name',
    ],
    'a host with a port': [
      { ...minimal, listen: { host: '0.0.0.0:4000' } },
      'listen.host: must be an address or a name',
    ],
    'a path that clients shorten before they ask': [
      { ...minimal, path: '/api/../graphql' },
      'path: must be a path such as /api/graphql',
    ],
    'metrics on the port of everything else, under another name': [
      { ...minimal, metrics: { host: 'localhost', port: 4000 } },
      'metrics.port: is the port of listen',
    ],
    'a budget that no probe can keep': [
      { ...minimal, probe: { budget: 23 } },
      'probe.budget: must be at least 24',
    ],
    'a proof that ends before the next probe, where one is required': [
      { ...withAssistant({ requireProof: true }), probe: { intervalHours: 168 } },
      'probe.intervalHours: must be less than "proofMaxAgeHours"',
    ],
    'a readiness that is lost before the next probe': [
      { ...minimal, probe: { intervalHours: 48, proofMaxAgeHours: 24, requiredForReady: true } },
      'probe.intervalHours: must be less than "proofMaxAgeHours"',
    ],
    'metrics on the port of everything else': [
      { ...minimal, listen: { host: '0.0.0.0' }, metrics: { port: 4000 } },
      'metrics.port: is the port of listen',
    ],
    'a store by an address': [
      { ...minimal, store: 'sqlite://data/x.db' },
      'store: must be sqlite:PATH',
    ],
    'a store in a home that nobody fills in': [
      { ...minimal, store: 'sqlite:~/x.db' },
      'store: must be sqlite:PATH',
    ],
    'a PostgreSQL server with its password in sight': [
      { ...minimal, store: 'postgres://me:secret@localhost/gateway' },
      'store: must not have a password, which goes into postgres.password',
    ],
    'a PostgreSQL server elsewhere, and nothing said of TLS': [
      { ...minimal, store: 'postgres://me@db.example/gateway' },
      'store: must say whether the server is reached by TLS',
    ],
    'a PostgreSQL server whose certificate is not looked at': [
      { ...minimal, store: 'postgres://me@db.example/gateway?sslmode=require' },
      'store: must have sslmode=verify-full or sslmode=disable',
    ],
    'a PostgreSQL server without a database': [
      { ...minimal, store: 'postgres://me@localhost' },
      'store: must name the database',
    ],
    'a PostgreSQL server with settings of a connection': [
      { ...minimal, store: 'postgres://me@localhost/gateway?options=-csearch_path%3Dx' },
      'store: has the option options',
    ],
    'a lane with its password in sight': [
      { ...minimal, lane: 'redis://me:secret@localhost' },
      'lane: must not have a password, which goes into redis.password',
    ],
    'a lane by another protocol': [
      { ...minimal, lane: 'http://localhost:6379' },
      'lane: must be redis://USER@HOST:6379',
    ],
    'a lane whose server has no name among its sentinels': [
      { ...minimal, lane: 'redis+sentinel://one,two' },
      'lane: must name the server',
    ],
    'a lane of several servers that are no cluster': [
      { ...minimal, lane: 'redis://one,two' },
      'lane: must name one server',
    ],
    'a lane with a database that has a name': [
      { ...minimal, lane: 'redis://one/main' },
      'lane: must name the database by its number',
    ],
    'a lane with a port that is none': [
      { ...minimal, lane: 'redis://one:70000' },
      'lane: must be redis://USER@HOST:6379',
    ],
    'a cluster with a database': [
      { ...minimal, lane: 'redis+cluster://one/2' },
      'lane: must not name a database',
    ],
    'a certificate for a lane without TLS': [
      { ...minimal, lane: 'redis://one', redis: { ca: '-----BEGIN CERTIFICATE-----' } },
      'redis.ca: is of no use without TLS',
    ],
    'a certificate that is a path': [
      { ...minimal, lane: 'rediss://one', redis: { ca: '/etc/ca.pem' } },
      'redis.ca: must be PEM',
    ],
    'a certificate of the gateway without its key': [
      { ...minimal, lane: 'rediss://one', redis: { certificate: '-----BEGIN CERTIFICATE-----' } },
      'redis: must have both certificate and privateKey',
    ],
    'a lane with a star in its prefix': [
      { ...minimal, lane: 'redis://one', redis: { prefix: 'a*' } },
      'redis.prefix: must have 1 to 64 letters',
    ],
    'a store that is a folder': [
      { ...minimal, store: 'sqlite:data/' },
      'store: must be sqlite:PATH',
    ],
    'documents in a file that is not there': [
      { ...minimal, persistedDocuments: { file: 'nowhere.json' } },
      'which cannot be read (ENOENT)',
    ],
    'the wrong host of Coze': [
      withAssistant({ baseUrl: 'https://www.coze.com' }),
      'it is https://api.coze.com',
    ],
    'a key that is no PEM': [
      withAssistant({ credentials: { ...oauth, privateKey: 'hunter2' } }),
      'credentials.privateKey: must be a PEM private key',
    ],
    'a public key for the private one': [
      withAssistant({ credentials: { ...oauth, privateKey: publicPem } }),
      'credentials.privateKey: must be a PEM private key',
    ],
    'a private key for the public one': [
      withIssuer({ publicKey: privatePem }),
      'issuers[0].publicKey: is a private key',
    ],
    'a private JWK for the public one': [
      withIssuer({ publicKey: rsa.privateKey.export({ format: 'jwk' }) }),
      'issuers[0].publicKey: is a private key',
    ],
    'two kinds of keys': [
      withIssuer({ publicKey: publicPem, secret: 'i'.repeat(32) }),
      'issuers[0]: needs exactly one of',
    ],
    'T8 HS256 with a public key': [
      withIssuer({ publicKey: publicPem, algorithms: ['HS256'] }),
      'issuers[0].algorithms: HS256 cannot be used with this kind of key',
    ],
    'T8 alg none': [withIssuer({ secret: 'i'.repeat(32), algorithms: ['none'] }), 'must be one of'],
    'a short secret': [withIssuer({ secret: 'hunter2' }), 'must have at least 32 characters'],
    'keys over plain http': [
      withIssuer({ jwksUrl: 'http://id.test/keys' }),
      'must be an https URL',
    ],
    'an origin with a path': [
      { ...minimal, cors: { origins: ['https://app.test/'] } },
      'cors.origins[0]: must be an origin',
    ],
    'a variable that is not set': [
      withIssuer({ secret: { env: 'NOT_SET' } }),
      'names the environment variable NOT_SET, which is not set',
    ],
    'a file that is not there': [withIssuer({ secret: { file: 'x' } }), 'cannot be read (ENOENT)'],
    'an image host with a scheme': [
      withImages('https://images.example.com'),
      'assistants[0].imageHosts[0]: must be a host such as images.example.com',
    ],
    'a whole top-level domain of image hosts': [
      withImages('*.com'),
      'assistants[0].imageHosts[0]: must be a host',
    ],
    'image hosts of a Workflow that nothing receives images in': [
      withAssistant({ imageHosts: ['images.example.com'] }),
      'imageHosts: needs "workflow.attachmentParameter"',
    ],
    'two keys of one version': [
      {
        ...minimal,
        session: {
          ...minimal.session,
          nameKeys: [...minimal.session.nameKeys, ...minimal.session.nameKeys],
        },
      },
      'session.nameKeys: must have different versions',
    ],
  }
  it.each(Object.entries(wrong))(
    'is refused with a helpful sentence: %s',
    (_name, [json, part]) => {
      const problems = problemsOf(json)
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain(part)
    },
  )

  it('needs no name keys where a claim names every session', () => {
    const nameClaim = { issuer: issuer.issuer, claim: 'account' }
    const session = { key: minimal.session.key, nameClaim }
    expect(parse({ ...minimal, session }).session).toMatchObject({ nameKeys: [], nameClaim })
  })

  describe('of the ways in', () => {
    const digest = 'ab'.repeat(32)
    const key = { id: 'one', backend: 'shop', sha256: digest }
    const withKeys = (...keys: readonly object[]) => ({ ...minimal, apiKeys: keys })
    const guestKey = 'g'.repeat(32)

    it('has none but issuers unless it says so', () => {
      expect(parse(minimal)).toMatchObject({
        apiKeys: [],
        trustProxy: 0,
        operatorScope: 'coze-gateway:operator',
      })
      expect(parse(minimal)).not.toHaveProperty('cookie')
      expect(parse(minimal)).not.toHaveProperty('guests')
    })

    it('has defaults for each that it names', () => {
      const config = parse({
        ...withKeys({
          ...key,
          sha256: digest.toUpperCase(),
          notAfter: '2030-01-31T00:00:00+08:00',
        }),
        cookie: {},
        guests: { key: guestKey },
      })
      expect(config.apiKeys).toEqual([{ ...key, scopes: [], notAfter: Date.UTC(2030, 0, 30, 16) }])
      expect(config.cookie).toEqual({ name: '__Host-coze-gateway', sameSite: 'strict' })
      expect(config.guests).toMatchObject({
        lifetimeSeconds: 604_800,
        perMinutePerAddress: 10,
        perMinute: 100,
      })
    })

    it('may be set by the environment', () => {
      const env = {
        COZE_GATEWAY_GUESTS_KEY: guestKey,
        COZE_GATEWAY_GUESTS_PER_MINUTE: '7',
        COZE_GATEWAY_COOKIE_SAME_SITE: 'lax',
        COZE_GATEWAY_TRUST_PROXY: '2',
        COZE_GATEWAY_OPERATOR_SCOPE: 'ops',
      }
      expect(parse(minimal, { env })).toMatchObject({
        guests: { perMinute: 7 },
        cookie: { sameSite: 'lax' },
        trustProxy: 2,
        operatorScope: 'ops',
      })
    })

    it('needs no issuer where there are API keys or guests', () => {
      expect(parse({ ...withKeys(key), issuers: [] }).issuers).toEqual([])
      const { issuers: _issuers, ...rest } = minimal
      expect(parse({ ...rest, guests: { key: guestKey } }).issuers).toEqual([])
      expect(problemsOf(rest)).toEqual([
        'issuers: must have at least 1 entry, unless there are apiKeys or guests',
      ])
    })

    it('T4 may give a backend the name of an issuer: the kind keeps their callers apart', () => {
      expect(parse(withKeys({ ...key, backend: issuer.issuer })).apiKeys).toHaveLength(1)
    })

    it('T9 knows the same reserved issuer as the guests themselves', () => {
      expect(reservedIssuer).toBe(guestIssuer)
    })

    const claimOnly = {
      ...minimal,
      session: {
        key: minimal.session.key,
        nameClaim: { issuer: issuer.issuer, claim: 'account' },
      },
    }
    const refused: Record<string, [unknown, string]> = {
      'a digest that is a key': [withKeys({ ...key, sha256: 'x'.repeat(64) }), 'apiKeys[0].sha256'],
      'a short digest': [withKeys({ ...key, sha256: 'ab' }), 'apiKeys[0].sha256: must be the SHA'],
      'two keys of one id': [
        withKeys(key, { ...key, sha256: 'cd'.repeat(32) }),
        'apiKeys[1].id: is used by another entry',
      ],
      'one key twice': [
        withKeys(key, { ...key, id: 'two', sha256: digest.toUpperCase() }),
        'apiKeys[1].sha256: is used by another entry',
      ],
      'the digest of an empty key': [
        withKeys({ ...key, sha256: createHash('sha256').digest('hex') }),
        'apiKeys[0].sha256: is the SHA-256 of no text',
      ],
      'a blank backend': [
        withKeys({ ...key, backend: ' ' }),
        'apiKeys[0].backend: must not be blank',
      ],
      'a blank tenant': [
        withKeys({ ...key, tenant: '\u3000' }),
        'apiKeys[0].tenant: must not be blank',
      ],
      'a key without a backend': [withKeys({ ...key, backend: undefined }), 'backend: is missing'],
      'a backend with a newline': [withKeys({ ...key, backend: 'a\n' }), 'control characters'],
      'a date without an offset': [
        withKeys({ ...key, notAfter: '2030-01-31T00:00:00' }),
        'apiKeys[0].notAfter: must be a date',
      ],
      'a scope with a space': [withKeys({ ...key, scopes: ['a b'] }), 'apiKeys[0].scopes[0]'],
      'T11 a cookie without its prefix': [
        { ...minimal, cookie: { name: 'session' } },
        'cookie.name: must begin with __Host-',
      ],
      'a cookie for other sites': [
        { ...minimal, cookie: { sameSite: 'none' } },
        'cookie.sameSite: must be one of strict, lax',
      ],
      'a short key for guests': [
        { ...minimal, guests: { key: 'hunter2' } },
        'guests.key: must have',
      ],
      'T9 the secret of an issuer for guests': [
        { ...minimal, guests: { key: issuer.secret } },
        'guests.key: is also the secret of issuers[0]',
      ],
      'T9 the reserved issuer': [
        { ...minimal, issuers: [{ ...issuer, issuer: reservedIssuer }] },
        'issuers[0].issuer: is reserved',
      ],
      'guests whom no key names': [
        { ...claimOnly, guests: { key: guestKey } },
        'session.nameKeys: needs a key',
      ],
      'users of backends whom no key names': [
        { ...claimOnly, apiKeys: [key] },
        'session.nameKeys: needs a key',
      ],
      'T12 any origin': [
        { ...minimal, cors: { origins: ['*'] } },
        'cors.origins[0]: must be an origin',
      ],
      'T12 no origin': [{ ...minimal, cors: { origins: ['null'] } }, 'cors.origins[0]: must be'],
      'a negative number of proxies': [
        { ...minimal, trustProxy: -1 },
        'trustProxy: must be at least',
      ],
    }
    it.each(Object.entries(refused))('refuses %s', (_name, [json, part]) => {
      const problems = problemsOf(json)
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain(part)
    })
  })

  it('T22 is reached from its own machine only, unless it says otherwise', () => {
    const { listen, metrics } = parse({ ...minimal, metrics: { port: 9000 } })
    expect([listen.host, metrics?.host]).toEqual(['127.0.0.1', '127.0.0.1'])
  })

  it('T22 may hold the secrets of the demo in the demo only', () => {
    const json = {
      ...minimal,
      issuers: [{ ...issuer, secret: demoSecrets.issuer }],
      session: {
        key: { env: 'KEY' },
        nameKeys: [{ version: 1, key: demoSecrets.nameKey }],
      },
    }
    const env = { KEY: demoSecrets.sessionKey }
    expect(parse(json, { env, mode: 'demo' }).session.key.reveal()).toBe(demoSecrets.sessionKey)
    expect(problemsOf(json, { env })).toHaveLength(3)
  })

  it('T18 echoes no value in a problem, and shows no secret when printed', () => {
    const hidden = 'hunter2-hunter2'
    const json = {
      ...minimal,
      listen: { host: 5, port: hidden },
      issuers: [{ ...issuer, secret: hidden, algorithms: [hidden] }],
      session: { key: hidden, nameKeys: hidden },
      assistants: [
        { ...assistant, strategy: hidden, credentials: { ...oauth, privateKey: hidden } },
        { ...assistant, credentials: { type: 'token', token: hidden } },
        { ...assistant, credentials: { type: hidden } },
      ],
      store: hidden,
    }
    const problems = problemsOf(json, { env: { COZE_GATEWAY_LIMITS_MAX_DEPTH: hidden } })
    expect(problems.length).toBeGreaterThan(8)
    expect(problems.join('\n')).not.toContain('hunter2')
    expect(JSON.stringify(parse(minimal))).not.toContain('s'.repeat(32))
  })

  it.each(['{"a": hunter2}', '{"session": {"key": "hunter2"', 'hunter2'])(
    'T18 does not quote a file that is not JSON: %s',
    (text) => {
      const problems = problemsOf(undefined, { file: '/config.json', readFile: () => text })
      expect(problems).toHaveLength(1)
      expect(problems[0]).toMatch(/^\/config\.json: is not JSON/)
      expect(problems[0]).not.toContain('hunter2')
    },
  )

  it('is named by COZE_GATEWAY_CONFIG, or the problem says how', () => {
    const readFile = () => JSON.stringify(minimal)
    const env = { COZE_GATEWAY_CONFIG: '/config.json' }
    expect(parse(undefined, { env, readFile }).assistants).toHaveLength(1)
    expect(problemsOf(undefined)[0]).toContain('--config')
  })
})

const host = (name: string, port = 6379) => ({ host: name, port })
