import { createHash } from 'node:crypto'
import type { AssistantSettings } from '../config/sections/assistant.ts'
import type { BotSettings, WorkflowSettings } from '../config/sections/target.ts'
import type { StrategyKind } from '../domain.ts'
import type { IsolationTarget } from '../domain/isolation.ts'
import { defaultSessionParameter } from '../domain/keying.ts'

/** How an assistant may be driven. */
export function strategiesOf({ strategy }: AssistantSettings): readonly StrategyKind[] {
  return strategy === 'auto' ? ['workflow', 'bot'] : [strategy]
}

/** Everything that is isolated or not, each with what its proof holds for and what it is on the platform. */
export function isolationTargets(assistants: readonly AssistantSettings[]) {
  return assistants.flatMap((assistant) =>
    strategiesOf(assistant).map((strategy) => ({
      assistantId: assistant.id,
      strategy,
      settingsDigest: settingsDigest(assistant, strategy),
      upstream: upstreamOf(assistant, strategy),
    })),
  ) satisfies readonly IsolationTarget[]
}

/** The Workflow or Bot itself: two that differ in what is sent along, or in who signs, are one. */
function upstreamOf(assistant: AssistantSettings, strategy: StrategyKind): string {
  const { baseUrl, credentials } = assistant
  const account = credentials.type === 'oauth' ? credentials.accountId : undefined
  const section = sectionOf(assistant, strategy)
  const ids =
    'workflowId' in section ? [section.workflowId, section.appId, section.botId] : [section.botId]
  const { origin } = new URL(baseUrl)
  return JSON.stringify([origin, account, strategy, ...ids, section.connectorId])
}

/** Digest of what decides whether sessions are kept apart; a proof of other settings proves nothing. No secret is part of it. */
function settingsDigest(assistant: AssistantSettings, strategy: StrategyKind): string {
  const { baseUrl, credentials, platform } = assistant
  const identity =
    credentials.type === 'oauth'
      ? { appId: credentials.appId, accountId: credentials.accountId }
      : { type: credentials.type }
  const section = sectionOf(assistant, strategy)
  // A proof from before there was this setting holds for the cloud.
  const keying = platform === 'cloud' ? [] : [platform]
  const settings = JSON.stringify([baseUrl, identity, strategy, decisive(section), ...keying])
  return createHash('sha256').update(settings).digest('base64url')
}

/** The settings that decide, in an order that is part of the digest: a proof outlives a schema that is laid out anew. */
const workflowSettings = [
  'workflowId',
  'appId',
  'botId',
  'conversationKeying',
  'parameters',
  'messageParameters',
  'metadata',
  'messageMetadata',
  'attachmentParameter',
  'sessionParameter',
  'workflowVersion',
  'appVersion',
  'connectorId',
] as const satisfies readonly (keyof WorkflowSettings)[]
const botSettings = [
  'botId',
  'customVariables',
  'messageVariables',
  'metadata',
  'messageMetadata',
  'attachments',
  'sessionVariable',
  'connectorId',
] as const satisfies readonly (keyof BotSettings)[]

function decisive(section: WorkflowSettings | BotSettings): object {
  return 'workflowId' in section ? pick(section, workflowSettings) : pick(section, botSettings)
}

/** Without the name that is the default: a proof from before the configuration filled it in holds. */
function pick<T>(section: T, names: readonly (keyof T)[]): object {
  const settings = names.map((name) => [name, section[name]] as const)
  return Object.fromEntries(settings.filter(([, value]) => value !== defaultSessionParameter))
}

function sectionOf(
  assistant: AssistantSettings,
  strategy: StrategyKind,
): WorkflowSettings | BotSettings {
  switch (assistant.strategy) {
    case 'workflow':
      return assistant.workflow
    case 'bot':
      return assistant.bot
    case 'auto':
      return strategy === 'workflow' ? assistant.workflow : assistant.fallback
  }
}
