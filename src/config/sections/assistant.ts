import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import type { AssistantId, Platform } from '../../domain.ts'
import type { OnBreach } from '../../domain/isolation.ts'
import { Secret } from '../../lib/secret.ts'
import { mendPem, pemSlip } from '../pem.ts'
import { secretSchema, type SecretSource } from '../secret-source.ts'
import {
  type BotSettings,
  botSchema,
  cozeId,
  isObjectOrList,
  type WorkflowSettings,
  workflowSchema,
} from './target.ts'
import { isPlainHttp, isRegion, readBaseUrl } from '../upstream-url.ts'

/** How the gateway proves itself to Coze. */
export type CozeCredentials =
  | {
      readonly type: 'oauth'
      readonly appId: string
      readonly keyId: string
      /** PKCS #8 PEM of an RSA key. */
      readonly privateKey: Secret
      /** Lifetime that is asked for. */
      readonly accessTokenSeconds: number
      /** The organisation that tokens are minted for; needed by members of several. */
      readonly accountId?: string | undefined
      /** The `aud` of our assertions. */
      readonly audience: string
    }
  /** One upstream identity for all sessions; present only with `allowSharedToken`. */
  | { readonly type: 'token'; readonly token: Secret }

/** An assistant as it is configured. */
export type AssistantSettings = {
  readonly id: AssistantId
  readonly name: string
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly credentials: CozeCredentials
  readonly platform: Platform
  readonly quota: AssistantQuota
  /** Hosts that images of a message may lie on, for the platform to fetch; `*.example.com` stands for all below it. */
  readonly imageHosts: readonly string[]
  /** What is done when two of its sessions or conversations have met. */
  readonly onBreach: OnBreach
  /** Nobody is served before a probe has found it ISOLATED. */
  readonly requireProof: boolean
  readonly probe: AssistantProbe
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

const probeSchema = z
  .strictObject({
    answers: z.array(z.string().min(1).max(4_096)).max(5).default([]).meta({
      description:
        'What is answered, in this order, to questions that come before the answer, such as those of a form that a Workflow begins with. `{message}` stands for the message of the probe.',
    }),
  })
  .meta({ description: 'How a probe talks with the assistant.' })
/** How a probe talks with an assistant. */
export type AssistantProbe = Readonly<{ answers: readonly string[] }>

const quotaSchema = z
  .strictObject({
    maxRunning: z.number().int().min(1).max(100_000).default(1_000).meta({
      description: 'Replies that run at once; more of them wait, sessions taking turns.',
      unit: 'replies',
    }),
    startsPerSecond: z.number().int().min(1).max(100_000).optional().meta({
      description:
        "Messages that are sent. Left out: what the platform's smallest plan allows, 50 for a Workflow and 20 where a Bot takes part.",
      unit: 'messages per second',
    }),
  })
  .meta({ description: 'How much the assistant is asked, shared fairly among sessions.' })
export type AssistantQuota = Readonly<{ maxRunning: number; startsPerSecond: number }>

function credentialsSchema(source: SecretSource) {
  const oauth = z.strictObject({
    type: z.literal('oauth').meta({ description: 'An OAuth app of the type JWT.' }),
    appId: cozeId.meta({ description: 'Id of the OAuth app.' }),
    keyId: z
      .string()
      .regex(/^[\x21-\x7e]{1,256}$/, {
        error: 'must be the fingerprint of the public key alone, as the console shows it',
      })
      .meta({ description: 'Fingerprint of the public key, as the console shows it.' }),
    privateKey: secretSchema(source)
      .transform((secret, context) => {
        const pem = mendPem(secret.reveal())
        try {
          const key = createPrivateKey(pem)
          const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
          if (key.asymmetricKeyType === 'rsa' && bits >= 2_048) {
            return new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
          }
          context.addIssue('must be an RSA key of at least 2048 bits: Coze verifies RS256')
        } catch {
          const slip = pemSlip(pem)
          const wanted = 'must be a PEM private key (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY)'
          context.addIssue(slip === undefined ? wanted : `${wanted}: ${slip}`)
        }
        return z.NEVER
      })
      .meta({ description: 'Private key of the OAuth app: an RSA key as PEM.' }),
    accessTokenSeconds: z.number().int().min(60).max(86_399).default(3_600).meta({
      description: 'Lifetime of the access tokens that are asked for.',
      unit: 'seconds',
    }),
    accountId: cozeId.optional().meta({
      description:
        'Organisation that tokens are made for; needed by members of several organisations.',
    }),
    audience: z
      .string()
      .regex(/^[\w.:-]+$/, { error: 'must be a host such as api.coze.com, without a scheme' })
      .optional()
      .meta({ description: 'The `aud` of our assertions. Left out: the host of `baseUrl`.' }),
  })
  const token = z.strictObject({
    type: z.literal('token').meta({
      description: 'A personal access token, as a self-hosted Coze Studio needs it.',
    }),
    token: secretSchema(source)
      .refine((token) => /^[\x21\x23-\x26\x28-\x7e]+$/.test(token.reveal()), {
        error: 'must be the token alone, without "Bearer", quotes and spaces',
      })
      .meta({ description: 'The personal access token.' }),
    allowSharedToken: z
      .literal(true, {
        error:
          'must be true: a personal access token is one upstream identity for all sessions, so only conversations keep them apart',
      })
      .meta({
        description: 'Must be `true`: the token is one upstream identity for all sessions.',
      }),
  })
  return z
    .discriminatedUnion('type', [oauth, token], {
      error: 'must be credentials of "type" "oauth" or "token"',
    })
    .meta({ description: 'How the gateway proves itself to Coze.' })
}

const imageHost = z
  .string()
  .toLowerCase()
  .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])$/, {
    error: 'must be a host such as images.example.com or *.example.com, alone',
  })

