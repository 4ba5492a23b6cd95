import type { AssistantSettings } from '../config/assistant.ts'
import type { Limits } from '../config/limits.ts'
import type { Timeouts } from '../config/timeouts.ts'
import type { CozeClient } from '../coze/client.ts'
import { type CozeCredentials, createTokenResolver, type SignAssertion } from '../coze/token.ts'
import type { AssistantId, StrategyKind } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { BotOptions, WorkflowOptions } from './assistant-options.ts'
import { createBotStrategy } from './bot.ts'
import { findUnkeyedLayers, upstreamScope } from './keys.ts'
import { createStrategySelector } from './select.ts'
import type { ChatStrategy } from './strategy.ts'
import { createWorkflowStrategy } from './workflow.ts'

export interface AssistantsOptions {
  readonly client: CozeClient
  readonly clock: Clock
  readonly random: () => number
  readonly newId: NewId
  readonly metrics: Metrics
  readonly timeouts: Timeouts
  readonly limits: Limits
  /** Default: the token resolver's own. */
  readonly sign?: SignAssertion | undefined
}

/** The configured assistants, each with its strategies and access tokens. */
export interface Assistants extends AsyncDisposable {
  /** How a conversation that `begunBy` began is driven; undefined: the assistant is not configured. */
  strategyOf(id: AssistantId, begunBy: StrategyKind | undefined): ChatStrategy | undefined
}

/** @throws {TypeError} naming each layer of an assistant that would not be keyed by the session. */
export function createAssistants(
  settings: readonly AssistantSettings[],
  options: AssistantsOptions,
): Assistants {
  const resources = new AsyncDisposableStack()
  const selectors = new Map(
    settings.map((assistant) => [assistant.id, createSelector(assistant, options, resources)]),
  )
  return {
    strategyOf: (id, begunBy) => selectors.get(id)?.(begunBy),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

function createSelector(
  assistant: AssistantSettings,
  options: AssistantsOptions,
  resources: AsyncDisposableStack,
) {
  const { client, clock, random, newId, metrics, timeouts, limits, sign } = options
  const credentials = credentialsOf(assistant)
  const { workflow, bot } = targetsOf(assistant, timeouts)
  // The configuration takes a shared token only where it is allowed.
  const unkeyed = findUnkeyedLayers({ credentials, allowSharedToken: true, workflow, bot })
  if (unkeyed.length > 0) {
    throw new TypeError(
      `assistant "${assistant.id}" does not keep sessions apart: ${unkeyed.join('; ')}`,
    )
  }
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
      sign,
    }),
  )
  const { busyWaitMs, recoverMs } = timeouts
  const scope = upstreamScope(credentials)
  const common = { client, tokens, clock, random, scope, busyWaitMs, recoverMs }
  return createStrategySelector({
    strategy: assistant.strategy,
    workflow: workflow && createWorkflowStrategy({ ...common, workflow }),
    bot: bot && createBotStrategy({ ...common, bot }),
  })
}

function credentialsOf({ baseUrl, credentials }: AssistantSettings): CozeCredentials {
  if (credentials.type === 'oauth') return { ...credentials, baseUrl }
  return { type: 'shared-token', token: credentials.token, baseUrl }
}

function targetsOf(
  assistant: AssistantSettings,
  timeouts: Timeouts,
): { readonly workflow?: WorkflowOptions; readonly bot?: BotOptions } {
  const { firstEventMs, totalMs, idleBotMs, idleWorkflowMs } = timeouts
  const forWorkflow = { firstEventMs, totalMs, idleMs: idleWorkflowMs }
  const forBot = { firstEventMs, totalMs, idleMs: idleBotMs }
  switch (assistant.strategy) {
    case 'workflow':
      return { workflow: { ...assistant.workflow, timeouts: forWorkflow } }
    case 'bot':
      return { bot: { ...assistant.bot, timeouts: forBot } }
    case 'auto':
      return {
        workflow: { ...assistant.workflow, timeouts: forWorkflow },
        bot: { ...assistant.fallback, timeouts: forBot },
      }
  }
}
