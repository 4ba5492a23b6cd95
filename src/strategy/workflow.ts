import type { CozeClient, CozeTarget } from '../coze/client.ts'
import {
  type CozeMessage,
  createConversation,
  getOrCreateAppConversation,
  listMessages,
  retrieveConversation,
} from '../coze/conversations.ts'
import { CozeError } from '../coze/errors.ts'
import type { ChatIds } from '../coze/events.ts'
import { withToken } from '../coze/token.ts'
import { streamWorkflowChat } from '../coze/workflow-chat.ts'
import type { ReplyFailure, Session, UpstreamScope } from '../domain.ts'
import type { WorkflowSettings } from '../config/sections/target.ts'
import { findWorkflowProblems } from '../domain/keying.ts'
import { enterMessages, seedsOf, formLines } from './enter-messages.ts'
import { createRunKeys, refuseUnkeyed, identityLayer, workflowLayers } from './keys.ts'
import { findChatId, lookUntil, readListedAnswer } from './lookup.ts'
import { messageMetaData, startParameters } from './message-fields.ts'
import { RunFailedError, asRunFailure } from './run-failure.ts'
import { listRevealed } from './revealed.ts'
import { type CallOptions, streamRun } from './run-stream.ts'
import type {
  ChatStrategy,
  Recovered,
  RecoverRequest,
  RunContext,
  StartRequest,
  UpstreamConversation,
} from './strategy.ts'

export interface WorkflowStrategyOptions extends CallOptions {
  readonly workflow: WorkflowSettings
  readonly client: CozeClient
  readonly scope: UpstreamScope
  /** All sessions share one upstream identity. */
  readonly hasSharedToken: boolean
  /** How long a lost run is looked for, in ms. */
  readonly recoverMs: number
}

/** The user's one included (docs/coze-platform.md#workflow-chat). */
const maxMessages = 50

/** Studio's code of nearly every error before a stream. */
const wrappingCode = '777777775'

/** A Workflow accepts no outputs of tools (docs/coze-platform.md#questions-and-forms). */
const unsupported: ReplyFailure = {
  code: 'ACTION_UNSUPPORTED',
  message: 'The assistant asked for an action that is not supported.',
  retryable: false,
  retryAfterMs: null,
}

