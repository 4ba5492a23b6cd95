/** The start parameter by which the platform binds a run to a conversation. */
export const conversationParameter = 'CONVERSATION_NAME'
/** What receives the session's name where the configuration names nothing else. */
export const defaultSessionParameter = 'SESSION_NAME'
/** Names of `meta_data` entries by which the gateway tells its runs, and what they brought, from others. */
export const replyKey = 'reply_id'
export const historyKey = 'history_of'
export const reservedMetadata: ReadonlySet<string> = new Set([replyKey, historyKey])

/** Start parameters that the gateway sets, whatever the configuration names, and why nobody else may. */
const reservedParameters: ReadonlyMap<string, string> = new Map([
  [conversationParameter, 'would put all sessions into one conversation: the gateway sets it'],
  ['USER_INPUT', 'is the message: the gateway sets it'],
])

/** The part of a Workflow's configuration that decides whether its sessions are kept apart. */
export interface WorkflowKeying {
  readonly appId?: unknown
  readonly botId?: unknown
  readonly conversationKeying: unknown
  readonly parameters: Readonly<Record<string, unknown>>
  readonly messageParameters: readonly unknown[]
  readonly attachmentParameter?: string | undefined
  readonly sessionParameter: string
}

/** The same of a Bot's. */
export interface BotKeying {
  readonly customVariables: Readonly<Record<string, unknown>>
  readonly messageVariables: readonly unknown[]
  readonly sessionVariable: string
}

export interface KeyingProblem {
  /** Where in the section. Empty: the section itself. */
  readonly path: readonly string[]
  /** Goes on from the name of what the path leads to. */
  readonly message: string
}

/** What would leave a layer of a Workflow unkeyed by the session. Empty: it may start. */
export function findWorkflowProblems(workflow: WorkflowKeying): readonly KeyingProblem[] {
  const { appId, botId, parameters, sessionParameter, attachmentParameter } = workflow
  const found: KeyingProblem[] = []
  if ((appId === undefined) === (botId === undefined)) {
    found.push({ path: [], message: 'needs exactly one of "appId" and "botId"' })
  }
  if (workflow.conversationKeying === 'name' && appId === undefined) {
    found.push({ path: ['conversationKeying'], message: '"name" works with "appId" only' })
  }
  for (const name of new Set([sessionParameter, ...reservedParameters.keys()])) {
    if (!Object.hasOwn(parameters, name)) continue
    const message = reservedParameters.get(name) ?? 'is set to the session, by "sessionParameter"'
    found.push({ path: ['parameters', name], message })
  }
  const kept = keptParameters(workflow)
  for (const [index, name] of workflow.messageParameters.entries()) {
    if (typeof name !== 'string' || !kept.has(name)) continue
    found.push({ path: ['messageParameters', String(index)], message: 'is set by the gateway' })
  }
  if (attachmentParameter !== undefined) {
    if (reservedParameters.has(attachmentParameter) || attachmentParameter === sessionParameter) {
      const message = 'is a parameter that the gateway sets otherwise'
      found.push({ path: ['attachmentParameter'], message })
    }
  }
  if (sessionParameter === '' || reservedParameters.has(sessionParameter)) {
    const message = 'is a parameter that the platform reserves'
    found.push({ path: ['sessionParameter'], message })
  }
  return found
}

/** What would leave a layer of a Bot unkeyed by the session. Empty: it may start. */
export function findBotProblems(bot: BotKeying): readonly KeyingProblem[] {
  const { customVariables, messageVariables, sessionVariable } = bot
  const message = 'is set to the session, by "sessionVariable"'
  const found: KeyingProblem[] = []
  if (messageVariables.includes(sessionVariable))
    found.push({ path: ['messageVariables'], message })
  if (Object.hasOwn(customVariables, sessionVariable)) {
    found.push({ path: ['customVariables', sessionVariable], message })
  }
  if (sessionVariable === '') found.push({ path: ['sessionVariable'], message: 'cannot be empty' })
  return found
}

/** Start parameters that no message may set. */
export function keptParameters({
  sessionParameter,
  attachmentParameter,
}: Pick<WorkflowKeying, 'sessionParameter' | 'attachmentParameter'>): ReadonlySet<string> {
  const kept = new Set([...reservedParameters.keys(), sessionParameter])
  if (attachmentParameter !== undefined) kept.add(attachmentParameter)
  return kept
}
