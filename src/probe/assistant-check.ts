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
import { adviseOnFailure } from './failure-advice.ts'
import { targetsOf } from './probe-assistants.ts'
import { adviseOnFinding, drivenAs } from './finding-advice.ts'

export interface AssistantCheckOptions {
  readonly settings: readonly AssistantSettings[]
  readonly assistants: Assistants
  readonly newId: NewId
  readonly clock: Clock
  /** Whether each assistant is sent one message, which is cancelled at the first word of the answer. Default: false. */
  readonly sendsMessage?: boolean | undefined
}

/** The result for one target. */
export interface AssistantCheck extends IsolationTarget {
  /** What keys each layer by the session, as far as it is known. */
  readonly layers: readonly KeyedLayer[]
  /** Sentences that say what to change. */
  readonly problems: readonly string[]
  /** Whether it was sent a message and runs it. */
  readonly runsMessage: boolean
  /** Set if two sessions were given one conversation. */
  readonly shared: Pick<Breach, 'way' | 'logIds'> | undefined
}

/** The time for the first word of an answer, in ms. A run that lasts longer was accepted. */
const firstWordMs = 30_000
/** The time for cancelling and deleting what the check has made, in ms. */
const leaveMs = 5_000

/**
 * Checks every assistant with two sessions that no user has: obtains an access token and an empty conversation for each, and
 * deletes the conversations. Only a message (`sendsMessage`) shows whether the Workflow or Bot can be run.
 * @throws the signal's reason
 */
export async function* checkAssistants(
  options: AssistantCheckOptions,
  signal: AbortSignal,
): AsyncGenerator<AssistantCheck, void, undefined> {
  const { settings, assistants, clock } = options
  for (const target of targetsOf(settings)) {
    const { assistantId, strategy: kind } = target
    const strategy = assistants.strategyOf(assistantId, kind)?.strategy
    const records = assistants.recordsOf(assistantId, kind)
    if (!strategy || !records) throw new TypeError(`"${assistantId}" is not configured`)
    const problems: string[] = []
    const assistant = settings.find(({ id }) => id === assistantId)
    if (assistant === undefined) throw new TypeError(`"${assistantId}" is not configured`)
    const driven = drivenAs(kind, assistant)
    // A Studio has no other identity, and the operator has accepted that.
    if (driven.hasSharedToken && driven.platform === 'cloud') problems.push(sharedToken)
    let shared: AssistantCheck['shared']
    try {
      const runs = [newRun(options.newId), newRun(options.newId)] as const
      const advice = await settleKeying(strategy, records, runs[0], clock, signal)
      if (advice !== undefined) problems.push(advice)
      shared = await findShared(strategy, records, runs, clock, signal)
      if (shared) {
        const { what } = breachWays[shared.way]
        const { remedy } = adviseOnFinding('conversation', driven)
        problems.push(`conversation: ${what} ${remedy}`)
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RunFailedError)) throw error
      if (!isAboutConversation(error)) problems.push(adviseOnFailure(error, assistant, kind))
    }
    let runsMessage = false
    if (options.sendsMessage === true && problems.every((problem) => problem === sharedToken)) {
      const failure = await sendGreeting(strategy, records, options, signal)
      if (failure === undefined) runsMessage = true
      else problems.push(adviseOnFailure(failure, assistant, kind))
    }
    yield { ...target, layers: strategy.layers, problems, runsMessage, shared }
  }
}

/** Finds out how conversations are obtained, before the first user does. Returns what to change, if anything. */
async function settleKeying(
  strategy: ChatStrategy,
  records: AssistantRecords,
  run: RunContext,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const made = new Set<string>()
  try {
    const canCreate = await strategy.settleKeying?.(run, (id) => made.add(id), signal)
    // A conversation that its name obtains again is opened and deleted next.
    if (canCreate !== false) return undefined
  } catch (error) {
    await deleteAll(records, run.session, made, clock)
    throw error
  }
  await deleteAll(records, run.session, made, clock)
  // The platform refused to create one, so names are used from now on.
  if (made.size === 0) return undefined
  return strategy.opensByName ? likelyStudio : cannotCreate
}

