import { createHmac } from 'node:crypto'
import type { CozeCredentials } from '../coze/token.ts'
import type { UpstreamScope } from '../domain.ts'
import type { BotOptions, WorkflowOptions } from './assistant-options.ts'
import type { RunContext } from './strategy.ts'

/** What keys one call in every layer where the platform could mix sessions (design.md §6). */
export interface RunKeys {
  /** Identity: the token is minted for it. Declared in the body as well. */
  readonly sessionName: string
  /** Variables and databases: `user_id`. */
  readonly userId: string
  /** A conversation's name where a call obtains it: unguessable, never one of the platform's templates. */
  readonly conversationName: string
  /**
   * The same where the run itself obtains it. No two messages have one, whatever the store or a run has lost: what was said
   * under it before was said by somebody else.
   */
  readonly runName: string
  /** Reconciliation: the `meta_data` of the user's message, which tells our run from others. */
  readonly metaData: Readonly<Record<string, string>>
  /** The `meta_data` of older messages sent along, which tells them from answers of this run. */
  readonly historyMetaData: Readonly<Record<string, string>>
}

/** Names of `meta_data` entries. */
export const replyKey = 'reply_id'
export const historyKey = 'history_of'

/** Keys every layer from the session and from what is stored under it; nothing a caller writes is part of it. */
export function createRunKeys(run: RunContext): RunKeys {
  const { session, conversationId, generation, replyId } = run
  const nameOf = (...parts: readonly unknown[]) =>
    createHmac('sha256', session.name).update(JSON.stringify(parts)).digest('hex')
  return {
    sessionName: session.name,
    userId: session.name,
    // Made when asked for: most runs go on in a conversation that is known by its id.
    get conversationName() {
      return nameOf(conversationId, generation)
    },
    get runName() {
      return nameOf(conversationId, generation, replyId)
    },
    metaData: { [replyKey]: replyId },
    historyMetaData: { [historyKey]: replyId },
  }
}

/** Names the account whose conversation ids the credentials reach. */
export function upstreamScope(credentials: CozeCredentials): UpstreamScope {
  const { origin } = new URL(credentials.baseUrl)
  const account = credentials.type === 'oauth' ? (credentials.accountId ?? '') : ''
  return { origin, account }
}

/** The part of an assistant's configuration that decides whether its sessions are kept apart. */
export interface AssistantKeying {
  readonly credentials: Pick<CozeCredentials, 'type'>
  /** The operator accepts one upstream identity for all sessions. */
  readonly allowSharedToken: boolean
  readonly workflow?: WorkflowOptions | undefined
  readonly bot?: BotOptions | undefined
}

/** A sentence for each layer that would not be keyed by the session. Empty: the assistant may start. */
export function findUnkeyedLayers(assistant: AssistantKeying): readonly string[] {
  const { credentials, allowSharedToken, workflow, bot } = assistant
  const found: string[] = []
  if (credentials.type === 'shared-token' && !allowSharedToken) {
    found.push(
      'identity: a shared token is one upstream identity for all sessions; use an OAuth app, or accept it with "allowSharedToken"',
    )
  }
  if (workflow !== undefined) found.push(...findUnkeyedWorkflowLayers(workflow))
  if (bot !== undefined) found.push(...findUnkeyedBotLayers(bot))
  return found
}

export function findUnkeyedWorkflowLayers(workflow: WorkflowOptions): readonly string[] {
  const { appId, botId, conversationKeying, parameters = {} } = workflow
  const { messageParameters = [], attachmentParameter } = workflow
  const sessionParameter = workflow.sessionParameter ?? defaultSessionParameter
  const found: string[] = []
  if ((appId === undefined) === (botId === undefined)) {
    found.push('conversation: exactly one of "appId" and "botId" must own the conversations')
  }
  if (conversationKeying === 'name' && appId === undefined) {
    found.push('conversation: names work with "appId" only')
  }
  if (Object.hasOwn(parameters, conversationParameter)) {
    found.push(
      `conversation: the parameter "${conversationParameter}" would put all sessions into one conversation`,
    )
  }
  if (sessionParameter === '' || reserved.includes(sessionParameter)) {
    found.push(`knowledge: "${sessionParameter}" cannot be the parameter that names the session`)
  } else if (Object.hasOwn(parameters, sessionParameter)) {
    found.push(
      `knowledge: the parameter "${sessionParameter}" names the session and cannot be configured`,
    )
  }
  const kept = keptParameters(workflow)
  for (const name of messageParameters) {
    if (kept.has(name)) found.push(`knowledge: a message may not set the parameter "${name}"`)
  }
  if (attachmentParameter === sessionParameter || reserved.includes(attachmentParameter ?? '')) {
    found.push(`knowledge: the parameter "${attachmentParameter}" cannot receive files`)
  }
  return found
}

/** Start parameters that only we set. */
export function keptParameters(workflow: WorkflowOptions): ReadonlySet<string> {
  const { sessionParameter = defaultSessionParameter, attachmentParameter } = workflow
  return new Set([...reserved, sessionParameter, attachmentParameter ?? sessionParameter])
}

export function findUnkeyedBotLayers(bot: BotOptions): readonly string[] {
  const { customVariables = {}, messageVariables = [] } = bot
  const { sessionVariable = defaultSessionParameter } = bot
  if (sessionVariable === '') return ['knowledge: "sessionVariable" cannot be empty']
  const isSet =
    Object.hasOwn(customVariables, sessionVariable) || messageVariables.includes(sessionVariable)
  return isSet
    ? [`knowledge: the variable "${sessionVariable}" names the session and cannot be configured`]
    : []
}

/** The start parameter by which the platform binds a run to a conversation (coze-api.md §4.3). */
export const conversationParameter = 'CONVERSATION_NAME'
export const defaultSessionParameter = 'SESSION_NAME'
const reserved: readonly string[] = [conversationParameter, 'USER_INPUT']
