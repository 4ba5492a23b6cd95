import { z } from 'zod'
import type { SecretSource } from './secret-source.ts'
import { apiKeysSchema, scopeSchema } from './sections/api-keys.ts'
import { assistantSchema } from './sections/assistant.ts'
import { cookieSchema } from './sections/cookie.ts'
import { guestsSchema } from './sections/guests.ts'
import { issuerSchema } from './sections/issuer.ts'
import { laneSchema, redisSchema } from './sections/lane.ts'
import { limitsSchema } from './sections/limits.ts'
import { persistedDocumentsSchema } from './sections/persisted-documents.ts'
import { probeSchema } from './sections/probe.ts'
import {
  corsSchema,
  listenSchema,
  loggingSchema,
  metricsSchema,
  pagesSchema,
  pathSchema,
} from './sections/process.ts'
import { sessionSchema } from './sections/session-keys.ts'
import { postgresSchema, requireDurabilitySchema, storeSchema } from './sections/store.ts'
import { timeoutsSchema } from './sections/timeouts.ts'
import { uploadsSchema } from './sections/uploads.ts'

/** All settings. Environment variables, `docs/configuration.md` and `schema/config.schema.json` are generated from it. */
export function configSchema(source: SecretSource) {
  const settings = z.strictObject({
    $schema: z.string().optional().meta({
      description: 'The address of this schema, for editors. The gateway does not read it.',
    }),
    listen: listenSchema.prefault({}),
    metrics: metricsSchema.optional(),
    cors: corsSchema.prefault({}),
    path: pathSchema,
    graphiql: z.boolean().optional().meta({
      description:
        'Whether browsers get GraphiQL at `path`. The default is true, unless `persistedDocuments.only` is set.',
    }),
    pages: pagesSchema.prefault({}),
    introspection: z
      .boolean()
      .default(true)
      .meta({ description: 'Whether clients may ask for the schema.' }),
    persistedDocuments: persistedDocumentsSchema(source).optional(),
    logging: loggingSchema.prefault({}),
    trustProxy: z.number().int().min(0).max(16).default(0).meta({
      description:
        "The number of proxies in front of the gateway whose `X-Forwarded-For` is trusted. With 0 a client's address is that of its socket.",
      unit: 'proxies',
    }),
    issuers: z.array(issuerSchema(source)).default([]).meta({
      description:
        'The issuers whose tokens are accepted. At least one is needed, unless there are `apiKeys` or `guests`.',
    }),
    apiKeys: apiKeysSchema,
    cookie: cookieSchema.optional(),
    guests: guestsSchema(source).optional(),
    operatorScope: scopeSchema.default('coze-gateway:operator').meta({
      description: 'The scope that makes a caller an operator.',
    }),
    session: sessionSchema(source),
    assistants: z.array(assistantSchema(source)).min(1).meta({
      description: 'The Coze Workflows and Bots that are served. The first is the default.',
    }),
    store: storeSchema(source.baseDir),
    requireDurability: requireDurabilitySchema,
    postgres: postgresSchema(source).prefault({}),
    lane: laneSchema.optional(),
    redis: redisSchema(source).prefault({}),
    timeouts: timeoutsSchema.prefault({}),
    limits: limitsSchema.prefault({}),
    uploads: uploadsSchema.prefault({}),
    probe: probeSchema.prefault({}),
  })
  return settings.transform(({ $schema: _schema, graphiql, ...rest }, context) => {
    const isUseless = rest.persistedDocuments?.only === true
    if (graphiql === true && isUseless) {
      const message =
        'cannot be on with persistedDocuments.only, which refuses every document that is typed in it'
      context.addIssue({ code: 'custom', path: ['graphiql'], message })
    }
    for (const page of ['chat', 'operator'] as const) {
      if (!isUseless || !rest.pages[page]) continue
      const message =
        'cannot be on with persistedDocuments.only, which refuses the documents that the page sends'
      context.addIssue({ code: 'custom', path: ['pages', page], message })
    }
    return { ...rest, graphiql: graphiql ?? !isUseless }
  })
}

/** The part of JSON Schema that the settings use. */
export interface SettingSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, SettingSchema>>
  readonly required?: readonly string[]
  readonly items?: SettingSchema
  readonly oneOf?: readonly SettingSchema[]
  readonly enum?: readonly string[]
  readonly const?: string | boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly description?: string
  readonly unit?: string
}

/**
 * The JSON Schema of the configuration file, for editors. It does not check relations between settings, so `parseConfig` may
 * refuse a file that it accepts.
 */
export function configJsonSchema(): SettingSchema {
  const nowhere = { env: {}, baseDir: '/', readFile: () => '', mode: 'serve' } as const
  const schema = z.toJSONSchema(configSchema(nowhere), { io: 'input', unrepresentable: 'any' })
  return JSON.parse(JSON.stringify(schema))
}
