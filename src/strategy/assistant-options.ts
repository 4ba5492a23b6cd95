/** A Workflow and how its sessions are kept apart. Exactly one of `appId` and `botId`. */
export interface WorkflowOptions {
  readonly workflowId: string
  readonly appId?: string | undefined
  readonly botId?: string | undefined
  /**
   * How a conversation is obtained. `create`: by a call before the first message. `name`: by an unguessable
   * `CONVERSATION_NAME`, with `appId` only. `auto`: `create` until the platform refuses that call, then `name`.
   */
  readonly conversationKeying: 'create' | 'name' | 'auto'
  /** Start parameters sent with every message. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
  /** Start parameters that a message may set. */
  readonly messageParameters?: readonly string[] | undefined
  /** `meta_data` of every message. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** The start parameter that receives a message's files; undefined: messages carry none. */
  readonly attachmentParameter?: string | undefined
  /** The start parameter that receives the session's name, for filters of knowledge. Default `SESSION_NAME`. */
  readonly sessionParameter?: string | undefined
  readonly connectorId?: string | undefined
  readonly workflowVersion?: string | undefined
  readonly appVersion?: string | undefined
}

/** A Bot and how its sessions are kept apart. */
export interface BotOptions {
  readonly botId: string
  /** Custom variables sent with every message. */
  readonly customVariables?: Readonly<Record<string, string>> | undefined
  /** Custom variables that a message may set. */
  readonly messageVariables?: readonly string[] | undefined
  /** `meta_data` of every message. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Whether messages may carry files. Default true. */
  readonly attachments?: boolean | undefined
  /** The custom variable that receives the session's name. Default `SESSION_NAME`. */
  readonly sessionVariable?: string | undefined
  readonly connectorId?: string | undefined
}
