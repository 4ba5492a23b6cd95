import type { Config } from '../config.ts'
import type { AssistantSettings } from '../config/assistant.ts'
import type { ProbeReport } from '../domain/probe.ts'

/** A step of a probe, and when it was. */
export interface TimelineEntry {
  /** ms since the epoch. */
  readonly at: number
  readonly step: string
}

/**
 * What the platform's support needs, as JSON: ids of what was called, when, and what came of it. No token, key, secret or
 * text of anybody is in it.
 */
export function createBundle(
  { assistants }: Pick<Config, 'assistants'>,
  reports: readonly ProbeReport[],
  timeline: readonly TimelineEntry[],
): string {
  const probed = new Set(reports.map(({ assistantId }) => assistantId))
  const bundle = {
    about: 'Findings of coze-graphql-gateway: whether sessions of one assistant are kept apart.',
    assistants: assistants.filter(({ id }) => probed.has(id)).map(describe),
    reports: reports.map(({ startedAt, endedAt, findings, ...report }) => ({
      ...report,
      startedAt: new Date(startedAt).toISOString(),
      endedAt: new Date(endedAt).toISOString(),
      findings: findings.map(({ evidence, ...finding }) => ({
        ...finding,
        evidence: evidence.map(({ at, ...more }) => ({ at: new Date(at).toISOString(), ...more })),
      })),
    })),
    timeline: timeline.map(({ at, step }) => ({ at: new Date(at).toISOString(), step })),
    requests: {
      identity: 'OAuth JWT with a session_name of its own for each session',
      conversation: 'created or named for each session before any text is sent',
      variables: 'user_id (ext.user_id) is the session_name',
      knowledge: 'SESSION_NAME is the session_name',
    },
  }
  return `${JSON.stringify(bundle, undefined, 2)}\n`
}

function describe(assistant: AssistantSettings): object {
  const { id, baseUrl, credentials, strategy } = assistant
  const workflow = assistant.strategy === 'bot' ? undefined : assistant.workflow
  const bot =
    assistant.strategy === 'workflow'
      ? undefined
      : assistant.strategy === 'bot'
        ? assistant.bot
        : assistant.fallback
  return {
    id,
    strategy,
    baseUrl,
    credentials: credentials.type,
    ...(workflow && {
      workflow: {
        workflowId: workflow.workflowId,
        appId: workflow.appId,
        botId: workflow.botId,
        conversationKeying: workflow.conversationKeying,
        connectorId: workflow.connectorId,
        workflowVersion: workflow.workflowVersion,
        appVersion: workflow.appVersion,
      },
    }),
    ...(bot && { bot: { botId: bot.botId, connectorId: bot.connectorId } }),
  }
}
