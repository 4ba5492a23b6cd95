import {
  cancelBotChat,
  type CozeChat,
  listBotChatMessages,
  retrieveBotChat,
  streamBotChat,
  streamToolOutputs,
} from '../coze/bot-chat.ts'
import type { CozeClient, CozeTarget } from '../coze/client.ts'
import { createConversation, listMessages } from '../coze/conversations.ts'
import { CozeError } from '../coze/errors.ts'
import type { ChatIds } from '../coze/events.ts'
import { withToken } from '../coze/token.ts'
import type { UpstreamScope } from '../domain.ts'
import type { BotSettings } from '../config/sections/target.ts'
import { findBotProblems } from '../domain/keying.ts'
import { enterMessages, seedsOf } from './enter-messages.ts'
import { createRunKeys, refuseUnkeyed, botLayers, identityLayer } from './keys.ts'
import { findChatId, lookUntil, readListedAnswer } from './lookup.ts'
import { customVariables, messageMetaData } from './message-fields.ts'
import { retell } from './run-events.ts'
import { asRunFailure, toRunFailure } from './run-failure.ts'
import { listRevealed } from './revealed.ts'
import { type CallOptions, streamRun } from './run-stream.ts'
import type { ChatStrategy, Recovered, RecoverRequest, RunContext, RunEvent } from './strategy.ts'

export interface BotStrategyOptions extends CallOptions {
  readonly bot: BotSettings
  readonly client: CozeClient
  readonly scope: UpstreamScope
  /** All sessions share one upstream identity. */
  readonly hasSharedToken: boolean
  /** How long a lost run that still goes on is waited for, in ms. */
  readonly recoverMs: number
}

/** How long the messages of a chat that has completed are looked for, in ms: they may be listed a little later. */
const listMs = 10_000
/** The user's one included (docs/coze-platform.md#bot-chat). */
const seedForm = { max: 100, takes: 'messages' } as const

