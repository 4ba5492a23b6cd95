import type { AssistantSettings } from '../config/sections/assistant.ts'
import type { Limits } from '../config/sections/limits.ts'
import type { Timeouts } from '../config/sections/timeouts.ts'
import type { CozeClient } from '../coze/client.ts'
import type { SignAssertion } from '../coze/assertion.ts'
import type { OAuthCredentials } from '../coze/minting.ts'
import { type SharedTokens, type TokenCredentials, createTokenResolver } from '../coze/token.ts'
import type { AssistantId, StrategyKind, AssistantInfo, Opening } from '../domain.ts'
import type { IsolationTarget, TargetVerdict } from '../domain/isolation.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { BotSettings, WorkflowSettings } from '../config/sections/target.ts'
import { createAssistantRecords, type AssistantRecords } from './records.ts'
import { createBotStrategy } from './bot.ts'
import { upstreamScope } from './keys.ts'
import { createOpeningReader, noOpening, type OpeningReader } from './opening.ts'
import { platformTraits } from './platform-traits.ts'
import {
  type Choice,
  createStrategySelector,
  type OutOfService,
  type StrategySelector,
} from './select.ts'
import { createWorkflowStrategy, ownerOf } from './workflow.ts'

export interface AssistantsOptions {
  readonly client: CozeClient
  readonly clock: Clock
  readonly random: () => number
  readonly newId: NewId
  readonly metrics: Metrics
  readonly timeouts: Timeouts
  readonly limits: Limits
  /** What is known now of how a target keeps sessions apart. */
  readonly verdictOf: (target: IsolationTarget) => TargetVerdict
  /** The access tokens that other gateways share under these credentials. Undefined: none. */
  readonly sharedTokens?: ((credentials: OAuthCredentials) => SharedTokens) | undefined
  /** Default: the token resolver's own. */
  readonly sign?: SignAssertion | undefined
}

/** The configured assistants, each with its strategies, records and access tokens. */
export interface Assistants extends AsyncDisposable {
  /** How what `begunBy` began is gone on with; undefined: the assistant is not configured. */
  strategyOf(id: AssistantId, begunBy: StrategyKind | undefined): Choice | undefined
  /** How a message is answered in a conversation that `begunBy` began, if it may be. */
  serve(id: AssistantId, begunBy: StrategyKind | undefined): Choice | OutOfService | undefined
  /**
   * What the platform keeps of its sessions, as a conversation of this kind, or else a new one, needs it. Undefined: the
   * assistant is not configured.
   */
  recordsOf(id: AssistantId, kind?: StrategyKind): AssistantRecords | undefined
  /** The opening of the assistant's Bot; an empty one where it has no Bot, or none is known. */
  openingOf(id: AssistantId): Promise<Opening>
}

