import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestApp, publicPart, type RunningEmulator, startEmulator } from './emulator.ts'
import type { DialectName, EmulatorOptions } from '../../../src/emulator/options.ts'
import { type Client, createClient } from '../clients/client.ts'
import { type GatewayProcess, startGateway } from './gateway.ts'
import { signToken } from '../credentials/hs256.ts'

/** Somebody with a session. */
export interface Person {
  readonly name: string
  /** Good for three hours: the clock of a gateway may be off by one. */
  readonly token: string
}

/** A gateway and an emulator, each in a process of its own, and a client between them. */
export interface System extends AsyncDisposable {
  readonly emulator: RunningEmulator
  readonly gateway: GatewayProcess
  /** Of the gateway where it listens now. */
  readonly client: Client
  /** Whatever no log, metric or error may show. */
  readonly secrets: readonly string[]
  /** What the gateway was started with. */
  readonly config: Readonly<Record<string, unknown>>
  /** The SQLite file. */
  readonly storeFile: string
  person(name: string): Person
  /** A token that expires after so many seconds. */
  tokenFor(name: string, seconds: number, scope?: string): string
}

export interface SystemOptions {
  /** Which platform the emulator plays. Default: Coze's cloud. */
  readonly dialect?: DialectName
  readonly timeouts?: Readonly<Record<string, number>>
  readonly limits?: Readonly<Record<string, number>>
  readonly emulator?: EmulatorOptions
  /** Over the whole configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Where the assistants' upstream is, instead of the emulator. */
  readonly baseUrl?: string
  readonly probe?: Readonly<Record<string, unknown>>
  readonly workflow?: Readonly<Record<string, unknown>>
  readonly bot?: Readonly<Record<string, unknown>>
  /** Over the settings of both assistants. */
  readonly assistants?: Readonly<Record<string, unknown>>
  /** Over the settings of the assistant `flow`. */
  readonly flow?: Readonly<Record<string, unknown>>
  /** A command that the gateway's command is given to, and that becomes its process. */
  readonly within?: readonly string[]
  /** Of the gateway's process. */
  readonly env?: Readonly<Record<string, string>>
}

export const issuer = 'https://issuer.test'
export const audience = 'gateway'

export async function startSystem(options: SystemOptions = {}): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const app = createTestApp()
  const { dialect = 'cloud' } = options
  const personalToken = `pat_${randomUUID()}`
  const identity =
    dialect === 'cloud'
      ? { apps: [publicPart(app)] }
      : { personalAccessTokens: [{ token: personalToken, accountId: app.accountId }] }
  const emulator = stack.use(
    await startEmulator({
      dialect,
      ...identity,
      workflows: [{ workflowId: '7001', appId: '7002' }],
      bots: [{ botId: '7003' }],
      wordsPerSecond: 0,
      ...options.emulator,
    }),
  )
  const directory = await mkdtemp(join(tmpdir(), 'gateway-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))

  const storeFile = join(directory, 'gateway.db')
  const [issuerSecret, sessionKey, nameKey] = [randomUUID(), randomUUID(), randomUUID()]
  const upstream = {
    baseUrl: options.baseUrl ?? emulator.url,
    platform: dialect,
    credentials:
      dialect === 'cloud'
        ? { type: 'oauth', appId: app.appId, keyId: app.keyId, privateKey: app.privateKeyPem }
        : { type: 'token', token: personalToken, allowSharedToken: true },
    ...options.assistants,
  }
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    metrics: { host: '127.0.0.1', port: 0 },
    logging: { level: 'debug' },
    issuers: [{ issuer, audience, secret: issuerSecret, clockToleranceSeconds: 0 }],
    session: { key: sessionKey, nameKeys: [{ version: 1, key: nameKey }] },
    assistants: [
      {
        id: 'flow',
        name: 'Flow',
        strategy: 'workflow',
        ...upstream,
        workflow: { workflowId: '7001', appId: '7002', ...options.workflow },
        ...options.flow,
      },
      {
        id: 'bot',
        name: 'Bot',
        strategy: 'bot',
        ...upstream,
        bot: { botId: '7003', ...options.bot },
      },
    ],
    store: `sqlite:${storeFile}`,
    timeouts: { drainMs: 2_000, ...options.timeouts },
    limits: { ...options.limits },
    ...options.config,
    probe: { checkAtStart: false, ...options.probe },
  }
  const gateway = stack.use(
    await startGateway(join(directory, 'config.json'), config, options.env, options.within),
  )
  let client = stack.adopt(createClient(gateway.url), (last) => last[Symbol.dispose]())

  const tokenFor = (name: string, seconds: number, scope?: string) =>
    signToken({
      issuer,
      audience,
      secret: issuerSecret,
      subject: name,
      expiresInSeconds: seconds,
      scope,
    })
  const people = new Map<string, Person>()
  const owned = stack.move()
  return {
    emulator,
    gateway,
    config,
    get client() {
      if (client.url !== gateway.url) {
        client[Symbol.dispose]()
        client = owned.adopt(createClient(gateway.url), (last) => last[Symbol.dispose]())
      }
      return client
    },
    secrets: [
      issuerSecret,
      sessionKey,
      nameKey,
      personalToken,
      ...app.privateKeyPem.split('\n').slice(1, -2),
    ],
    storeFile,
    person(name) {
      const person = people.get(name) ?? { name, token: tokenFor(name, 3 * 3_600) }
      people.set(name, person)
      return person
    },
    tokenFor,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
