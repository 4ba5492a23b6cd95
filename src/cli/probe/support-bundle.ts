import type { AssistantSettings } from '../../config/sections/assistant.ts'
import type { ProbeReport } from '../../domain/probe.ts'

/** A step of a probe and its time. */
export interface TimelineEntry {
  /** ms since the epoch. */
  readonly at: number
  readonly step: string
}

/** The report for the platform's support. It contains no token, key, secret or text. */
export interface Bundle {
  readonly about: string
  readonly assistants: readonly object[]
  /** The form in which each request names its session, without the names. */
  readonly requests: Readonly<Record<string, string>>
  readonly reports: readonly ProbeReport[]
  readonly timeline: readonly TimelineEntry[]
}

export function createBundle(
  assistants: readonly AssistantSettings[],
  reports: readonly ProbeReport[],
  timeline: readonly TimelineEntry[],
): Bundle {
  const probed = new Set(reports.map(({ assistantId }) => assistantId))
  return {
    about: 'Findings of coze-graphql-gateway: whether sessions of one assistant are kept apart.',
    assistants: assistants.filter(({ id }) => probed.has(id)).map(describe),
    requests: {
      'POST /api/permission/oauth2/token': 'a JWT with "session_name": <name of the session>',
      'POST /v1/conversation/create':
        'a conversation of the session, under an unguessable name for an app, before any text',
      'POST /v1/workflows/chat':
        '"conversation_id": <of the session>, "ext": { "user_id": <name of the session> }, "parameters": { "SESSION_NAME": <name of the session> }',
      'POST /v3/chat?conversation_id=<of the session>':
        '"user_id": <name of the session>, "custom_variables": { "SESSION_NAME": <name of the session> }',
    },
    reports,
    timeline,
  }
}

/** The bundle as JSON, with times in ISO 8601. */
export function bundleAsJson(bundle: Bundle): string {
  const isTime = (key: string) => ['at', 'startedAt', 'endedAt'].includes(key)
  const show = (key: string, value: unknown) =>
    isTime(key) && typeof value === 'number' ? time(value) : value
  return `${JSON.stringify(bundle, show, 2)}\n`
}

export function bundleAsMarkdown(bundle: Bundle): string {
  const { about, assistants, requests, reports, timeline } = bundle
  return [
    `# ${about}`,
    '## Assistants',
    ...assistants.map(
      (assistant) => `\`\`\`json\n${JSON.stringify(assistant, undefined, 2)}\n\`\`\``,
    ),
    '## How requests name their session',
    table(['request', 'carries'], Object.entries(requests)),
    ...reports.flatMap(reportAsMarkdown),
    '## Time line',
    table(
      ['at', 'step'],
      timeline.map(({ at, step }) => [time(at), step]),
    ),
    '',
  ].join('\n\n')
}

function reportAsMarkdown(report: ProbeReport): readonly string[] {
  const { assistantId, strategy, verdict, startedAt, endedAt, calls, findings } = report
  return [
    `## ${assistantId} as a ${strategy}: ${verdict}`,
    `${time(startedAt)} to ${time(endedAt)}, ${calls} upstream calls.`,
    table(
      ['layer', 'verdict', 'reason', 'cause', 'remedy', 'log ids'],
      findings.map(({ layer, verdict: found, reason, cause, remedy, evidence }) => [
        layer,
        found,
        reason,
        cause ?? '',
        remedy ?? '',
        evidence.flatMap(({ logIds }) => logIds).join(' '),
      ]),
    ),
    table(
      ['at', 'session', 'conversation_id', 'chat_id', 'log id', 'events'],
      report.exchanges.map(({ at, session, conversationId, chatId, logId, events }) => [
        time(at),
        String(session),
        conversationId,
        chatId,
        logId ?? '',
        events,
      ]),
    ),
    ...report.remains,
  ]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function time(at: number): string {
  return new Date(at).toISOString()
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
