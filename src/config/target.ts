import { z } from 'zod'
import type { JsonValue } from '../domain.ts'

export interface WorkflowSettings {
  readonly workflowId: string
  /** Exactly one of `appId` and `botId` is set. */
  readonly appId?: string | undefined
  readonly botId?: string | undefined
  readonly conversationKeying: 'create' | 'name' | 'auto'
  /** Start parameters sent with every message. */
  readonly parameters: Readonly<Record<string, JsonValue>>
  /** Start parameters that a message may set. */
  readonly messageParameters: readonly string[]
  /** `meta_data` of every message, and the names that a message may set. */
  readonly metadata: Readonly<Record<string, string>>
  readonly messageMetadata: readonly string[]
  /** The start parameter that receives a message's files, as a list; undefined: messages carry none. */
  readonly attachmentParameter?: string | undefined
  /** The start parameter that receives the session's name, for filters of knowledge. */
  readonly sessionParameter?: string | undefined
  readonly workflowVersion?: string | undefined
  readonly appVersion?: string | undefined
  readonly connectorId?: string | undefined
}

export interface BotSettings {
  readonly botId: string
  /** Custom variables sent with every message. */
  readonly customVariables: Readonly<Record<string, string>>
  /** Custom variables that a message may set. */
  readonly messageVariables: readonly string[]
  /** `meta_data` of every message, and the names that a message may set. */
  readonly metadata: Readonly<Record<string, string>>
  readonly messageMetadata: readonly string[]
  /** Whether messages may carry files. Default true. */
  readonly attachments: boolean
  /** The custom variable that receives the session's name. */
  readonly sessionVariable?: string | undefined
  readonly connectorId?: string | undefined
}

/** Coze's ids exceed what a JavaScript number holds exactly. */
export const cozeId = z
  .string({ error: 'must be text in quotes: Coze ids do not fit in a number' })
  .regex(/^[\w.-]{1,128}$/, { error: 'must be an id alone: no address, no spaces' })
const variableName = z.string().min(1).max(128)
/** The platform takes 16 pairs (coze-api.md §6); ours is one of them. */
const maxMetadata = 15
const metadataName = z
  .string()
  .min(1)
  .max(64)
  .refine((name) => !reservedMetadata.includes(name), { error: 'is set by the gateway' })
const reservedMetadata: readonly string[] = ['reply_id', 'history_of']
const metadataSchema = z
  .record(metadataName, z.string().min(1).max(512))
  .refine((pairs) => Object.keys(pairs).length <= maxMetadata, {
    error: `may have ${maxMetadata} entries`,
  })
export const workflowSchema = z
  .strictObject({
    workflowId: cozeId,
    appId: cozeId.optional(),
    botId: cozeId.optional(),
    conversationKeying: z.enum(['create', 'name', 'auto']).default('auto'),
    parameters: z.record(variableName, z.json()).default({}),
    messageParameters: z.array(variableName).default([]),
    metadata: metadataSchema.default({}),
    messageMetadata: z.array(metadataName).max(maxMetadata).default([]),
    attachmentParameter: variableName.optional(),
    sessionParameter: variableName.optional(),
    workflowVersion: z.string().min(1).optional(),
    appVersion: z.string().min(1).optional(),
    connectorId: cozeId.optional(),
  })
  .superRefine(
    (workflow, context) => {
      const { appId, botId, parameters, attachmentParameter } = workflow
      const { sessionParameter = defaultSessionParameter } = workflow
      checkMetadata(workflow, context)
      const at = (path: string[], message: string) =>
        context.addIssue({ code: 'custom', path, message })
      if ((appId === undefined) === (botId === undefined)) {
        at([], 'needs exactly one of "appId" and "botId"')
      }
      if (workflow.conversationKeying === 'name' && appId === undefined) {
        at(['conversationKeying'], '"name" works with "appId" only')
      }
      for (const name of reservedNames(parameters, [
        sessionParameter,
        'CONVERSATION_NAME',
        'USER_INPUT',
      ])) {
        at(['parameters', name], reserved[name] ?? 'is set to the session, by "sessionParameter"')
      }
      for (const [index, name] of namesIn(workflow.messageParameters).entries()) {
        const isTaken =
          (typeof name === 'string' && name in reserved) ||
          name === sessionParameter ||
          name === attachmentParameter
        if (isTaken) at(['messageParameters', String(index)], 'is set by the gateway')
      }
      if (attachmentParameter !== undefined) {
        if (attachmentParameter in reserved || attachmentParameter === sessionParameter) {
          at(['attachmentParameter'], 'is a parameter that the gateway sets otherwise')
        }
      }
      if (sessionParameter in reserved) {
        at(['sessionParameter'], 'is a parameter that the platform reserves')
      }
    },
    { when: ({ value }) => isObject(value) },
  )

/** What receives the session's name if nothing else is named. */
const defaultSessionParameter = 'SESSION_NAME'

const reserved: Readonly<Record<string, string>> = {
  CONVERSATION_NAME: 'would put all sessions into one conversation: the gateway sets it',
  USER_INPUT: 'is the message: the gateway sets it',
}

export const botSchema = z
  .strictObject({
    botId: cozeId,
    customVariables: z.record(variableName, z.string()).default({}),
    messageVariables: z.array(variableName).default([]),
    metadata: metadataSchema.default({}),
    messageMetadata: z.array(metadataName).max(maxMetadata).default([]),
    attachments: z.boolean().default(true),
    sessionVariable: variableName.optional(),
    connectorId: cozeId.optional(),
  })
  .superRefine(
    (bot, context) => {
      const { customVariables, messageVariables } = bot
      const { sessionVariable = defaultSessionParameter } = bot
      checkMetadata(bot, context)
      if (namesIn(messageVariables).includes(sessionVariable)) {
        const message = 'is set to the session, by "sessionVariable"'
        context.addIssue({ code: 'custom', path: ['messageVariables'], message })
      }
      for (const name of reservedNames(customVariables, [sessionVariable])) {
        const message = 'is set to the session, by "sessionVariable"'
        context.addIssue({ code: 'custom', path: ['customVariables', name], message })
      }
    },
    { when: ({ value }) => isObject(value) },
  )

/** What a message may add to the configured pairs must fit as well. */
function checkMetadata(
  section: { readonly metadata?: unknown; readonly messageMetadata?: unknown },
  context: z.RefinementCtx,
): void {
  const configured = isObject(section.metadata) ? Object.keys(section.metadata) : []
  const all = new Set([...configured, ...namesIn(section.messageMetadata)])
  if (all.size <= maxMetadata) return
  const message = `has, together with "metadata", more than ${maxMetadata} names`
  context.addIssue({ code: 'custom', path: ['messageMetadata'], message })
}

function reservedNames(
  given: Readonly<Record<string, unknown>> | undefined,
  names: readonly (string | undefined)[],
): readonly string[] {
  return isObject(given)
    ? names.filter((name) => name !== undefined).filter((name) => Object.hasOwn(given, name))
    : []
}

function namesIn(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : []
}

/** Cross-checks run even when a field is wrong, so that all problems are told at once. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
