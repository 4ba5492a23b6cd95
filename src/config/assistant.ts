import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import type { AssistantId, JsonValue } from '../domain.ts'
import { Secret } from '../lib/secret.ts'
import { secretSchema, type SecretSource } from './secret-source.ts'
import { baseUrlProblem } from './upstream-url.ts'

/** How the gateway proves itself to Coze. */
export type CozeCredentials =
  | {
      readonly type: 'oauth'
      readonly appId: string
      readonly keyId: string
      /** PKCS #8 PEM of an RSA key. */
      readonly privateKey: Secret
      /** Lifetime asked for. Default 3600, at most 86,399. */
      readonly accessTokenSeconds: number
      /** The organisation that tokens are minted for; needed by members of several. */
      readonly accountId?: string | undefined
      /** The `aud` of our assertions. Default: the host of the base URL. */
      readonly audience: string
    }
  /** One upstream identity for all sessions; present only with `allowSharedToken`. */
  | { readonly type: 'token'; readonly token: Secret }

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

/** How much an assistant is asked, fairly shared among sessions; what exceeds it waits. */
export interface AssistantQuota {
  /** Replies that run at once. Default 1000. */
  readonly maxRunning: number
  /** Messages sent per second. Default: the platform's smallest plan, 50 for a Workflow and 20 for a Bot (coze-api.md §9). */
  readonly startsPerSecond: number
}

/** A configured Coze target. */
export type AssistantSettings = {
  readonly id: AssistantId
  readonly name: string
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly credentials: CozeCredentials
  readonly quota: AssistantQuota
} & (
  | { readonly strategy: 'workflow'; readonly workflow: WorkflowSettings }
  | { readonly strategy: 'bot'; readonly bot: BotSettings }
  /** The Workflow while it is in service, else the Bot. */
  | {
      readonly strategy: 'auto'
      readonly workflow: WorkflowSettings
      readonly fallback: BotSettings
    }
)

/** Coze's ids exceed what a JavaScript number holds exactly. */
const cozeId = z
  .string({ error: 'must be text in quotes: Coze ids do not fit in a number' })
  .min(1)
  .max(128)
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
const quotaSchema = z.strictObject({
  maxRunning: z.number().int().min(1).max(100_000).default(1_000),
  startsPerSecond: z.number().int().min(1).max(100_000).optional(),
})

function credentialsSchema(source: SecretSource) {
  const oauth = z.strictObject({
    type: z.literal('oauth'),
    appId: cozeId,
    keyId: z.string().min(1),
    privateKey: secretSchema(source).transform((secret, context) => {
      try {
        const key = createPrivateKey(secret.reveal())
        if (key.asymmetricKeyType === 'rsa') {
          return new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
        }
        context.addIssue('must be an RSA key: Coze verifies RS256')
      } catch {
        context.addIssue('must be a PEM private key (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY)')
      }
      return z.NEVER
    }),
    accessTokenSeconds: z.number().int().min(60).max(86_399).default(3_600),
    accountId: cozeId.optional(),
    audience: z.string().min(1).optional(),
  })
  const token = z.strictObject({
    type: z.literal('token'),
    token: secretSchema(source),
    allowSharedToken: z.literal(true, {
      error:
        'must be true: a personal access token is one upstream identity for all sessions, so only conversations keep them apart',
    }),
  })
  return z.discriminatedUnion('type', [oauth, token], {
    error: 'must be credentials of "type" "oauth" or "token"',
  })
}

const workflowSchema = z
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
      const { appId, botId, parameters, sessionParameter, attachmentParameter } = workflow
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
      if (sessionParameter !== undefined && sessionParameter in reserved) {
        at(['sessionParameter'], 'is a parameter that the platform reserves')
      }
    },
    { when: ({ value }) => isObject(value) },
  )

const reserved: Readonly<Record<string, string>> = {
  CONVERSATION_NAME: 'would put all sessions into one conversation: the gateway sets it',
  USER_INPUT: 'is the message: the gateway sets it',
}

const botSchema = z
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
    ({ customVariables, messageVariables, sessionVariable }, context) => {
      if (sessionVariable !== undefined && namesIn(messageVariables).includes(sessionVariable)) {
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

/** Chats per second on the platform's smallest plan (coze-api.md §9). */
const documentedPerSecond = { workflow: 50, bot: 20, auto: 20 } as const

/** Which sections each strategy takes. */
const sections = {
  workflow: ['workflow'],
  bot: ['bot'],
  auto: ['workflow', 'fallback'],
} as const

export function assistantSchema(source: SecretSource) {
  return z
    .strictObject({
      id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, {
        error: 'must be 1 to 64 letters, digits, "-" or "_"',
      }),
      name: z.string().min(1).max(100),
      strategy: z.enum(['workflow', 'bot', 'auto']),
      baseUrl: z
        .string({
          error:
            'must be https://api.coze.com or https://api.coze.cn: accounts, keys and ids of the one are unknown to the other',
        })
        .superRefine((text, context) => {
          const problem = baseUrlProblem(text)
          if (problem !== undefined) context.addIssue(problem)
        }),
      credentials: credentialsSchema(source),
      quota: quotaSchema.prefault({}),
      workflow: workflowSchema.optional(),
      bot: botSchema.optional(),
      fallback: botSchema.optional(),
    })
    .superRefine(
      (assistant, context) => {
        const wanted: readonly string[] | undefined = sections[assistant.strategy]
        for (const section of ['workflow', 'bot', 'fallback'] as const) {
          const given = assistant[section] !== undefined
          if (wanted === undefined || given === wanted.includes(section)) continue
          const message = given
            ? `is not used by strategy "${assistant.strategy}"`
            : `is missing: strategy "${assistant.strategy}" needs it`
          context.addIssue({ code: 'custom', path: [section], message })
        }
      },
      { when: ({ value }) => isObject(value) },
    )
    .transform((assistant, context): AssistantSettings => {
      const baseUrl = assistant.baseUrl.replace(/\/+$/, '')
      const common = {
        // The one place where an assistant's id is made.
        id: assistant.id as AssistantId,
        name: assistant.name,
        baseUrl,
        credentials: toCredentials(assistant.credentials, baseUrl),
        quota: {
          maxRunning: assistant.quota.maxRunning,
          startsPerSecond:
            assistant.quota.startsPerSecond ?? documentedPerSecond[assistant.strategy],
        },
      }
      const { strategy, workflow, bot, fallback } = assistant
      if (strategy === 'workflow' && workflow) return { ...common, strategy, workflow }
      if (strategy === 'bot' && bot) return { ...common, strategy, bot }
      if (strategy === 'auto' && workflow && fallback) {
        return { ...common, strategy, workflow, fallback }
      }
      context.addIssue('has sections that do not fit its strategy')
      return z.NEVER
    })
}

function toCredentials(
  credentials: z.output<ReturnType<typeof credentialsSchema>>,
  baseUrl: string,
): CozeCredentials {
  if (credentials.type === 'token') return { type: 'token', token: credentials.token }
  return { ...credentials, audience: credentials.audience ?? new URL(baseUrl).host }
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
function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
