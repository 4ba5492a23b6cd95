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
          'The name of the cookie. Because of its prefix browsers accept it only over TLS and only from this host.',
      }),
    sameSite: z.enum(['strict', 'lax']).default('strict').meta({
      description:
        'With `lax`, the cookie is also sent when somebody follows a link to the gateway.',
    }),
  })
  .meta({
    description:
      'Credentials in a cookie, for browsers whose `EventSource` sends no headers. Left out, cookies are not credentials.',
  })

export type CookieSettings = Readonly<z.output<typeof cookieSchema>>