/** @throws {TypeError} when a layer would not be keyed by the session. */
export function createBotStrategy(options: BotStrategyOptions): ChatStrategy {
  const { bot, client, tokens, clock, traits, timeouts, recoverMs } = options
  const { botId, connectorId } = bot
  refuseUnkeyed(findBotProblems(bot))

  async function call<T>(
    run: RunContext,
    send: (target: CozeTarget) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await withToken(tokens, run.session.name, send, signal)
    } catch (error) {
      throw asRunFailure(error)
    }
  }

  /** Where our run went on; undefined: it never began. */
  async function findRun(
    { session, replyId, upstreamConversationId, chatId }: RecoverRequest,
    signal: AbortSignal,
  ): Promise<ChatIds | undefined> {
    if (upstreamConversationId === undefined) return undefined
    const conversationId = upstreamConversationId
    if (chatId !== undefined) return { chatId, conversationId }
    const list = async (target: CozeTarget) =>
      listMessages(client, target, { conversationId }, signal)
    const rows = (await withToken(tokens, session.name, list, signal)) ?? []
    const found = findChatId(rows, replyId)
    return found === undefined ? undefined : { chatId: found, conversationId }
  }

  /** A chat says that it has completed: its whole answer is in the list, or the end is not proven. */
  async function findAnswer(
    { session, shown }: RecoverRequest,
    { chatId, conversationId, usage }: CozeChat,
    signal: AbortSignal,
  ): Promise<Recovered> {
    const run = { chatId, conversationId }
    const list = async (target: CozeTarget) => listBotChatMessages(client, target, run, signal)
    /** From the first list on: one that did not come tells nothing of when the answer will be listed. */
    let giveUpAt: number | undefined
    const look = async (): Promise<Recovered | undefined> => {
      const rows = (await withToken(tokens, session.name, list, signal)) ?? []
      const end = { type: 'completed', ...run, usage } as const
      const found = readListedAnswer(run, rows, end, shown)
      const isWhole = found.hasAnswer && (found.extendsShown || found.isFinished)
      if (isWhole || found.strays) return { type: 'found', events: found.events }
      giveUpAt ??= clock.monotonic() + listMs
      return clock.monotonic() < giveUpAt ? undefined : { type: 'unknown' }
    }
    const found = await lookUntil(look, { clock, forMs: recoverMs }, signal)
    return found ?? { type: 'unknown' }
  }

  /** The text of a chat that waits: whether it can be listed is not documented, and its calls are known without it. */
  async function listSoFar(
    { session, shown }: RecoverRequest,
    run: ChatIds,
    end: Extract<RunEvent, { type: 'action-required' }>,
    signal: AbortSignal,
  ): Promise<readonly RunEvent[]> {
    const list = async (target: CozeTarget) => listBotChatMessages(client, target, run, signal)
    const look = async () => (await withToken(tokens, session.name, list, signal)) ?? []
    const rows = (await lookUntil(look, { clock, forMs: recoverMs }, signal)) ?? []
    const found = readListedAnswer(run, rows, end, shown)
    return found.extendsShown || found.strays ? found.events : retell(run, [], end)
  }

  async function lookUp(request: RecoverRequest, signal: AbortSignal): Promise<Recovered> {
    const { name } = request.session
    // Accepted messages are listed at once: what is not there never arrived.
    const find = async () => (await findRun(request, signal)) ?? 'absent'
    const run = await lookUntil(find, { clock, forMs: recoverMs }, signal)
    if (run === undefined || run === 'absent') return { type: 'unknown' }
    const retrieve = async (target: CozeTarget) => retrieveBotChat(client, target, run, signal)
    const look = async () => {
      const chat = await withToken(tokens, name, retrieve, signal)
      return isRunning(chat) ? undefined : chat
    }
    const chat = await lookUntil(look, { clock, forMs: recoverMs }, signal)
    if (chat === undefined) return { type: 'unknown' }

    const { chatId, conversationId, toolCalls } = chat
    const ids = { chatId, conversationId }
    switch (chat.status) {
      case 'completed':
        return await findAnswer(request, chat, signal)
      case 'cancelled':
        return { type: 'found', events: retell(ids, [], { type: 'cancelled', ...ids }) }
      case 'requires-action': {
        const end = { type: 'action-required', ...ids, toolCalls } as const
        return { type: 'found', events: await listSoFar(request, run, end, signal) }
      }
      case 'failed':
        throw toRunFailure(
          chat.error ??
            new CozeError('server', 'the chat failed without a reason', { accepted: 'yes' }),
          'upstream',
        )
      case 'created':
      case 'in-progress':
        return { type: 'unknown' }
    }
  }

  return {
    kind: 'bot',
    scope: options.scope,
    layers: botLayers(bot, identityLayer(options.hasSharedToken)),
    answersByMessage: false,
    canRetrieveRuns: true,
    takesTextsOnly: true,
    readsForms: false,
    async open(run, signal) {
      const create = async (target: CozeTarget) =>
        createConversation(client, target, { botId, connectorId }, signal)
      const { id, logId } = await call(run, create, signal)
      return { type: 'id', conversationId: id, logId, isNew: true }
    },
    openAsStranger: undefined,
    opensByName: false,
    settleKeying: undefined,
    async listRevealed({ history, ...run }, signal) {
      const seeds = new Set(seedsOf(history, seedForm).map(({ text }) => text))
      const unknown = traits.hidesForeign ? 'not-readable' : 'vanished'
      return await listRevealed({ client, tokens, clock, traits }, run, seeds, unknown, signal)
    },
    async start(request, take, signal) {
      const { upstream } = request
      if (upstream.type === 'named') throw new TypeError('a Bot has no named conversations')
      const { extras, attachments: files, imageUrls } = request
      if (files.length > 0 && !bot.attachments) {
        throw new TypeError('messages to this Bot carry no files')
      }
      const keys = createRunKeys(request)
      const metaData = messageMetaData(bot.metadata, extras, keys)
      const messages = enterMessages(request, keys, { metaData, files, imageUrls }, seedForm)
      const variables = customVariables(bot, request, keys)
      await streamRun(
        {
          ...options,
          sessionName: keys.sessionName,
          send: (target, listener, takeEvents) =>
            streamBotChat(
              client,
              target,
              {
                botId,
                conversationId: upstream.conversationId,
                userId: keys.userId,
                messages,
                customVariables: variables,
                metaData,
                // Studio keeps no other `meta_data` than this, so that a run can be found whose first event was lost.
                extraParams: keys.metaData,
                connectorId,
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
    },
    async cancel({ session, upstreamConversationId: conversationId, chatId }, signal) {
      const send = async (target: CozeTarget) =>
        cancelBotChat(client, target, { chatId, conversationId }, signal)
      try {
        const chat = await withToken(tokens, session.name, send, signal)
        return chat.status === 'cancelled' ? 'agreed' : 'refused'
      } catch (error) {
        return isRefusal(error) ? 'refused' : 'not-told'
      }
    },
    async submitToolOutputs({ session, upstreamConversationId, chatId, outputs }, take, signal) {
      const request = {
        conversationId: upstreamConversationId,
        chatId,
        outputs,
        connectorId,
        timeouts,
      }
      await streamRun(
        {
          ...options,
          sessionName: session.name,
          send: (target, listener, takeEvents) =>
            streamToolOutputs(client, target, { ...request, listener }, takeEvents, signal),
        },
        take,
        signal,
      )
    },
    async recover(request, signal) {
      try {
        return await lookUp(request, signal)
      } catch (error) {
        throw asRunFailure(error)
      }
    },
  }
}

/** The platform knows better than to cancel: the chat has ended meanwhile, or is gone. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof CozeError)) return false
  const { kind } = error
  return kind === 'refused' || kind === 'conversation-gone' || kind === 'not-supported'
}

function isRunning({ status }: CozeChat): boolean {
  return status === 'created' || status === 'in-progress'
}
