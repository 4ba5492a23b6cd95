import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { parseConfig } from '../../../src/config/config.ts'
import type { DialectName, EmulatorOptions } from '../../../src/emulator/options.ts'
import type { Logger } from '../../../src/observe/logger.ts'
import { ProbeError } from '../../../src/probe/probe.ts'
import { RunFailedError } from '../../../src/strategy/run-failure.ts'
import { createTestApp, publicPart, startEmulator } from '../process/emulator.ts'
import { createRecorder } from '../clients/recorder.ts'
import { createTalk } from '../clients/talk.ts'
import { createRandom, type Random } from '../random.ts'
import { type Cast, createCast } from './cast.ts'
import { createDirectClient } from './direct-client.ts'
import { judge } from './judge.ts'
import { listenSteps } from './listen-steps.ts'
import { DiedError, type Lives, openLives } from './lives.ts'
import { canariesIn, createSessions } from './sessions.ts'
import type { Scene, Step } from './step.ts'
import { talkSteps } from './talk-steps.ts'
import { worldSteps } from './world-steps.ts'

export interface RoundOptions {
  readonly seed: number
  /** The number of its first step: each step has random of its own. */
  readonly from: number
  readonly steps: number
  /** Steps under way at once. */
  readonly atOnce: number
  /** The platform that the upstream plays. */
  readonly dialect: DialectName
  /** The upstream has one conversation for everybody, or ones that go by their names. */
  readonly leak: 'staticConversation' | 'sharedName' | undefined
}

/** What a round has found, and how much of it there was. */
export interface RoundReport {
  /** Empty: nothing was wrong. */
  readonly complaints: readonly string[]
  /** How often each step came to what. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Replies by how they ended. */
  readonly ends: Readonly<Record<string, number>>
  readonly steps: number
  /** Sessions that were, and those of them that were shown a word of their own. */
  readonly sessions: number
  readonly heard: number
}

const all: readonly (Step & { readonly name: string })[] = Object.entries({
  ...talkSteps,
  ...listenSteps,
  ...worldSteps,
}).map(([name, step]) => ({ name, ...step }))

export const stepNames = all.map(({ name }) => name)

const app = createTestApp()