/** Chats per second on the platform's smallest plan (docs/coze-platform.md#limits). */
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
      id: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,64}$/, {
          error: 'must be 1 to 64 letters, digits, "-" or "_"',
        })
        .meta({
          description: 'How clients name the assistant. Stored with its conversations: it stays.',
        }),
      name: z.string().min(1).max(100).meta({ description: 'What people read.' }),
      strategy: z.enum(['workflow', 'bot', 'auto']).meta({
        description:
          'Which sections are used: `workflow`, `bot`, or with `auto` a `workflow` and a Bot as its `fallback`.',
      }),
      baseUrl: z
        .string({
          error:
            'must be https://api.coze.com or https://api.coze.cn: accounts, keys and ids of the one are unknown to the other',
        })
        .transform((text, context) => {
          const read = readBaseUrl(text)
          if ('url' in read) return read.url
          context.addIssue(read.problem)
          return z.NEVER
        })
        .meta({
          description:
            'The API: https://api.coze.com, https://api.coze.cn, or a Coze Studio of your own.',
        }),
      allowPlainHttp: z.boolean().default(false).meta({
        description:
          'Whether `baseUrl` may be plain http at another host, such as that of a Coze Studio inside a private network: whoever is on the way reads tokens and messages.',
      }),
      credentials: credentialsSchema(source),
      platform: z.enum(['cloud', 'studio']).optional().meta({
        description:
          "Which of Coze's platforms it is. Left out: `studio` for a personal access token at a host that is not one of the cloud's, else `cloud`.",
      }),
      quota: quotaSchema.prefault({}),
      imageHosts: z.array(imageHost).max(100).default([]).meta({
        description:
          'Hosts of images that a message may name by URL, which the platform fetches; `*.example.com` stands for every host below it.',
      }),
      onBreach: z.enum(['quarantine', 'fallback', 'alert']).default('quarantine').meta({
        description:
          'What is done when two sessions or conversations were given one upstream conversation: `quarantine` the assistant until an operator clears it, `fallback` to the Bot of `auto`, or `alert` only.',
      }),
      requireProof: z.boolean().default(false).meta({
        description:
          'Whether nobody is served before a probe has found the assistant ISOLATED; this holds with `onBreach: "alert"`, too.',
      }),
      probe: probeSchema.prefault({}),
      workflow: workflowSchema.optional().meta({ description: 'The Workflow that is run.' }),
      bot: botSchema.optional().meta({ description: 'The Bot that is asked.' }),
      fallback: botSchema.optional().meta({
        description: 'The Bot that is asked while the Workflow of `auto` is out of service.',
      }),
    })
    .superRefine(
      (assistant, context) => {
        const { baseUrl, allowPlainHttp } = assistant
        if (typeof baseUrl === 'string' && isPlainHttp(baseUrl) && allowPlainHttp !== true) {
          const message =
            'must be an https URL (http only on loopback, or inside a private network with "allowPlainHttp": true)'
          context.addIssue({ code: 'custom', path: ['baseUrl'], message })
        }
        const wanted: readonly string[] | undefined = sections[assistant.strategy]
        if (assistant.onBreach === 'fallback' && assistant.strategy !== 'auto') {
          const message = 'has nothing to fall back to: "fallback" needs strategy "auto"'
          context.addIssue({ code: 'custom', path: ['onBreach'], message })
        }
        for (const section of ['workflow', 'bot', 'fallback'] as const) {
          const given = assistant[section] !== undefined
          if (wanted === undefined || given === wanted.includes(section)) continue
          const message = given
            ? `is not used by strategy "${assistant.strategy}"`
            : `is missing: strategy "${assistant.strategy}" needs it`
          context.addIssue({ code: 'custom', path: [section], message })
        }
      },
      { when: ({ value }) => isObjectOrList(value) },
    )
    .superRefine(({ imageHosts, workflow }, context) => {
      if (imageHosts.length === 0 || !workflow || workflow.attachmentParameter !== undefined) return
      const message = 'needs "workflow.attachmentParameter": nothing receives the images'
      context.addIssue({ code: 'custom', path: ['imageHosts'], message })
    })
    .superRefine(({ baseUrl, platform, credentials }, context) => {
      const host = URL.parse(baseUrl)?.host
      if (platform === 'studio' && host !== undefined && isRegion(host)) {
        const message = `is not what answers at ${host}: that is "cloud", the default`
        context.addIssue({ code: 'custom', path: ['platform'], message })
      }
      const audience = credentials.type === 'oauth' ? credentials.audience : undefined
      if (audience === undefined || audience === host || !isRegion(audience)) return
      if (host === undefined || !isRegion(host)) return
      const message = `is the other region's: with this "baseUrl" it is ${host}, the default`
      context.addIssue({ code: 'custom', path: ['credentials', 'audience'], message })
    })
    .transform((assistant, context): AssistantSettings => {
      const { baseUrl } = assistant
      const common = {
        // The one place where an assistant's id is made.
        id: assistant.id as AssistantId,
        name: assistant.name,
        baseUrl,
        credentials: toCredentials(assistant.credentials, baseUrl),
        platform: assistant.platform ?? likelyPlatform(baseUrl, assistant.credentials.type),
        quota: {
          maxRunning: assistant.quota.maxRunning,
          startsPerSecond:
            assistant.quota.startsPerSecond ?? documentedPerSecond[assistant.strategy],
        },
        imageHosts: assistant.imageHosts,
        onBreach: assistant.onBreach,
        requireProof: assistant.requireProof,
        probe: assistant.probe,
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

/** Studio has no OAuth apps, and the cloud has no other hosts than these. */
function likelyPlatform(baseUrl: string, credentials: CozeCredentials['type']): Platform {
  return credentials === 'token' && !isRegion(new URL(baseUrl).host) ? 'studio' : 'cloud'
}

function toCredentials(
  credentials: z.output<ReturnType<typeof credentialsSchema>>,
  baseUrl: string,
): CozeCredentials {
  if (credentials.type === 'token') return { type: 'token', token: credentials.token }
  return { ...credentials, audience: credentials.audience ?? new URL(baseUrl).host }
}
