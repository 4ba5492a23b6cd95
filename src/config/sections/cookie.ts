import { z } from 'zod'

export const cookieSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^__Host-[\w-]{1,64}$/, {
        error: 'must begin with __Host-, then letters, digits, _ and -',
      })
      .default('__Host-coze-gateway')
      .meta({
        description:
          'Name of the cookie. Its prefix makes browsers take it over TLS and from this very host only.',
      }),
    sameSite: z.enum(['strict', 'lax']).default('strict').meta({
      description:
        'With `lax`, the cookie is also sent when somebody follows a link to the gateway.',
    }),
  })
  .meta({
    description:
      'Credentials in a cookie, for browsers whose `EventSource` sends no headers. Left out, cookies are no credentials.',
  })

export type CookieSettings = Readonly<z.output<typeof cookieSchema>>
