import { z } from 'zod'
import type { AssistantId, Platform } from '../../domain.ts'
import type { OnBreach } from '../../domain/isolation.ts'
import type { SecretSource } from '../secret-source.ts'
import { type CozeCredentials, credentialsSchema, toCredentials } from './credentials.ts'
import {
  type BotSettings,
  botSchema,
  isObjectOrList,
  type WorkflowSettings,
  workflowSchema,
} from './target.ts'
import { isPlainHttp, isRegion, readBaseUrl } from '../upstream-url.ts'

/** A configured assistant. */
export type AssistantSettings = {
  readonly id: AssistantId
  readonly name: string
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly credentials: CozeCredentials
  readonly platform: Platform
  readonly quota: AssistantQuota
  /**
   * The hosts of images that a message may name by URL. The platform fetches them. `*.example.com` means every host below
   * it.
   */
  readonly imageHosts: readonly string[]
  /** The reaction to two sessions or conversations that share one upstream conversation. */
  readonly onBreach: OnBreach
  /** Whether nobody is served before a probe has found the assistant ISOLATED. */
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
        'The answers of a probe, in this order, to questions that the assistant asks first, such as those of a form at the beginning of a Workflow. `{message}` stands for the message of the probe.',
    }),
  })
  .meta({ description: 'How a probe talks with the assistant.' })

/** How a probe talks with an assistant. */
export type AssistantProbe = Readonly<{ answers: readonly string[] }>

const quotaSchema = z
  .strictObject({
    maxRunning: z.number().int().min(1).max(100_000).default(1_000).meta({
      description:
        'The most replies that run at once. Further replies wait, and sessions take turns.',
      unit: 'replies',
    }),
    startsPerSecond: z.number().int().min(1).max(100_000).optional().meta({
      description:
        "The most messages that are sent. The default is the limit of the platform's smallest plan: 50 for a Workflow, and 20 for a Bot or `auto`.",
      unit: 'messages per second',
    }),
  })
  .meta({ description: 'The limits of the assistant, which sessions share fairly.' })
export type AssistantQuota = Readonly<{ maxRunning: number; startsPerSecond: number }>

const imageHost = z
  .string()
  .toLowerCase()
  .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])$/, {
    error: 'must be a host such as images.example.com or *.example.com, alone',
  })

/** Chats per second on the platform's smallest plan (docs/coze-platform.md#limits). */
const documentedPerSecond = { workflow: 50, bot: 20, auto: 20 } as const

/** The sections of each strategy. */
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
          description:
            'The name by which clients choose the assistant. It is stored with its conversations, so it must not change.',
        }),
      name: z.string().min(1).max(100).meta({ description: 'The name that people read.' }),
      strategy: z.enum(['workflow', 'bot', 'auto']).meta({
        description:
          'The sections that are used: `workflow`, `bot`, or with `auto` a `workflow` and a Bot as its `fallback`.',
      }),
      baseUrl: z
        .string({
          error:
            'must be https://api.coze.com or https://api.coze.cn, which share no accounts, keys and ids',
        })
        .transform((text, context) => {
          const read = readBaseUrl(text)
          if ('url' in read) return read.url
          context.addIssue(read.problem)
          return z.NEVER
        })
        .meta({
          description:
            'The URL of the API: https://api.coze.com, https://api.coze.cn, or your own Coze Studio.',
        }),
      allowPlainHttp: z.boolean().default(false).meta({
        description:
          'Whether `baseUrl` may use plain http to another host, such as a Coze Studio inside a private network. Everybody on the network path can then read tokens and messages.',
      }),
      credentials: credentialsSchema(source),
      platform: z.enum(['cloud', 'studio']).optional().meta({
        description:
          'The platform of Coze: `cloud` or a self-hosted `studio`. The default is `studio` for a personal access token at a host that is not one of the cloud, else `cloud`.',
      }),
      quota: quotaSchema.prefault({}),
      imageHosts: z.array(imageHost).max(100).default([]).meta({
        description:
          'The hosts of images that a message may name by URL. The platform fetches them. `*.example.com` means every host below it.',
      }),
      onBreach: z.enum(['quarantine', 'fallback', 'alert']).default('quarantine').meta({
        description:
          'The reaction to two sessions or conversations in one upstream conversation: `quarantine` the assistant until an operator clears it, `fallback` to the Bot of `auto`, or `alert` only.',
      }),
      requireProof: z.boolean().default(false).meta({
        description:
          'Whether nobody is served before a probe has found the assistant ISOLATED. This applies with `onBreach: "alert"`, too.',
      }),
      probe: probeSchema.prefault({}),
      workflow: workflowSchema.optional().meta({ description: 'The Workflow that is run.' }),
      bot: botSchema.optional().meta({ description: 'The Bot that answers.' }),
      fallback: botSchema.optional().meta({
        description: 'The Bot that answers while the Workflow of `auto` is out of service.',
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
        const message = `does not fit ${host}, which is "cloud", the default`
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
