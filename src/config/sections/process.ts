import { isIPv6 } from 'node:net'
import { z } from 'zod'

const port = z.number().int().min(0).max(65_535)
const host = z.string().refine((text) => /^[\w.-]+$/.test(text) || isIPv6(text), {
  error: 'must be an address or a name of this host, without a scheme and a port',
})

export const listenSchema = z
  .strictObject({
    host: host.default('127.0.0.1').meta({ description: 'The address to listen on.' }),
    port: port.default(4000).meta({ description: 'The port to listen on. 0 takes a free one.' }),
  })
  .meta({ description: 'The address of the gateway.' })
export type ListenAddress = Readonly<z.output<typeof listenSchema>>

export const metricsSchema = z
  .strictObject({
    host: host.default('127.0.0.1').meta({ description: 'The address to listen on.' }),
    port: port.meta({ description: 'The port to listen on. 0 takes a free one.' }),
  })
  .meta({ description: 'The address of the metrics. Left out, no metrics are served.' })

export const pathSchema = z
  .string()
  // Clients resolve `.` and `..` before they send a request.
  .regex(/^(\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+\/?$/, {
    error: 'must be a path such as /api/graphql, without a host, a query, dots alone or escapes',
  })
  .transform((path) => path.replace(/\/$/, ''))
  .refine((path) => !/^\/(health|auth|operator|pages)(\/|$)/.test(path), {
    error: "must not be below /health, /auth, /operator or /pages, which are the gateway's own",
  })
  .prefault('/graphql')
  .meta({ description: 'The path of GraphQL, with or without a trailing slash.' })

export const pagesSchema = z
  .strictObject({
    chat: z.boolean().default(false).meta({
      description: 'Whether browsers get a page to chat on at `/`.',
    }),
    operator: z.boolean().default(false).meta({
      description:
        "Whether browsers get the operators' console at `/operator`. It shows nothing without a credential with the operators' scope.",
    }),
  })
  .meta({ description: "Pages of the gateway's own server." })
export type PageSettings = Readonly<z.output<typeof pagesSchema>>

/** Headers that the scripts of usual pages add. A browser does not send a request whose headers are not permitted. */
const usualHeaders = [
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
  'apollographql-client-name',
  'apollographql-client-version',
  'apollo-require-preflight',
  'x-apollo-operation-name',
]

export const corsSchema = z
  .strictObject({
    origins: z
      .array(
        z.string().refine(isOrigin, {
          error:
            'must be an origin such as https://app.example.com or capacitor://localhost: exact, in small letters, without a star, a path or a default port',
        }),
      )
      .default([])
      .meta({
        description:
          'Exact origins of pages and apps that may call the gateway, such as `https://app.example.com`, `capacitor://localhost` or `chrome-extension://ID`.',
      }),
    requestHeaders: z
      .array(
        z.string().regex(/^[!#$%&'+.^_`|~0-9a-z-]+$/, {
          error: 'must be the name of a header, in small letters, without a star',
        }),
      )
      .default(usualHeaders)
      .meta({
        description:
          'The request headers that pages may send in addition to those that the gateway reads. The default is the headers of tracing and of Apollo Client.',
      }),
  })
  .meta({ description: 'Pages of other origins that may call the gateway.' })
export type CorsSettings = Readonly<{
  origins: readonly string[]
  requestHeaders: readonly string[]
}>

/** Apps send origins with their own schemes, which the URL standard calls opaque. */
function isOrigin(text: string): boolean {
  if (text.includes('*')) return false
  const { protocol, origin } = URL.parse(text) ?? {}
  if (origin === text) return true
  const isApp = origin === 'null' && protocol !== 'file:'
  return isApp && /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(:\d+)?$/.test(text)
}

export const loggingSchema = z
  .strictObject({
    level: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .meta({ description: 'The lowest level of lines that are logged.' }),
  })
  .meta({ description: 'The log, JSON lines on standard error.' })
export type LogLevel = z.output<typeof loggingSchema>['level']
