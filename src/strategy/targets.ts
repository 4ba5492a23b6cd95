import { createHash } from 'node:crypto'
import type { AssistantSettings } from '../config/assistant.ts'
import type { StrategyKind } from '../domain.ts'
import type { IsolationTarget } from '../domain/isolation.ts'

/** How an assistant may be driven. */
export function strategiesOf({ strategy }: AssistantSettings): readonly StrategyKind[] {
  return strategy === 'auto' ? ['workflow', 'bot'] : [strategy]
}

/** Everything that is isolated or not, each with what its proof holds for. */
export function isolationTargets(
  assistants: readonly AssistantSettings[],
): readonly (IsolationTarget & { readonly settingsDigest: string })[] {
  return assistants.flatMap((assistant) =>
    strategiesOf(assistant).map((strategy) => ({
      assistantId: assistant.id,
      strategy,
      settingsDigest: settingsDigest(assistant, strategy),
    })),
  )
}

/** Of what decides whether sessions are kept apart; a proof of other settings proves nothing. No secret is part of it. */
function settingsDigest(assistant: AssistantSettings, strategy: StrategyKind): string {
  const { baseUrl, credentials } = assistant
  const identity =
    credentials.type === 'oauth'
      ? { appId: credentials.appId, accountId: credentials.accountId }
      : { type: credentials.type }
  const settings = JSON.stringify([baseUrl, identity, strategy, sectionOf(assistant, strategy)])
  return createHash('sha256').update(settings).digest('base64url')
}

function sectionOf(assistant: AssistantSettings, strategy: StrategyKind): object {
  switch (assistant.strategy) {
    case 'workflow':
      return assistant.workflow
    case 'bot':
      return assistant.bot
    case 'auto':
      return strategy === 'workflow' ? assistant.workflow : assistant.fallback
  }
}
