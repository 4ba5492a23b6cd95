import type { AssistantSettings } from '../config/sections/assistant.ts'
import type { StrategyKind } from '../domain.ts'
import { RunFailedError } from '../strategy/run-failure.ts'

/** A sentence for operators: what is wrong, the page of the console where it is mended, and the ids for support. */
export function adviseOnFailure(
  error: Error,
  assistant: AssistantSettings,
  strategy: StrategyKind,
): string {
  if (!(error instanceof RunFailedError)) return error.message
  const { failure, hint, upstreamCode, logId, upstream } = error
  const page = pageFor(error, assistant, strategy)
  const open = page === undefined ? '' : `; open ${page}`
  const facts = [
    upstream && `${upstream.call} at ${upstream.host}`,
    upstream?.systemCode,
    upstream?.httpStatus === undefined ? undefined : `HTTP ${upstream.httpStatus}`,
    upstreamCode === undefined ? undefined : `code ${upstreamCode}`,
    logId === undefined ? undefined : `log id ${logId}`,
  ].filter((fact) => fact !== undefined)
  const support = facts.length === 0 ? '' : ` (${facts.join(', ')})`
  return `${hint ?? failure.message}${open}${support}`
}

/** The page of the platform's console where the mistake is mended, or undefined if none is known. */
function pageFor(
  { failure, misconfiguration }: RunFailedError,
  { baseUrl, platform, credentials }: AssistantSettings,
  strategy: StrategyKind,
): string | undefined {
  const site = consoleOf(baseUrl)
  const editor =
    strategy === 'workflow'
      ? `the Workflow's editor (${site} › workspace 工作空间 › resource library 资源库 or the app)`
      : `the Bot's editor (${site} › workspace 工作空间 › development 项目开发)`
  const identity =
    platform === 'studio'
      ? `the page of personal access tokens (${site} › account › API authorization API 授权)`
      : credentials.type === 'token'
        ? `the page of personal access tokens (${site}/open/oauth/pats)`
        : `the page of OAuth apps (${site}/open/oauth/apps)`
  switch (misconfiguration) {
    case 'unpublished':
      return `${editor}, whose address holds the id, and publish it (发布) to the API channel`
    case 'unknown':
      return `${editor}, whose address holds the id`
    case 'forbidden':
      return `${identity}, and give it the workspace and the permission`
    case 'parameters':
      return `${editor}, and look at the parameters of its start node (开始节点)`
    case 'workflow':
    case 'model':
      return editor
    case 'conversation-name':
    case 'user-name':
    case 'no-oauth':
      return undefined
    case undefined:
      return failure.code === 'UPSTREAM_AUTH' ? identity : undefined
  }
}

/** The console of Coze's cloud has another host name than its API. A Studio has one host name for both. */
function consoleOf(baseUrl: string): string {
  return new URL(baseUrl).origin.replace('https://api.coze.', 'https://www.coze.')
}