/** @throws {TypeError} for an assistant whose sessions would not be kept apart. */
export function createAssistants(
  settings: readonly AssistantSettings[],
  options: AssistantsOptions,
): Assistants {
  const resources = new AsyncDisposableStack()
  const assistants = new Map(
    settings.map((assistant) => [assistant.id, createAssistant(assistant, options, resources)]),
  )
  return {
    strategyOf: (id, begunBy) => assistants.get(id)?.select.goOn(begunBy),
    serve: (id, begunBy) => assistants.get(id)?.select.serve(begunBy),
    recordsOf(id, kind) {
      const assistant = assistants.get(id)
      if (assistant === undefined) return undefined
      const { records } = assistant
      const wanted = kind ?? assistant.select.goOn(undefined).strategy.kind
      return records[wanted] ?? records.workflow ?? records.bot
    },
    openingOf: async (id) => (await assistants.get(id)?.opening?.read()) ?? noOpening,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

interface Assistant {
  readonly select: StrategySelector
  readonly records: Readonly<Partial<Record<StrategyKind, AssistantRecords>>>
  /** Undefined: it has no Bot. */
  readonly opening: OpeningReader | undefined
}

function createAssistant(
  assistant: AssistantSettings,
  options: AssistantsOptions,
  resources: AsyncDisposableStack,
): Assistant {
  const { client, clock, random, newId, metrics, timeouts, limits } = options
  const credentials = credentialsOf(assistant)
  const { workflow, bot } = targetsOf(assistant)
  const tokens = resources.use(
    createTokenResolver({
      client,
      credentials,
      clock,
      newId,
      metrics,
      maxEntries: limits.maxCachedTokens,
      maxConcurrentMints: limits.maxMintsAtOnce,
      mintTimeoutMs: timeouts.tokenMs,
      sign: options.sign,
      shared: credentials.type === 'oauth' ? options.sharedTokens?.(credentials) : undefined,
    }),
  )
  const { busyWaitMs, recoverMs, uploadMs, firstEventMs, totalMs } = timeouts
  const scope = upstreamScope(credentials)
  const hasSharedToken = credentials.type === 'shared-token'
  const traits = platformTraits[assistant.platform]
  const upstream = { client, tokens, traits }
  const common = { ...upstream, clock, random, scope, hasSharedToken, busyWaitMs, recoverMs }
  const botId = bot?.botId ?? workflow?.botId
  const forOpening = { client, tokens, clock, newId }
  const forRecords = { ...upstream, newId, uploadMs, maxUploadBytes: limits.maxUploadBytes }
  return {
    opening:
      botId === undefined
        ? undefined
        : resources.use(createOpeningReader({ ...forOpening, botId })),
    select: createStrategySelector({
      strategy: assistant.strategy,
      workflow:
        workflow &&
        createWorkflowStrategy({
          ...common,
          workflow,
          timeouts: { firstEventMs, totalMs, idleMs: timeouts.idleWorkflowMs },
        }),
      bot:
        bot &&
        createBotStrategy({
          ...common,
          bot,
          timeouts: { firstEventMs, totalMs, idleMs: timeouts.idleBotMs },
        }),
      onBreach: assistant.onBreach,
      requireProof: assistant.requireProof,
      verdictOf: (strategy) => options.verdictOf({ assistantId: assistant.id, strategy }),
    }),
    records: {
      ...(workflow && {
        workflow: createAssistantRecords({
          ...forRecords,
          owner: ownerOf(workflow),
          connectorId: workflow.connectorId,
          takesFiles: workflowTakesFiles(workflow),
        }),
      }),
      ...(bot && {
        bot: createAssistantRecords({
          ...forRecords,
          owner: { botId: bot.botId },
          connectorId: bot.connectorId,
          takesFiles: bot.attachments,
        }),
      }),
    },
  }
}

function credentialsOf({ baseUrl, credentials }: AssistantSettings): TokenCredentials {
  if (credentials.type === 'oauth') return { ...credentials, baseUrl }
  return { type: 'shared-token', token: credentials.token, baseUrl }
}

function targetsOf(assistant: AssistantSettings): {
  readonly workflow?: WorkflowSettings
  readonly bot?: BotSettings
} {
  switch (assistant.strategy) {
    case 'workflow':
      return { workflow: assistant.workflow }
    case 'bot':
      return { bot: assistant.bot }
    case 'auto':
      return { workflow: assistant.workflow, bot: assistant.fallback }
  }
}

/** What callers may know of an assistant: what its messages may carry, whichever way it is driven. */
export function infoOf(assistant: AssistantSettings): AssistantInfo {
  const { id, name, imageHosts } = assistant
  switch (assistant.strategy) {
    case 'workflow':
      return { id, name, imageHosts, ...workflowTakes(assistant.workflow) }
    case 'bot':
      return { id, name, imageHosts, ...botTakes(assistant.bot) }
    case 'auto': {
      const workflow = workflowTakes(assistant.workflow)
      const bot = botTakes(assistant.fallback)
      const both = (some: readonly string[], others: readonly string[]) =>
        some.filter((one) => others.includes(one))
      return {
        id,
        name,
        imageHosts,
        parameterNames: both(workflow.parameterNames, bot.parameterNames),
        metadataNames: both(workflow.metadataNames, bot.metadataNames),
        acceptsAttachments: workflow.acceptsAttachments && bot.acceptsAttachments,
      }
    }
  }
}

function workflowTakesFiles({ attachmentParameter }: WorkflowSettings): boolean {
  return attachmentParameter !== undefined
}

type Takes = Omit<AssistantInfo, 'id' | 'name' | 'imageHosts'>

function workflowTakes(workflow: WorkflowSettings): Takes {
  return {
    parameterNames: workflow.messageParameters,
    metadataNames: workflow.messageMetadata,
    acceptsAttachments: workflowTakesFiles(workflow),
  }
}

function botTakes(bot: BotSettings): Takes {
  return {
    parameterNames: bot.messageVariables,
    metadataNames: bot.messageMetadata,
    acceptsAttachments: bot.attachments,
  }
}
