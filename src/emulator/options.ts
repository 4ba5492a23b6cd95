import { createPublicKey } from 'node:crypto'
import { z } from 'zod'

const id = z.string().min(1)

/** The platforms that the emulator can be: Coze's cloud, or a self-hosted Coze Studio. */
export const dialectNames = ['cloud', 'studio'] as const
export type DialectName = (typeof dialectNames)[number]

/** The scopes of Coze's cloud (docs/coze-platform.md#scopes). A Studio has none. */
export const scopeNames = [
  'run',
  'chat',
  'getChat',
  'cancelChat',
  'createConversation',
  'retrieveConversation',
  'listConversation',
  'editConversation',
  'listMessage',
  'feedback',
  'uploadFile',
  'getMetadata',
] as const
export type ScopeName = (typeof scopeNames)[number]

const switchesSchema = z.strictObject({
  /** Whether `done` follows an `error` or `conversation.chat.failed` event. */
  doneAfterError: z.boolean().default(false),
  /** The code for a conversation that is another principal's, another app's or gone. */
  ownerErrorCode: z.number().int().default(4002),
  /** Whether 4016 guards `/v1/workflows/chat` as it guards `/v3/chat`. */
  busyGuardsWorkflow: z.boolean().default(true),
  /** Whether a chat that waits for an action keeps its conversation busy (4016). */
  busyWhileActionRequired: z.boolean().default(false),
  /** The undocumented app fields of `/v1/conversation/create`. */
  createWithAppId: z.enum(['supported', 'refused-4000']).default('supported'),
  /** A `CONVERSATION_NAME` that nobody created before. */
  unknownConversationName: z.enum(['create', 'refuse']).default('create'),
  /** The response to a dead access token: HTTP 401 with 4100, or HTTP 200 with 700012006. */
  deadToken: z.enum(['401-4100', '200-700012006']).default('401-4100'),
  /** HTTP status of errors other than 401: always 200, or the status the code suggests. */
  errorStatus: z.enum(['200', 'by-code']).default('200'),
  /** Whether a chat that waits for an action can be cancelled, or that is 4104. */
  cancelsActionRequired: z.boolean().default(true),
  /** The first event of the stream that follows tool outputs: of the chat, or of a message. */
  resumedStreamBegins: z.enum(['in_progress', 'message']).default('in_progress'),
  /** Who may use an uploaded file: all of its account, or the session that uploaded it. */
  filesPrivateTo: z.enum(['account', 'session']).default('account'),
  /** The event that ends the stream of a cancelled chat. The stream goes on up to its end in any case. */
  canceledEnding: z.enum(['canceled', 'completed', 'none']).default('canceled'),
})

/** The known and the reported causes of mixed-up sessions. All are off by default. */
const leaksSchema = z.strictObject({
  /** An app has one conversation for everybody, whatever a run asks for. `session_name` is ignored. */
  staticConversation: z.boolean().default(false),
  /** Conversations of an app are kept by their names alone. */
  sharedName: z.boolean().default(false),
  /** A conversation can be used by every session that knows its id. */
  foreignConversations: z.boolean().default(false),
  /** The next message to the app or Bot answers a question, whoever was asked. */
  sharedQuestion: z.boolean().default(false),
  /** User variables are kept for the owner of the token. */
  sharedVariables: z.boolean().default(false),
  /** Long-term memory is kept for the owner of the token. */
  sharedMemory: z.boolean().default(false),
  /** Conversation or message nodes of a flow use one fixed name. */
  fixedNodeNames: z.boolean().default(false),
  /** The knowledge base is searched without regard to `session_name`. */
  unfilteredKnowledge: z.boolean().default(false),
})

export type Leak = keyof z.output<typeof leaksSchema>

/** The scopes of an access token, of those that a call may need. Default: all. */
const scopes = z.array(z.enum(scopeNames)).readonly().optional()

const appSchema = z
  .strictObject({ appId: id, keyId: id, publicKeyPem: id, accountId: id, scopes })
  .transform(({ publicKeyPem, ...app }, context) => {
    try {
      return { ...app, publicKey: createPublicKey(publicKeyPem) }
    } catch {
      context.addIssue({ code: 'custom', path: ['publicKeyPem'], message: 'is no public key' })
      return z.NEVER
    }
  })

export const optionsSchema = z.strictObject({
  dialect: z.enum(dialectNames).default('cloud'),
  /** OAuth service apps that may exchange JWTs. A Studio has none. `accountId` is the Coze account behind them. */
  apps: z.array(appSchema).default([]),
  personalAccessTokens: z.array(z.strictObject({ token: id, accountId: id, scopes })).default([]),
  /** Without `appId` and `botId` a workflow runs in any app or bot. */
  workflows: z
    .array(
      z.strictObject({
        workflowId: id,
        appId: id.optional(),
        botId: id.optional(),
        published: z.boolean().default(true),
        /** Start parameters without which it does not run. */
        requires: z.array(id).default([]),
      }),
    )
    .default([]),
  bots: z
    .array(
      z.strictObject({
        botId: id,
        published: z.boolean().default(true),
        /** The text that it shows before the first message. */
        greeting: z.string().default(''),
        suggestedQuestions: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  /** Accepted `aud` claims; default: the `Host` header of the request. */
  audiences: z.array(id).optional(),
  /** Speed of the scripted model. 0: without pauses. */
  wordsPerSecond: z.number().min(0).default(25),
  /** Leeway for the claims `exp` and `iat`. */
  clockToleranceSeconds: z.number().min(0).default(5),
  /** The largest upload. */
  maxFileBytes: z.number().int().min(1).default(512_000_000),
  /** Extensions of files that may be uploaded, without a dot, in small letters. Default: all. */
  fileTypes: z.array(id).optional(),
  /** The plan's limits of API calls, and how calls beyond them are refused. Calls for tokens do not count. */
  quota: z
    .strictObject({
      callsInTotal: z.number().int().min(0).optional(),
      /** Requests of each API. */
      callsPerSecond: z.number().int().min(1).optional(),
      code: z.number().int().default(4020),
      status: z.number().int().min(200).max(599).default(200),
      retryAfter: z.string().optional(),
    })
    .prefault({}),
  /** `forgetful` recalls nothing, `refusing` reveals nothing, `chatty` speaks of secrets in every answer. */
  model: z.enum(['scripted', 'forgetful', 'refusing', 'chatty']).default('scripted'),
  /** Where the model keeps what it is told beside the conversation. */
  remembers: z
    .strictObject({
      variables: z.boolean().default(false),
      longTermMemory: z.boolean().default(false),
    })
    .prefault({}),
  /** The rows of a knowledge base, each for the session that a start parameter or variable `SESSION_NAME` names. */
  knowledge: z
    .array(z.strictObject({ sessionName: z.string(), name: z.string(), value: z.string() }))
    .default([]),
  leaks: leaksSchema.prefault({}),
  /** Decisions where the behaviour of the cloud is not known. Studio needs none. */
  switches: switchesSchema.prefault({}),
})

export type EmulatorOptions = z.input<typeof optionsSchema>
export type Settings = z.output<typeof optionsSchema>

/** @throws {TypeError} naming every bad option. */
export function parseEmulatorOptions(options: unknown): Settings {
  const parsed = optionsSchema.safeParse(options)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `"${issue.path.join('.')}" ${issue.message}`)
  throw new TypeError(`bad emulator options: ${problems.join('; ')}`)
}
