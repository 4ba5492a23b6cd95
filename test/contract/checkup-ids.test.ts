import { randomUUID } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { createEmulator } from '../../src/emulator/emulator.ts'
import type { FaultInput } from '../../src/emulator/faults.ts'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import { checkConfigOnline, probeConfig } from '../../src/compose/probe.ts'
import { createTestApp, publicPart } from '../kit/process/emulator.ts'
import { until } from '../kit/process/until.ts'

const app = createTestApp()
const forever = new AbortController().signal
const chatPath = { workflow: '/v1/workflows/chat', bot: '/v3/chat' } as const

interface Case {
  readonly emulator?: Omit<EmulatorOptions, 'dialect'>
  readonly workflow?: Readonly<Record<string, unknown>>
  readonly bot?: Readonly<Record<string, unknown>>
  readonly credentials?: Readonly<Record<string, unknown>>
  /** Every chat meets it. */
  readonly fault?: FaultInput
}

async function open(dialect: 'cloud' | 'studio', strategy: 'workflow' | 'bot', given: Case) {
  const emulator = createEmulator({
    dialect,
    ...(dialect === 'cloud' && { apps: [publicPart(app)] }),
    personalAccessTokens: [{ token: 'pat_1', accountId: 'owner' }],
    workflows: [{ workflowId: '7001', appId: '7002' }],
    bots: [{ botId: '7003' }],
    wordsPerSecond: 0,
    ...given.emulator,
  })
  onTestFinished(() => emulator[Symbol.asyncDispose]())
  const { url } = await emulator.listen()
  if (given.fault) emulator.faults.repeat(chatPath[strategy], 100, given.fault)
  const { appId, keyId, privateKeyPem: privateKey } = app
  const credentials =
    dialect === 'cloud'
      ? { type: 'oauth', appId, keyId, privateKey, ...given.credentials }
      : { type: 'token', token: 'pat_1', allowSharedToken: true, ...given.credentials }
  const config = parseConfig({
    env: {},
    json: {
      issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: randomUUID() }],
      session: { key: randomUUID(), nameKeys: [{ version: 1, key: randomUUID() }] },
      assistants: [
        {
          id: 'one',
          name: 'One',
          strategy,
          baseUrl: url,
          platform: dialect,
          credentials,
          ...(strategy === 'workflow'
            ? { workflow: { workflowId: '7001', appId: '7002', ...given.workflow } }
            : { bot: { botId: '7003', ...given.bot } }),
        },
      ],
      store: 'sqlite::memory:',
    },
  })
  return { emulator, config }
}

const unpublishedFlow = { workflows: [{ workflowId: '7001', appId: '7002', published: false }] }
const unpublishedBot = { bots: [{ botId: '7003', published: false }] }
const needy = { workflows: [{ workflowId: '7001', appId: '7002', requires: ['city'] }] }

const cases: readonly (readonly [
  what: string,
  dialect: 'cloud' | 'studio',
  strategy: 'workflow' | 'bot',
  given: Case,
  words: readonly string[],
])[] = [
  [
    'a wrong workflow id',
    'cloud',
    'workflow',
    { workflow: { workflowId: '7999' } },
    ['"workflowId"', "Workflow's editor"],
  ],
  [
    'a wrong app id',
    'cloud',
    'workflow',
    { workflow: { appId: '7998' } },
    ['"appId"', "Workflow's editor"],
  ],
  [
    'a workflow that is not published',
    'cloud',
    'workflow',
    { emulator: unpublishedFlow },
    ['publish', '发布', 'API channel'],
  ],
  [
    'a missing start parameter',
    'cloud',
    'workflow',
    { emulator: needy },
    ['start parameter', '开始节点'],
  ],
  ['a wrong bot id', 'cloud', 'bot', { bot: { botId: '7999' } }, ['"botId"', "Bot's editor"]],
  [
    'a bot that is not published',
    'cloud',
    'bot',
    { emulator: unpublishedBot },
    ['publish', "Bot's editor", 'API channel'],
  ],
  [
    'no permission',
    'cloud',
    'bot',
    { fault: { kind: 'jsonError', code: 4101 } },
    ['permission', '/open/oauth/apps'],
  ],
  [
    'a wrong key id',
    'cloud',
    'bot',
    { credentials: { keyId: 'other' } },
    ['"keyId"', '/open/oauth/apps', 'region'],
  ],
  [
    'a wrong workflow id',
    'studio',
    'workflow',
    { workflow: { workflowId: '7999' } },
    ['"workflowId"'],
  ],
  [
    'a workflow that is not published',
    'studio',
    'workflow',
    { emulator: unpublishedFlow },
    ['publish', "Workflow's editor"],
  ],
  [
    'a missing start parameter',
    'studio',
    'workflow',
    { emulator: needy },
    ['start parameter', '开始节点'],
  ],
  ['a wrong bot id', 'studio', 'bot', { bot: { botId: '7999' } }, ['"botId"', "Bot's editor"]],
  [
    'a bot that is not published',
    'studio',
    'bot',
    { emulator: unpublishedBot },
    ['publish', "Bot's editor"],
  ],
  [
    'no permission',
    'studio',
    'workflow',
    { fault: { kind: 'jsonError', code: 106000001 } },
    ['permission', 'API 授权'],
  ],
  ['a dead token', 'studio', 'bot', { credentials: { token: 'pat_2' } }, ['token', 'API 授权']],
]

