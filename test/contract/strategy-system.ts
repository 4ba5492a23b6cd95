import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type CozeClient, createCozeClient, type StreamTimeouts } from '../../src/coze/client.ts'
import { type TokenResolver, createTokenResolver } from '../../src/coze/token.ts'
import type { Message, Platform, UpstreamScope } from '../../src/domain.ts'
import type { EmulatorState } from '../../src/emulator/state.ts'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import type { RoutePath } from '../../src/emulator/routes.ts'
import { createGuard } from '../../src/isolation/guard.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { Secret } from '../../src/lib/secret.ts'
import type { PlatformTraits } from '../../src/strategy/platform-traits.ts'
import type {
  ChatStrategy,
  RunContext,
  RunEvent,
  StartRequest,
  TakeRunEvents,
  UpstreamConversation,
} from '../../src/strategy/strategy.ts'
import { cozeOptions, streamTimeouts, tokenOptions } from '../kit/fakes/coze-options.ts'
import {
  type RunningEmulator,
  createTestApp,
  publicPart,
  startEmulator,
} from '../kit/process/emulator.ts'
import { plain } from '../kit/fakes/plain.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { answerOf, createRun } from '../kit/fakes/runs.ts'
import { strategyOptions } from '../kit/fakes/strategy-options.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'

/** What a strategy is made of. */
export interface StrategyParts {
  readonly client: CozeClient
  readonly tokens: TokenResolver
  readonly scope: UpstreamScope
  readonly traits: PlatformTraits
  /** Whether all sessions are one upstream identity. */
  readonly hasSharedToken: boolean
  readonly busyWaitMs: number
  readonly timeouts: StreamTimeouts
  readonly clock: Clock
  readonly random: () => number
}

export interface StrategyEntry {
  readonly runPath: RoutePath
  readonly open: (parts: StrategyParts) => ChatStrategy
  readonly platform: Platform
  /** A message that makes the upstream wait for somebody; undefined: it never does. */
  readonly actionRequest: string | undefined
  readonly cancels: boolean
  /** Whether the platform can be asked how a run ended whose stream was cut in its middle. */
  readonly provesEnds: boolean
  /** Whether the model's thoughts are told. */
  readonly tellsThoughts: boolean
  /** Whether the answer of a run is stored whose stream broke. */
  readonly isStoredUnread: boolean
  /** Whether a run is found again by our reply's id alone. */
  readonly isFoundByReplyId: boolean
  /** What becomes of a message to a conversation that is not there. */
  readonly withoutConversation: 'refused' | 'goes on in a new one'
  /** The upstream's codes for a run that fails, as both commands of the emulator make it. */
  readonly failureCodes: Readonly<Record<'/fail' | '/error', string>>
  /** How the platform decides what its documentation leaves open. */
  readonly switches?: EmulatorOptions['switches']
}

/** The one identity of a Studio. */
const personalToken = 'pat_one'

/** One run and what came of it. */
export interface Talk {
  readonly run: RunContext
  readonly upstream: UpstreamConversation
  /** What the guard let pass. */
  readonly events: readonly RunEvent[]
  readonly answer: string
  readonly error: unknown
}

export type StrategySystem = ReturnType<typeof openStrategySystem>