/** Sessions come, talk, listen, pry and go while their gateway dies and comes back: in the end, everything is looked at. */
export async function playRound(options: RoundOptions): Promise<RoundReport> {
  const { seed, from, steps, atOnce, dialect, leak } = options
  await using stack = new AsyncDisposableStack()
  const round = createRandom(seed).fork(`round ${from}`)
  const emulator = stack.use(await startEmulator(upstreamOf(dialect, leak, round)))
  const directory = await mkdtemp(join(tmpdir(), 'gateway-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const cast = await createCast()
  const sessions = createSessions()
  const recorder = createRecorder()
  const settings = settingsOf(cast, emulator.url, dialect, leak, round)
  const lives = stack.use(
    await openLives({
      directory,
      configOf: (file) => parseConfig({ env: {}, json: { ...settings, store: `sqlite:${file}` } }),
      logger: suspicious((what) => sessions.complain(what), leak !== undefined),
      onCrash: () => recorder.add({ type: 'crash' }),
    }),
  )
  const client = createDirectClient({
    lives,
    headersOf: (token) => cast.headersOf(token),
    lookerOf: (token) => sessions.lookerOf(token),
  })
  const talk = createTalk({ client, emulator }, recorder)
  let readers = 0
  const scene: Scene = {
    cast,
    lives,
    emulator,
    client,
    talk,
    sessions,
    listening: new Set(),
    hearing: new Set(),
    enter: async (random) => sessions.of(await cast.enter(random, () => askForToken(lives))),
    nameReader: () => `reader-${(readers += 1)}`,
    isLeaky: leak !== undefined,
  }
  const outcomes: Record<string, number> = {}
  let next = from

  async function work(): Promise<void> {
    while (next < from + steps && sessions.complaints.length === 0) {
      const number = next
      next += 1
      await take(number)
    }
  }

  async function take(number: number): Promise<void> {
    const random = createRandom(seed).fork(number)
    const step = random.weigh(all, ({ weight }) => weight)
    const session = sessions.all.at(-1 - random.int(Math.min(16, sessions.all.length)))
    if (!session) throw new RangeError('nobody is there')
    const outcome = await step.take(scene, session, random).catch((error: unknown) => {
      if (error instanceof DiedError) return 'lost'
      sessions.complain(`step ${number}, ${step.name}: ${String(error)}`)
      return 'failed'
    })
    const key = `${step.name}: ${outcome}`
    outcomes[key] = (outcomes[key] ?? 0) + 1
  }

  while (sessions.all.length < 2) await scene.enter(round)
  await Promise.all(Array.from({ length: atOnce }, work))
  const ends = await judge(scene, emulator).catch((error: unknown) => {
    sessions.complain(`at the end: ${String(error)}`)
    return {}
  })
  const { problems } = await emulator.state()
  for (const problem of problems) sessions.complain(`the emulator: ${problem}`)
  return {
    complaints: sessions.complaints.map((what) => `seed ${seed}, round from ${from}: ${what}`),
    outcomes,
    ends,
    steps: next - from,
    sessions: sessions.all.length,
    heard: sessions.all.filter(({ shown }) => shown > 0).length,
  }
}

/** As a guest does. */
async function askForToken(lives: Lives): Promise<string> {
  const { gateway } = await lives.current()
  const request = new Request('http://gateway.test/auth/guest', { method: 'POST' })
  const answer = await gateway.fetch(request)
  const { token } = Object(await answer.json())
  if (typeof token !== 'string') throw new DiedError()
  return token
}

/** The one identity that a Studio knows. */
const personalToken = 'pat_one'

function upstreamOf(
  dialect: DialectName,
  leak: RoundOptions['leak'],
  random: Random,
): EmulatorOptions {
  return {
    dialect,
    ...(dialect === 'cloud'
      ? { apps: [publicPart(app)] }
      : { personalAccessTokens: [{ token: personalToken, accountId: 'account-1' }] }),
    workflows: [{ workflowId: '7001', appId: '7002' }],
    bots: [{ botId: '7003' }],
    wordsPerSecond: 0,
    remembers: { variables: random.chance(0.5), longTermMemory: random.chance(0.5) },
    leaks: {
      ...(leak && { [leak]: true }),
      foreignConversations: random.chance(0.3),
    },
    switches: {
      createWithAppId: random.pick(['supported', 'supported', 'refused-4000']),
      canceledEnding: random.pick(['canceled', 'completed', 'none']),
    },
  }
}

function settingsOf(
  cast: Cast,
  baseUrl: string,
  dialect: DialectName,
  leak: RoundOptions['leak'],
  random: Random,
) {
  const upstream = {
    baseUrl,
    platform: dialect,
    credentials:
      dialect === 'cloud'
        ? {
            type: 'oauth',
            appId: app.appId,
            keyId: app.keyId,
            privateKey: app.privateKeyPem,
          }
        : { type: 'token', token: personalToken, allowSharedToken: true },
    quota: { startsPerSecond: 10_000, maxRunning: 1_000 },
    onBreach: leak ? random.pick(['quarantine', 'alert', 'fallback']) : 'quarantine',
  }
  const workflow = {
    workflowId: '7001',
    appId: '7002',
    conversationKeying: random.pick(['auto', 'auto', 'name']),
  }
  const bot = { botId: '7003' }
  const flow = { id: 'flow', name: 'Flow', ...upstream, workflow }
  return {
    ...cast.settings,
    session: { key: randomUUID(), nameKeys: [{ version: 1, key: randomUUID() }] },
    assistants: [
      upstream.onBreach === 'fallback'
        ? { ...flow, strategy: 'auto', fallback: bot }
        : { ...flow, strategy: 'workflow' },
      { id: 'bot', name: 'Bot', ...upstream, onBreach: 'quarantine', strategy: 'bot', bot },
    ],
    probe: { checkAtStart: false },
    graphiql: false,
    timeouts: {
      drainMs: 150,
      recoverMs: 1_000,
      busyWaitMs: 300,
      retryMs: 500,
      actionMs: 3_000,
      circuitMs: 200,
    },
    limits: {
      // Many at once of one session, some of them dear.
      maxCost: 1_000_000_000,
      costPerSecond: 1_000_000_000,
      messagesPerMinute: 1_000_000,
      guestMessagesPerMinute: 1_000_000,
      uploadsPerMinute: 1_000_000,
      maxOpenPerSession: 1_000,
      maxRunningPerSession: 16,
      maxSubscriptionsPerSession: 1_000,
    },
  }
}

/** Hears no text of anybody, and no fault but those of a breach. */
function suspicious(complain: (what: string) => void, isLeaky: boolean): Logger {
  const listen = (fields: Readonly<Record<string, unknown>>, message: string) => {
    const { err } = fields
    const line = `${message} ${JSON.stringify(fields)} ${inspect(err)}`
    for (const { canary } of canariesIn(line)) complain(`a log line holds ${canary}: ${line}`)
    return line
  }
  return {
    debug: () => undefined,
    info: listen,
    warn: listen,
    error(fields, message) {
      const line = listen(fields, message)
      // The platform was restarted under it.
      const { err } = fields
      const isUnanswered = err instanceof RunFailedError || err instanceof ProbeError
      const isExpected = message === 'probe failed' && isUnanswered
      if (!isLeaky && !isExpected) complain(`an error was logged: ${line}`)
    },
  }
}