describe('check-config --online', () => {
  it.each(cases)(
    'finds %s on %s, of a %s, and names the page that mends it',
    async (_what, dialect, strategy, given, words) => {
      const { emulator, config } = await open(dialect, strategy, given)
      const [found] = await checkConfigOnline(config, {}, forever)
      expect(found?.problems).toHaveLength(1)
      for (const word of words) expect(found?.problems[0]).toContain(word)
      // A Studio only hides what is deleted.
      if (dialect === 'cloud') expect(emulator.state().conversations).toEqual([])
    },
  )

  it.each([
    ['cloud', 'workflow'],
    ['cloud', 'bot'],
    ['studio', 'workflow'],
    ['studio', 'bot'],
  ] as const)(
    'is content with %s, of a %s, for one message that it breaks off',
    async (dialect, strategy) => {
      const { emulator, config } = await open(dialect, strategy, {
        emulator: { wordsPerSecond: 5 },
      })
      const [found] = await checkConfigOnline(config, {}, forever)
      expect(found?.problems).toEqual([])
      const { chats } = emulator.state()
      expect(chats.length).toBeLessThanOrEqual(1)
    },
  )

  it.each(['cloud', 'studio'] as const)(
    'says nothing that the probe of %s would not: it tells the same sentence when it cannot begin',
    async (dialect) => {
      const { config } = await open(dialect, 'bot', { bot: { botId: '7999' } })
      const probed = probeConfig(config, { trials: 1 }, {}, forever)
      await expect(probed).rejects.toThrow(/could not be tested: .*"botId".*Bot's editor/)
    },
  )

  it('leaves nothing behind where the second of its two conversations cannot be had', async () => {
    const { emulator, config } = await open('cloud', 'bot', {})
    emulator.faults.next('/v1/conversation/create')
    emulator.faults.next('/v1/conversation/create', { kind: 'jsonError', code: 4100 })
    emulator.faults.next('/v1/conversation/create', { kind: 'jsonError', code: 4100 })
    const [found] = await checkConfigOnline(config, {}, forever)
    expect(found?.problems).toHaveLength(1)
    expect(emulator.state().conversations).toEqual([])
  })

  it('leaves nothing behind where it cannot find out whether a name leads to a conversation again', async () => {
    const { emulator, config } = await open('cloud', 'workflow', {})
    emulator.faults.next('/v1/conversation/create')
    emulator.faults.repeat('/v1/conversation/create', 100, {
      kind: 'jsonError',
      code: 4100,
    })
    const [found] = await checkConfigOnline(config, {}, forever)
    expect(found?.problems).toHaveLength(1)
    expect(emulator.state().conversations).toEqual([])
  })

  it('leaves nothing behind where it is broken off', async () => {
    const { emulator, config } = await open('cloud', 'bot', {})
    emulator.faults.next('/v1/conversation/create')
    emulator.faults.next('/v1/conversation/create', { kind: 'hold' })
    const stop = new AbortController()
    const looking = checkConfigOnline(config, {}, stop.signal)
    await until(() => emulator.state().held.includes('hold'), 'the second to be asked for')
    const first = emulator.state().conversations[0]?.id
    expect(first).toBeDefined()
    const reason = new Error('broken off')
    stop.abort(reason)
    await expect(looking).rejects.toBe(reason)
    // The second one is the platform's alone: nobody was told of it.
    expect(emulator.state().conversations.map(({ id }) => id)).not.toContain(first)
  })
})