/** An emulator in its own process and the strategy that drives it, for all tests of the `describe` around it. */
export function openStrategySystem(entry: StrategyEntry) {
  const { signal } = new AbortController()
  const stack = new AsyncDisposableStack()
  let emulator: RunningEmulator
  let strategy: ChatStrategy
  let parts: StrategyParts
  let sessions = 0

  beforeAll(async () => {
    const app = createTestApp()
    emulator = stack.use(
      await startEmulator({
        dialect: entry.platform,
        ...(entry.platform === 'cloud'
          ? { apps: [publicPart(app)] }
          : { personalAccessTokens: [{ token: personalToken, accountId: 'account-1' }] }),
        workflows: [
          { workflowId: 'flow-1', appId: 'coze-app-1' },
          { workflowId: 'flow-2', botId: 'bot-1' },
        ],
        bots: [{ botId: 'bot-1' }],
        wordsPerSecond: 0,
        ...(entry.switches !== undefined && { switches: entry.switches }),
      }),
    )
    const client = stack.use(
      createCozeClient({
        clock: systemClock,
        random: Math.random,
        metrics: uncounted,
        tracer: untraced,
        onFailure: () => undefined,
        ...cozeOptions,
      }),
    )
    const tokens = stack.use(
      createTokenResolver({
        client,
        clock: systemClock,
        newId: randomId,
        metrics: uncounted,
        ...tokenOptions,
        credentials:
          entry.platform === 'cloud'
            ? {
                type: 'oauth',
                baseUrl: emulator.url,
                appId: app.appId,
                keyId: app.keyId,
                privateKey: new Secret(app.privateKeyPem),
                accessTokenSeconds: 3600,
                audience: new URL(emulator.url).host,
              }
            : {
                type: 'shared-token',
                baseUrl: emulator.url,
                token: new Secret(personalToken),
              },
      }),
    )
    const scope = { origin: emulator.url, account: '' }
    const { platform } = entry
    const timeouts = { ...streamTimeouts, idleMs: 5000, totalMs: 20_000 }
    const hasSharedToken = platform === 'studio'
    const own = { ...strategyOptions(platform), hasSharedToken, timeouts }
    const calls = { client, tokens, scope, ...own }
    parts = { ...calls, clock: systemClock, random: Math.random }
    strategy = entry.open(parts)
  })

  afterEach(async () => {
    await emulator.clearFaults()
    await emulator.release()
    expect((await emulator.state()).problems).toEqual([])
  })

  afterAll(async () => stack.disposeAsync())

  /** A session that no other test has. */
  const newSession = (who: string) => `${who}-${(sessions += 1)}`

  async function begin(session: string, conversation?: string) {
    const run = createRun(session, 'reply-1', conversation)
    return { run, upstream: await strategy.open(run, signal) }
  }

  async function talk(
    { run, upstream }: Pick<Talk, 'run' | 'upstream'>,
    text: string,
    options: {
      readonly history?: readonly Message[]
      readonly by?: ChatStrategy
      /** The run may go on in another conversation than it was sent to. */
      readonly mayMove?: boolean
      readonly carries?: Partial<Pick<StartRequest, 'attachments' | 'extras'>>
    } = {},
  ): Promise<Talk> {
    const guard = createGuard({
      conversationId: upstream.type === 'id' ? upstream.conversationId : undefined,
      chatId: undefined,
      mayMove: options.mayMove,
    })
    const events: RunEvent[] = []
    let error: unknown
    let bound = upstream
    const { history = [], carries } = options
    const request = { ...run, upstream, text, history, ...plain, ...carries }
    try {
      const take: TakeRunEvents = (batch) => {
        for (const event of batch) {
          guard.check(event)
          events.push(event)
          bound = { type: 'id', conversationId: event.conversationId }
        }
        return undefined
      }
      await (options.by ?? strategy).start(request, take, signal)
    } catch (thrown) {
      error = thrown
    }
    return { run, upstream: bound, events, answer: answerOf(events), error }
  }

  /** The next reply of the same conversation. */
  function next({ run, upstream }: Pick<Talk, 'run' | 'upstream'>, reply = 'reply-2') {
    return { run: createRun(run.session.name, reply), upstream }
  }

  return {
    signal,
    get emulator() {
      return emulator
    },
    get strategy() {
      return strategy
    },
    get parts() {
      return parts
    },
    newSession,
    begin,
    talk,
    next,
  }
}

/** The session's chats: where the platform has no sessions, by the name that each request carries. */
export function chatsOf({ chats }: EmulatorState, session: string): EmulatorState['chats'] {
  return chats.filter((chat) => JSON.stringify(chat.request).includes(`"user_id":"${session}"`))
}

export function upstreamOf({ upstream }: Pick<Talk, 'upstream'>) {
  return {
    upstreamConversationId: upstream.type === 'id' ? upstream.conversationId : undefined,
  }
}