/** Finds out whether two sessions are given one conversation. @throws {@link RunFailedError} */
async function findShared(
  strategy: ChatStrategy,
  records: AssistantRecords,
  runs: readonly [RunContext, RunContext],
  clock: Clock,
  signal: AbortSignal,
): Promise<AssistantCheck['shared']> {
  await using made = new AsyncDisposableStack()
  const opened = []
  for (const run of runs) {
    const { session } = run
    const upstream = await strategy.open(run, signal)
    if (upstream.type === 'named') {
      // Opening made no call. Asking for a conversation that does not exist shows whether the credentials are accepted.
      const missing = { conversationId: '1', before: undefined, limit: 1 }
      await records.listOlder(session, missing, signal)
      return undefined
    }
    const { conversationId } = upstream
    made.defer(() => deleteAll(records, session, [conversationId], clock))
    opened.push(upstream)
  }
  const [first, second] = opened
  if (first?.conversationId === second?.conversationId) {
    // Users may be in it, so it is not deleted.
    made.move()
    return { way: 'shared-at-start', logIds: opened.flatMap(({ logId }) => logId ?? []) }
  }
  return undefined
}

/** Deletes conversations, even if the check was stopped. */
async function deleteAll(
  records: AssistantRecords,
  session: Session,
  conversationIds: Iterable<string>,
  clock: Clock,
): Promise<void> {
  using leaving = createDeadline(clock, leaveMs, () => new Error('no more time to clean up'))
  for (const conversationId of conversationIds) {
    await records.deleteConversation(session, conversationId, leaving.signal)
  }
}

/**
 * Sends one message in a new conversation, and cancels and deletes both at the first word of the answer. Only a run shows
 * whether the ids are right and what they name is published, complete and permitted.
 */
async function sendGreeting(
  strategy: ChatStrategy,
  records: AssistantRecords,
  { newId, clock }: AssistantCheckOptions,
  signal: AbortSignal,
): Promise<RunFailedError | undefined> {
  const run = newRun(newId)
  const enough = new AbortController()
  using deadline = createDeadline(
    clock,
    firstWordMs,
    () => new Error('the first word took too long'),
  )
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
        if (type !== 'accepted') enough.abort(new Error('the answer has begun'))
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
    using leaving = createDeadline(clock, leaveMs, () => new Error('no more time to clean up'))
    if (accepted !== undefined) await strategy.cancel(accepted, leaving.signal)
    await deleteAll(records, run.session, made, clock)
  }
  return undefined
}

const greeting = 'Hello.'
const noExtras = { parameters: {}, metadata: {} }

/** The first run of a session that no user has. */
function newRun(newId: NewId): RunContext {
  return {
    session: { id: newId() as SessionId, name: `probe-${newId()}` as SessionName },
    conversationId: newId() as ConversationId,
    replyId: newId() as ReplyId,
    generation: 0,
  }
}

/**
 * Checks every assistant and logs the results. Calls `onBreach` for one that gives two sessions one conversation. Dispose it
 * to stop it.
 */
export function startAssistantCheck(
  options: AssistantCheckOptions & {
    readonly logger: Logger
    readonly onBreach: (breach: Breach) => void
  },
): AsyncDisposable {
  const { clock, logger, onBreach } = options
  const stop = new AbortController()
  const done = report().catch((error: unknown) => {
    if (!stop.signal.aborted) logger.error({ err: error }, 'the assistants could not be checked')
  })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the check was stopped'))
      await done
    },
  }

  async function report(): Promise<void> {
    for await (const { layers, problems, shared, ...target } of checkAssistants(
      options,
      stop.signal,
    )) {
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

const likelyStudio =
  'conversation: the platform does not find a conversation by its name, as a self-hosted Coze Studio does not. Set "platform" to "studio". Until then conversations are obtained by CONVERSATION_NAME'

const cannotCreate =
  'conversation: the platform does not find a conversation by its name, so runs of the app may not find the conversation that is created for them. Set "conversationKeying" to "auto" or "name"'

const sharedToken: string =
  'identity: all sessions share one access token, so only conversations keep them apart. Use an OAuth app of type JWT instead of "token"'

/** The failure is about the conversation that does not exist, so the credentials were accepted. */
function isAboutConversation({ conversationGone, failure }: RunFailedError): boolean {
  return conversationGone || failure.code === 'UPSTREAM_REFUSED'
}
