import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openKeyServer } from '../kit/credentials/jwks.ts'
import { createTestApp } from '../kit/process/emulator.ts'
import { startSystem, type System, type SystemOptions } from '../kit/process/system.ts'
import { startRedis } from '../kit/process/redis.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { until } from '../kit/process/until.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

interface Settings {
  baseUrl: string
  credentials: Record<string, unknown>
  workflow: Record<string, unknown>
}

/** `check-config --online` of a configuration like the system's. */
async function look(
  system: System,
  change: (
    flow: Settings,
    config: { issuers: object[]; store: string; lane?: string },
  ) => void = () => undefined,
) {
  const config = JSON.parse(await readFile(system.gateway.configFile, 'utf8'))
  change(config.assistants[0], config)
  const file = join(system.gateway.configFile, '..', 'looked-at.json')
  await writeFile(file, JSON.stringify(config))
  return await new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(
      process.execPath,
      [cli, 'check-config', '--online', '--config', file],
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    )
  })
}

const open = (options: SystemOptions = {}) => startSystem(options)

describe('a look at the assistants', () => {
  it('shows what keys each layer, and leaves nothing upstream', async () => {
    await using system = await open()
    const { code, out } = await look(system)
    expect(code).toBe(0)
    expect(out).toContain(`flow (workflow)
  identity      access token: minted for the name of the session
  conversation  conversation_id: created for it under an unguessable name
  variables     ext.user_id: the name of the session
  knowledge     parameters.SESSION_NAME: the name of the session
  message       sent, and run
bot (bot)
  identity      access token: minted for the name of the session
  conversation  conversation_id: created for it
  variables     user_id: the name of the session
  knowledge     custom_variables.SESSION_NAME: the name of the session
  message       sent, and run
`)
    const { conversations, chats } = await system.emulator.state()
    expect(conversations).toEqual([])
    // One word to each, as it says.
    expect(chats.map(({ kind }) => kind).toSorted()).toEqual(['bot', 'workflow'])
  })

  it('F27: connects to the PostgreSQL server of the store, and says why it cannot', async () => {
    await using system = await open()
    await using server = await startPostgres()
    const url = await server.newDatabase()
    const good = await look(system, (_flow, config) => (config.store = url))
    expect(good).toMatchObject({ code: 0, out: expect.stringContaining('connection    made') })
    const bad = await look(system, (_flow, config) => (config.store = 'postgres://a@127.0.0.1:1/b'))
    expect(bad).toMatchObject({ code: 1, out: expect.stringContaining('problem: no connection: ') })
  })

  it('F46: connects to the Redis server of the lane, and says why it cannot', async () => {
    await using system = await open()
    await using server = await startRedis()
    const good = await look(system, (_flow, config) => (config.lane = server.url))
    expect(good).toMatchObject({ code: 0, out: expect.stringContaining('connection    made') })
    const bad = await look(system, (_flow, config) => (config.lane = 'redis://127.0.0.1:1'))
    expect(bad.code).toBe(1)
    expect(bad.out).toContain('lane 127.0.0.1:1\n  problem: Redis cannot be reached')
  })

  it('fetches the key set of each issuer, and says which cannot be fetched, and why', async () => {
    await using system = await open()
    const keyPair = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await using good = await openKeyServer({ ...keyPair.publicKey.export({ format: 'jwk' }) })
    await using empty = await openKeyServer()
    await using broken = await openKeyServer()
    broken.answer((response) => response.writeHead(503).end())
    const urls = [good.url, empty.url, broken.url, 'http://127.0.0.1:1/keys']
    const { code, out } = await look(system, (_flow, config) => {
      config.issuers = urls.map((jwksUrl, index) => ({
        issuer: `https://id${index}.test`,
        audience: 'gateway',
        jwksUrl,
      }))
    })
    expect(code).toBe(1)
    const problem = 'problem: the keys of the issuer cannot be fetched'
    expect(out).toContain(`
https://id0.test
  key set       ${good.url}: 1 key
https://id1.test
  key set       ${empty.url}: 0 keys
  problem: the key set is empty: every token of this issuer is refused
https://id2.test
  key set       ${broken.url}: none
  ${problem}: check "issuer" and "jwksUrl" (key-set at ${new URL(broken.url).host}, refused, HTTP 503)
https://id3.test
  key set       http://127.0.0.1:1/keys: none
  ${problem}: check "issuer" and "jwksUrl" (key-set at 127.0.0.1:1, ECONNREFUSED)
flow (workflow)
`)
  })

  it('says what `conversationKeying: auto` has found out', async () => {
    await using system = await open({ emulator: { switches: { createWithAppId: 'refused-4000' } } })
    const { code, out } = await look(system)
    expect([code, out]).toEqual([
      0,
      expect.stringContaining('CONVERSATION_NAME: an unguessable name'),
    ])
  })

  it('says so of a token that all sessions share', async () => {
    const emulator = { personalAccessTokens: [{ token: 'pat_shared', accountId: 'a' }] }
    await using system = await open({ emulator })
    const credentials = { type: 'token', token: 'pat_shared', allowSharedToken: true }
    const { code, out } = await look(system, (flow) => {
      Object.assign(flow, { credentials, platform: 'cloud' })
    })
    expect(code).toBe(1)
    expect(out).toContain('  identity      nothing: all sessions share one token')
    expect(out).toContain('problem: identity: all sessions share one access token')
    // A Studio has nothing else, and its operator has accepted it.
    const studio = await look(system, (flow) => {
      Object.assign(flow, { credentials, platform: 'studio' })
    })
    expect([studio.code, studio.out.includes('problem')]).toEqual([0, false])
    expect(studio.out).toContain('  identity      nothing: all sessions share one token')
    const refused = await look(system, (flow) => {
      flow.credentials = { type: 'token', token: 'pat_shared' }
    })
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('allowSharedToken')])
  })

  it.each(['create', 'name'])(
    'finds a private key that does not fit, with keying %s',
    async (keying) => {
      await using system = await open({ workflow: { conversationKeying: keying } })
      const { code, out } = await look(system, (flow) => {
        flow.credentials['privateKey'] = createTestApp().privateKeyPem
      })
      expect(code).toBe(1)
      expect(out).toContain('problem: the assertion was refused: check that "keyId"')
      expect(out).toContain('api.coze.com and api.coze.cn share no accounts')
    },
  )

  it('says so of a platform that is not there', async () => {
    await using system = await open()
    const { code, out } = await look(system, (flow) => {
      flow.baseUrl = 'http://127.0.0.1:1'
    })
    expect(code).toBe(1)
    expect(out).toMatch(
      /problem: The assistant could not be reached\. \(token at 127\.0\.0\.1:\d+, ECONNREFUSED\)/,
    )
  })

  it('finds the other region in the settings themselves', async () => {
    await using system = await open()
    const { code, err } = await look(system, (flow) => {
      flow.baseUrl = 'https://api.coze.cn'
      flow.credentials['audience'] = 'api.coze.com'
    })
    expect(code).toBe(2)
    expect(err).toContain("credentials.audience: is the other region's")
    const pinned = await look(system, (flow) => {
      flow.workflow['parameters'] = { CONVERSATION_NAME: 'Default' }
    })
    expect([pinned.code, pinned.err]).toEqual([
      2,
      expect.stringContaining('would put all sessions into one conversation'),
    ])
  })

  it('is had by every start, and told to the log', async () => {
    await using system = await open({ probe: { checkAtStart: true } })
    await until(() => system.gateway.output.includes('"assistant":"bot"'), 'the look to end')
    const lines = system.gateway.output
      .split('\n')
      .filter((line) => line.includes('keeps sessions apart'))
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      assistant: 'flow',
      strategy: 'workflow',
      identity: 'access token: minted for the name of the session',
    })
  })

  it('finds that two sessions are given one conversation, before anybody has said a word, and leaves it alone', async () => {
    await using system = await open({
      emulator: { leaks: { staticConversation: true } },
      probe: { checkAtStart: true },
    })
    await until(() => system.gateway.output.includes('isolation breach'), 'the look to find it')
    const { code, out } = await look(system)
    expect(code).toBe(1)
    expect(out).toContain(
      'problem: conversation: Two sessions were given one upstream conversation. In the app, remove the static conversation name (静态会话名称)',
    )
    const { conversations } = await system.emulator.state()
    expect(conversations).toHaveLength(1)
    const query =
      'mutation($input:SendMessageInput!){sendMessage(input:$input){... on UserError{code}}}'
    const variables = { input: { text: 'hello', assistantId: 'flow' } }
    const { body } = await system.client.call({
      token: system.person('alice').token,
      query,
      variables,
    })
    expect(JSON.parse(body).data.sendMessage).toEqual({ code: 'ASSISTANT_UNAVAILABLE' })
  })
})
