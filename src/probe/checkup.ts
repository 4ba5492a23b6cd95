import type { AssistantSettings } from '../config/sections/assistant.ts'
import type {
  ConversationId,
  KeyedLayer,
  ReplyId,
  Session,
  SessionId,
  SessionName,
} from '../domain.ts'
import type { IsolationTarget } from '../domain/isolation.ts'
import { type Breach, breachWays } from '../isolation/breaches.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Assistants } from '../strategy/assistants.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import type { ChatStrategy, RunContext, RunReference, TakeRunEvents } from '../strategy/strategy.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import { sentenceOf } from './advice.ts'
import { targetsOf } from './probe-assistants.ts'
import { adviceFor } from './remedies.ts'

export interface CheckupOptions {
  readonly settings: readonly AssistantSettings[]
  readonly assistants: Assistants
  readonly newId: NewId
  readonly clock: Clock
  /** Whether each is sent one message, which is broken off at the first word of its answer. Default: no text is sent. */
  readonly speaks?: boolean | undefined
}

/** How a target stands before anybody is served. */
export interface Checkup extends IsolationTarget {
  /** What keys each layer by the session, as far as it is found out. */
  readonly layers: readonly KeyedLayer[]
  /** Each a sentence that says what to change. */
  readonly problems: readonly string[]
  /** Set if two sessions were given one conversation. */
  readonly shared: Pick<Breach, 'way' | 'logIds'> | undefined
}

/** For the first word of an answer, in ms: a run that was accepted so long is one that can be had. */
const firstWordMs = 30_000
/** For telling the platform that nobody waits any more, in ms. */
const leaveMs = 5_000

/**
 * Looks at every assistant with two sessions that never were: obtains an access token and an empty conversation for each,
 * and takes those away again. Whether the Workflow or Bot itself can be run shows only if it `speaks`.
 * @throws the signal's reason
 */
export async function* checkUp(
  options: CheckupOptions,
  signal: AbortSignal,
): AsyncGenerator<Checkup, void, undefined> {
  const { settings, assistants, clock } = options
  for (const target of targetsOf(settings)) {
    const { assistantId, strategy: kind } = target
    const strategy = assistants.strategyOf(assistantId, kind)?.strategy
    const records = assistants.recordsOf(assistantId, kind)
    if (!strategy || !records) throw new TypeError(`"${assistantId}" is not configured`)
    const problems: string[] = []
    const assistant = settings.find(({ id }) => id === assistantId)
    if (assistant === undefined) throw new TypeError(`"${assistantId}" is not configured`)
    const { platform } = assistant
    // A Studio has no other identity, and the operator has accepted that.
    if (assistant.credentials.type === 'token' && platform === 'cloud') problems.push(sharedToken)
    let shared: Checkup['shared']
    try {
      const runs = [newRun(options.newId), newRun(options.newId)] as const
      const advice = await settle(strategy, records, runs[0], clock, signal)
      if (advice !== undefined) problems.push(advice)
      shared = await meet(strategy, records, runs, clock, signal)
      if (shared) {
        const { what } = breachWays[shared.way]
        const { remedy } = adviceFor('conversation', { strategy: kind, platform })
        problems.push(`conversation: ${what} ${remedy}`)
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RunFailedError)) throw error
      if (!isAboutNowhere(error)) problems.push(sentenceOf(error, assistant, kind))
    }
    if (options.speaks === true && problems.every((problem) => problem === sharedToken)) {
      const failure = await speak(strategy, records, options, signal)
      if (failure !== undefined) problems.push(sentenceOf(failure, assistant, kind))
    }
    yield { ...target, layers: strategy.layers, problems, shared }
  }
}

/** How conversations are obtained is found out before a user does. What to change, if anything is. */
async function settle(
  strategy: ChatStrategy,
  records: AssistantRecords,
  run: RunContext,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const made = new Set<string>()
  try {
    const canCreate = await strategy.settleKeying?.(run, (id) => made.add(id), signal)
    // A conversation that a name obtains again is opened next.
    if (canCreate !== false) return undefined
  } catch (error) {
    await leave(records, run.session, made, clock)
    throw error
  }
  await leave(records, run.session, made, clock)
  // One that was refused has made none, and is gone on without by the platform's own word.
  if (made.size === 0) return undefined
  return strategy.opensByName ? likeStudio : cannotCreate
}

/** Whether two sessions are given one conversation. @throws {@link RunFailedError} */
async function meet(
  strategy: ChatStrategy,
  records: AssistantRecords,
  runs: readonly [RunContext, RunContext],
  clock: Clock,
  signal: AbortSignal,
): Promise<Checkup['shared']> {
  await using made = new AsyncDisposableStack()
  const opened = []
  for (const run of runs) {
    const { session } = run
    const upstream = await strategy.open(run, signal)
    if (upstream.type === 'named') {
      // Nothing was asked of the platform yet: a conversation that is not there tells as much of the credentials.
      const nowhere = { conversationId: '1', before: undefined, limit: 1 }
      await records.listOlder(session, nowhere, signal)
      return undefined
    }
    const { conversationId } = upstream
    made.defer(() => leave(records, session, [conversationId], clock))
    opened.push(upstream)
  }
  const [first, second] = opened
  if (first?.conversationId === second?.conversationId) {
    // Others may be in it: it is left alone.
    made.move()
    return { way: 'shared-at-start', logIds: opened.flatMap(({ logId }) => logId ?? []) }
  }
  return undefined
}

