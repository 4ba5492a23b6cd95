import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'

const port = z.number().int().min(0).max(65_535)
const host = z.string().regex(/^(?:[\w.-]+|[0-9a-f:.]+(?:%\w+)?)$/i, {
  error: 'must be an address or a name of this host, without a scheme and a port',
})

/** Where the gateway listens. Default 127.0.0.1:4000; port 0 takes a free one. */
export const listenSchema = z.strictObject({
  host: host.default('127.0.0.1'),
  port: port.default(4000),
})
export type ListenAddress = Readonly<z.output<typeof listenSchema>>

/** Where metrics are served; off without a port. */
export const metricsSchema = z.strictObject({ host: host.default('127.0.0.1'), port })

/** Where GraphQL is. Default `/graphql`; a slash behind it makes no difference. */
export const pathSchema = z
  .string()
  .regex(/^(\/[\w.~-]+)+\/?$/, {
    error: 'must be a path such as /api/graphql, without a host, a query or escapes',
  })
  .transform((path) => path.replace(/\/$/, ''))
  .refine((path) => !/^\/(health|auth)(\/|$)/.test(path), {
    error: "must not be below /health or /auth, which are the gateway's own",
  })
  .default('/graphql')

export const corsSchema = z.strictObject({
  /** Exact origins of pages that may call the gateway, such as `https://app.example.com`. Default none. */
  origins: z
    .array(
      z.string().refine((text) => URL.parse(text)?.origin === text && !text.includes('*'), {
        error:
          'must be an origin such as https://app.example.com: exact, in small letters, without a star, a path or a default port',
      }),
    )
    .default([]),
})
export type Cors = Readonly<{ origins: readonly string[] }>

export const loggingSchema = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})
export type LogLevel = z.output<typeof loggingSchema>['level']

/** The engine that remembers, and where. `file` is absolute, or `:memory:`, which forgets at the end of the process. */
export interface StoreSettings {
  readonly engine: 'sqlite'
  readonly file: string
}

/** `sqlite:PATH` or `sqlite::memory:`; relative paths are relative to `baseDir`. */
export function storeSchema(baseDir: string) {
  return z.string().transform((text, context): StoreSettings => {
    const file = /^sqlite:(?!\/\/|~)(.*[^/])$/s.exec(text)?.[1]
    if (file === ':memory:') return { engine: 'sqlite', file }
    if (file !== undefined) {
      return { engine: 'sqlite', file: isAbsolute(file) ? file : resolve(baseDir, file) }
    }
    context.addIssue({
      code: 'custom',
      message: 'must be sqlite:PATH, the path of a file as it is, or sqlite::memory:',
    })
    return z.NEVER
  })
}