/** @throws {TypeError} when a layer would not be keyed by the session. */
export function createWorkflowStrategy(options: WorkflowStrategyOptions): ChatStrategy {
  const { workflow, client, tokens, clock, recoverMs, traits, timeouts } = options
  const { workflowId, connectorId, workflowVersion, appVersion } = workflow
  refuseUnkeyed(findWorkflowProblems(workflow))
  const owner = ownerOf(workflow)
  const identity = identityLayer(options.hasSharedToken)
  const mayName = workflow.conversationKeying === 'auto' && 'appId' in owner
  let keying = mayName && !traits.createsForApps ? 'name' : workflow.conversationKeying
  /** Where it is not documented: until one was listed, nothing is known of others. */
  let canList = traits.listsAppConversations === true
  const seedForm = { max: maxMessages, takes: traits.workflowSeeds }

  async function getOrCreate({ name: sessionName }: Session, name: string, signal: AbortSignal) {
    const create = async (target: CozeTarget) =>
      'appId' in owner
        ? getOrCreateAppConversation(
            client,
            target,
            { appId: owner.appId, workflowId, name, connectorId },
            signal,
          )
        : createConversation(client, target, { botId: owner.botId, connectorId }, signal)
    const { id, logId } = await withToken(tokens, sessionName, create, signal)
    return { type: 'id', conversationId: id, logId, isNew: true } as const
  }

  async function open(run: RunContext, signal: AbortSignal): Promise<UpstreamConversation> {
    if (keying === 'name') return { type: 'named' }
    const { conversationName } = createRunKeys(run)
    try {
      return await getOrCreate(run.session, conversationName, signal)
    } catch (error) {
      if (!mayName || !isRefused(error)) throw asRunFailure(error)
      keying = 'name'
      return { type: 'named' }
    }
  }

  async function openAsStranger(stranger: Session, run: RunContext, signal: AbortSignal) {
    try {
      return await getOrCreate(stranger, createRunKeys(run).conversationName, signal)
    } catch (error) {
      throw asRunFailure(error)
    }
  }

  /** Where a name obtains conversations, the same one is obtained twice. */
  async function settleKeying(
    run: RunContext,
    onMade: (conversationId: string) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { conversationName } = createRunKeys(run)
    try {
      const first = await getOrCreate(run.session, conversationName, signal)
      onMade(first.conversationId)
      const second = await getOrCreate(run.session, conversationName, signal)
      onMade(second.conversationId)
      const canCreate = first.conversationId === second.conversationId
      if (!canCreate && mayName) keying = 'name'
      return canCreate
    } catch (error) {
      if (!mayName || !isRefused(error)) throw asRunFailure(error)
      keying = 'name'
      return false
    }
  }

  /** A conversation that was just made and is not there for its first run is none that the app's runs know. */
  function learnFrom(error: unknown): unknown {
    const isUnknown =
      error instanceof RunFailedError && error.conversationGone && error.outcome === 'not-accepted'
    if (isUnknown) keying = 'name'
    return error
  }

  /**
   * Studio says of a conversation that is not there any more what it says of a broken Workflow. So the conversation is
   * looked up: the message is not sent again, but the next one goes on in a new conversation.
   */
  async function findGone(
    error: unknown,
    { session, upstream }: StartRequest,
    signal: AbortSignal,
  ): Promise<unknown> {
    const mayBeGone = error instanceof RunFailedError && error.upstreamCode === wrappingCode
    if (!mayBeGone || error.conversationGone || upstream.type === 'named') return error
    const { conversationId } = upstream
    const retrieve = async (target: CozeTarget) =>
      retrieveConversation(client, target, conversationId, signal)
    try {
      await withToken(tokens, session.name, retrieve, signal)
    } catch (cause) {
      if (cause instanceof CozeError && cause.kind === 'conversation-gone') {
        const { failure, outcome, isSupported, misconfiguration } = error
        const { upstreamCode, logId, hint, upstream: failed } = error
        return new RunFailedError(failure, {
          outcome,
          conversationGone: true,
          isSupported,
          misconfiguration,
          upstreamCode,
          logId,
          hint,
          upstream: failed,
          cause: error,
        })
      }
    }
    return error
  }

  /** The messages that are listed of our run, oldest first; undefined: it is not there. */
  async function findRows(
    { session, upstreamConversationId: conversationId, replyId, chatId }: RecoverRequest,
    signal: AbortSignal,
  ): Promise<{ readonly ids: ChatIds; readonly rows: readonly CozeMessage[] } | undefined> {
    if (conversationId === undefined) return undefined
    const list = async (target: CozeTarget) =>
      listMessages(client, target, { conversationId, chatId }, signal)
    const rows = (await withToken(tokens, session.name, list, signal)) ?? []
    const found = chatId ?? findChatId(rows, replyId)
    if (found === undefined) return undefined
    return { ids: { chatId: found, conversationId }, rows: rows.toReversed() }
  }

  /**
   * No call tells whether a Workflow still runs, and a list that has stopped growing proves no end: another node may speak
   * minutes later. The end is proven by the platform's note that the answer is whole, in the list or in the stream before
   * it was lost, together with the whole answer in the list.
   */
  async function recover(request: RecoverRequest, signal: AbortSignal): Promise<Recovered> {
    async function look(): Promise<Recovered | undefined> {
      const found = await findRows(request, signal)
      // Accepted messages are listed at once: what is not there never arrived.
      if (found === undefined) return { type: 'unknown' }
      const { ids, rows } = found
      const end = { type: 'completed', ...ids, usage: null } as const
      const listed = readListedAnswer(ids, rows, end, request.shown)
      const isWhole =
        listed.hasAnswer && (listed.isFinished || (request.isFinished && listed.extendsShown))
      if (isWhole || listed.strays) return { type: 'found', events: listed.events }
      // What the stream announced may be listed a little later; nothing else can become a proof.
      return request.isFinished ? undefined : { type: 'unknown' }
    }
    try {
      const found = await lookUntil(look, { clock, forMs: recoverMs }, signal)
      return found ?? { type: 'unknown' }
    } catch (error) {
      throw asRunFailure(error)
    }
  }

  return {
    kind: 'workflow',
    scope: options.scope,
    get layers() {
      return workflowLayers(workflow, keying, identity)
    },
    answersByMessage: true,
    canRetrieveRuns: false,
    takesTextsOnly: false,
    readsForms: traits.readsFormLines,
    open,
    get openAsStranger() {
      return keying === 'name' || !('appId' in owner) ? undefined : openAsStranger
    },
    get opensByName() {
      return keying === 'name'
    },
    get settleKeying() {
      return keying === 'name' || !('appId' in owner) ? undefined : settleKeying
    },
    async listRevealed({ history, ...run }, signal) {
      const seeds = new Set(seedsOf(history, seedForm).map(({ text }) => text))
      const unknown = canList ? 'vanished' : 'not-listed'
      const by = { client, tokens, clock, traits }
      const rows = await listRevealed(by, run, seeds, unknown, signal)
      if (typeof rows !== 'string' && rows.length > 0) canList = true
      return rows
    },
    async start(request, take, signal) {
      const { upstream, extras, form } = request
      const text = form === undefined ? request.text : formLines(request.text, form)
      const keys = createRunKeys(request)
      const metaData = messageMetaData(workflow.metadata, extras, keys)
      const messages = enterMessages({ ...request, text }, keys, { metaData }, seedForm)
      const parameters = startParameters(workflow, request, keys)
      const run = streamRun(
        {
          ...options,
          sessionName: keys.sessionName,
          send: (target, listener, takeEvents) =>
            streamWorkflowChat(
              client,
              target,
              {
                workflowId,
                owner,
                conversationId: upstream.type === 'named' ? undefined : upstream.conversationId,
                messages,
                parameters,
                userId: keys.userId,
                sessionName: keys.sessionName,
                connectorId,
                workflowVersion,
                appVersion,
                timeouts,
                listener,
              },
              takeEvents,
              signal,
            ),
        },
        take,
        signal,
      )
      const isNew = upstream.type === 'id' && upstream.isNew === true
      try {
        await run
      } catch (error) {
        throw isNew && mayName ? learnFrom(error) : await findGone(error, request, signal)
      }
    },
    // The platform has no call for it (docs/coze-platform.md#workflow-chat).
    cancel: async () => 'refused',
    async submitToolOutputs() {
      throw new RunFailedError(unsupported, { outcome: 'not-accepted' })
    },
    recover,
  }
}

export function ownerOf({ appId, botId }: WorkflowSettings) {
  if (appId !== undefined) return { appId }
  if (botId !== undefined) return { botId }
  throw new TypeError('"appId" or "botId" must be given')
}

/** The platform does not take the call at all (a 4000-class code): it will not later either. */
function isRefused(error: unknown): boolean {
  return error instanceof CozeError && error.kind === 'refused'
}
