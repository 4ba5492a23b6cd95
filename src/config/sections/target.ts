import { z } from 'zod'
import type { JsonValue } from '../../domain.ts'
import {
  defaultSessionParameter,
  findBotProblems,
  findWorkflowProblems,
  type KeyingProblem,
  reservedMetadata,
} from '../../domain/keying.ts'

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
  /** The start parameter that receives the files of a message, as a list. Undefined: messages have no files. */
  readonly attachmentParameter?: string | undefined
  /** The start parameter that receives the session's name, for filters of a knowledge base. */
  readonly sessionParameter: string
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
  /** Whether messages may have files. */
  readonly attachments: boolean
  /** The custom variable that receives the session's name. */
  readonly sessionVariable: string
  readonly connectorId?: string | undefined
}

/** Coze's ids exceed what a JavaScript number holds exactly. */
export const cozeId = z
  .string({ error: 'must be text in quotes: Coze ids do not fit in a number' })
  .regex(/^[\w.-]{1,128}$/, { error: 'must be an id alone: no address, no spaces' })
const variableName = z.string().min(1).max(128)
/** The platform takes 16 pairs (docs/coze-platform.md#bot-chat), and the gateway uses one of them. */
const maxMetadata = 15
const metadataName = z
  .string()
  .min(1)
  .max(64)
  .refine((name) => !reservedMetadata.has(name), { error: 'is set by the gateway' })
const metadataSchema = z
  .record(metadataName, z.string().min(1).max(512))
  .refine((pairs) => Object.keys(pairs).length <= maxMetadata, {
    error: `may have ${maxMetadata} entries`,
  })
const common = {
  metadata: metadataSchema.default({}).meta({
    description: '`meta_data` of every message: at most 15 pairs of texts.',
  }),
  messageMetadata: z.array(metadataName).max(maxMetadata).default([]).meta({
    description: 'Names of `meta_data` that a message may set.',
  }),
  connectorId: cozeId.optional().meta({
    description: 'The channel that it is published to. The default is the API channel.',
  }),
}

export const workflowSchema = z
  .strictObject({
    workflowId: cozeId.meta({ description: 'Id of the Workflow, from the address of its editor.' }),
    appId: cozeId.optional().meta({
      description:
        'Id of the app that the Workflow belongs to. Exactly one of `appId` and `botId` is needed.',
    }),
    botId: cozeId.optional().meta({
      description: 'Id of the Bot that the Workflow is run with, instead of `appId`.',
    }),
    conversationKeying: z.enum(['create', 'name', 'auto']).default('auto').meta({
      description:
        'How an upstream conversation is obtained: by a call (`create`), or by `CONVERSATION_NAME` (`name`, with `appId` only). `auto` uses calls, and changes to names if the platform does not find the created conversations.',
    }),
    parameters: z.record(variableName, z.json()).default({}).meta({
      description: 'Start parameters that are sent with every message.',
    }),
    messageParameters: z.array(variableName).default([]).meta({
      description: 'Start parameters that a message may set.',
    }),
    attachmentParameter: variableName.optional().meta({
      description:
        'The start parameter that receives the files of a message, as a list. Left out, messages have no files.',
    }),
    sessionParameter: variableName.default(defaultSessionParameter).meta({
      description:
        "The start parameter that receives the session's name, for filters of a knowledge base.",
    }),
    workflowVersion: z.string().min(1).optional().meta({
      description: 'The version of the Workflow. The default is the newest published one.',
    }),
    appVersion: z.string().min(1).optional().meta({
      description: 'The version of the app. The default is the newest published one.',
    }),
    ...common,
  })
  .superRefine(
    (workflow, context) => {
      checkMetadata(workflow, context)
      const { parameters, messageParameters, sessionParameter } = workflow
      const keying = {
        ...workflow,
        parameters: isObjectOrList(parameters) ? parameters : {},
        messageParameters: namesIn(messageParameters),
        sessionParameter: sessionParameter ?? defaultSessionParameter,
      }
      addProblems(findWorkflowProblems(keying), context)
    },
    { when: ({ value }) => isObjectOrList(value) },
  )

export const botSchema = z
  .strictObject({
    botId: cozeId.meta({ description: 'Id of the Bot, from the address of its editor.' }),
    customVariables: z.record(variableName, z.string()).default({}).meta({
      description: 'Custom variables that are sent with every message.',
    }),
    messageVariables: z.array(variableName).default([]).meta({
      description: 'Custom variables that a message may set.',
    }),
    attachments: z.boolean().default(true).meta({
      description: 'Whether messages may have files.',
    }),
    sessionVariable: variableName.default(defaultSessionParameter).meta({
      description: "The custom variable that receives the session's name.",
    }),
    ...common,
  })
  .superRefine(
    (bot, context) => {
      checkMetadata(bot, context)
      const { customVariables, messageVariables, sessionVariable } = bot
      const keying = {
        customVariables: isObjectOrList(customVariables) ? customVariables : {},
        messageVariables: namesIn(messageVariables),
        sessionVariable: sessionVariable ?? defaultSessionParameter,
      }
      addProblems(findBotProblems(keying), context)
    },
    { when: ({ value }) => isObjectOrList(value) },
  )

/** The configured pairs and those that a message may add must fit together. */
function checkMetadata(
  section: { readonly metadata?: unknown; readonly messageMetadata?: unknown },
  context: z.RefinementCtx,
): void {
  const configured = isObjectOrList(section.metadata) ? Object.keys(section.metadata) : []
  const all = new Set([...configured, ...namesIn(section.messageMetadata)])
  if (all.size <= maxMetadata) return
  const message = `has, together with "metadata", more than ${maxMetadata} names`
  context.addIssue({ code: 'custom', path: ['messageMetadata'], message })
}

function addProblems(problems: readonly KeyingProblem[], context: z.RefinementCtx): void {
  for (const { path, message } of problems) {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
}

function namesIn(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : []
}

/** Cross-checks run even when a field is wrong, so that all problems are reported at once. */
export function isObjectOrList(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
