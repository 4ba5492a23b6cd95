import { randomUUID } from 'node:crypto'
import { type Config, parseConfig } from '../../../src/config/config.ts'
import { createEmulator, type Emulator } from '../../../src/emulator/emulator.ts'
import type { DialectName, EmulatorOptions, Leak } from '../../../src/emulator/options.ts'
import { createTestApp, publicPart } from './emulator.ts'

const app = createTestApp()

/** An emulator in this process, whose model keeps what it is told in every way it has, and a configuration for it. */
export async function openProbed(
  strategy: 'workflow' | 'bot' | 'auto',
  leaks: readonly Leak[],
  more: Partial<EmulatorOptions> = {},
  dialect: DialectName = 'cloud',
): Promise<{ readonly emulator: Emulator; readonly config: Config } & AsyncDisposable> {
  const emulator = createEmulator({
    dialect,
    apps: dialect === 'cloud' ? [publicPart(app)] : [],
    personalAccessTokens: [{ token: 'pat_1', accountId: app.accountId }],
    workflows: [{ workflowId: '7001', appId: '7002' }],
    bots: [{ botId: '7003' }],
    wordsPerSecond: 0,
    remembers: { variables: true, longTermMemory: true },
    knowledge: [{ sessionName: 'the-owner', name: 'account', value: 'ACC-20931' }],
    leaks: Object.fromEntries(leaks.map((leak) => [leak, true])),
    switches: { busyGuardsWorkflow: false },
    ...more,
  })
  const { url } = await emulator.listen()
  const workflow = { workflowId: '7001', appId: '7002' }
  const bot = { botId: '7003' }
  const config = parseConfig({
    env: {},
    json: {
      issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: randomUUID() }],
      session: { key: randomUUID(), nameKeys: [{ version: 1, key: randomUUID() }] },
      assistants: [
        {
          id: 'probed',
          name: 'Probed',
          strategy,
          baseUrl: url,
          platform: dialect,
          credentials:
            dialect === 'cloud'
              ? {
                  type: 'oauth',
                  appId: app.appId,
                  keyId: app.keyId,
                  privateKey: app.privateKeyPem,
                }
              : { type: 'token', token: 'pat_1', allowSharedToken: true },
          ...(strategy !== 'bot' && { workflow }),
          ...(strategy === 'bot' && { bot }),
          ...(strategy === 'auto' && { fallback: bot }),
        },
      ],
      store: 'sqlite::memory:',
    },
  })
  return { emulator, config, [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose]() }
}

/** What a probe of it can be told to ask. */
export const asking = {
  questionTrigger: '/ask Which parcel?',
  knowledge: [{ sessionName: 'the-owner', question: 'What is my account?', value: 'ACC-20931' }],
}