/** Takes conversations away, also when the look was broken off. */
async function leave(
  records: AssistantRecords,
  session: Session,
  conversationIds: Iterable<string>,
  clock: Clock,
): Promise<void> {
  using leaving = createDeadline(clock, leaveMs, () => new Error('no more time to leave'))
  for (const conversationId of conversationIds) {
    await records.deleteConversation(session, conversationId, leaving.signal)
  }
}

/**
 * Sends one message in a conversation of its own, and takes both away at the first word of the answer. Only a run tells
 * whether the ids are those of something that is published, whole and allowed.
 */
async function speak(
  strategy: ChatStrategy,
  records: AssistantRecords,
  { newId, clock }: CheckupOptions,
  signal: AbortSignal,
): Promise<RunFailedError | undefined> {
  const run = newRun(newId)
  const enough = new AbortController()
  using deadline = createDeadline(clock, firstWordMs, () => new Error('a word took too long'))
  const listening = AbortSignal.any([signal, enough.signal, deadline.signal])
  let accepted: RunReference | undefined
  const made = new Set<string>()
  try {
    const upstream = await strategy.open(run, signal)
    if (upstream.type === 'id') made.add(upstream.conversationId)
    const message = {
      text: greeting,
      attachments: [],
      imageUrls: [],
      extras: noExtras,
      history: [],
    }
    const take: TakeRunEvents = (events) => {
      for (const { type, chatId, conversationId } of events) {
        accepted = { ...run, chatId, upstreamConversationId: conversationId }
        made.add(conversationId)
        if (type !== 'accepted') enough.abort(new Error('that is enough'))
      }
      return undefined
    }
    await strategy.start({ ...run, upstream, ...message }, take, listening)
  } catch (error) {
    signal.throwIfAborted()
    if (listening.aborted) return undefined
    if (error instanceof RunFailedError) return error
    throw error
  } finally {
    using leaving = createDeadline(clock, leaveMs, () => new Error('no more time to leave'))
    if (accepted !== undefined) await strategy.cancel(accepted, leaving.signal)
    await leave(records, run.session, made, clock)
  }
  return undefined
}

const greeting = 'Hello.'
const noExtras = { parameters: {}, metadata: {} }

/** The first of a session that never was. */
function newRun(newId: NewId): RunContext {
  return {
    session: { id: newId() as SessionId, name: `probe-${newId()}` as SessionName },
    conversationId: newId() as ConversationId,
    replyId: newId() as ReplyId,
    generation: 0,
  }
}

/**
 * Tells the log how every assistant stands, and `onBreach` of one that gives two sessions one conversation. Dispose it to
 * break it off.
 */
export function beginCheckup(
  options: CheckupOptions & {
    readonly logger: Logger
    readonly onBreach: (breach: Breach) => void
  },
): AsyncDisposable {
  const { clock, logger, onBreach } = options
  const stop = new AbortController()
  const done = tell().catch((error: unknown) => {
    if (!stop.signal.aborted) logger.error({ err: error }, 'the assistants could not be looked at')
  })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('broken off'))
      await done
    },
  }

  async function tell(): Promise<void> {
    for await (const { layers, problems, shared, ...target } of checkUp(options, stop.signal)) {
      const { assistantId: assistant, strategy } = target
      const keyedBy = Object.fromEntries(layers.map(({ layer, keyedBy: by }) => [layer, by]))
      logger.info({ assistant, strategy, ...keyedBy }, 'what keeps sessions apart')
      for (const problem of problems) {
        logger.warn({ assistant, strategy, problem }, 'assistant has a problem')
      }
      if (shared) onBreach({ target, isNew: true, at: clock.now(), ...shared, sessions: [] })
    }
  }
}

const likeStudio =
  'conversation: the platform does not know a conversation again by its name, as a self-hosted Coze Studio does not; set "platform" to "studio"; until then conversations are obtained by CONVERSATION_NAME'

const cannotCreate =
  'conversation: the platform does not know a conversation again by its name, so runs of the app may not find what is created for them; set "conversationKeying" to "auto" or "name"'

const sharedToken: string =
  'identity: all sessions share one access token, so only conversations keep them apart; use an OAuth app of type JWT instead of "token"'

/** The conversation that nobody has is not there, or not ours: the platform knows us. */
function isAboutNowhere({ conversationGone, failure }: RunFailedError): boolean {
  return conversationGone || failure.code === 'UPSTREAM_REFUSED'
}
