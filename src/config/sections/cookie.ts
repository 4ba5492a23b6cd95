import { z } from 'zod'

/** Credentials in a cookie, for browsers whose `EventSource` sends no header. Off unless it is configured. */
export const cookieSchema = z.strictObject({
  /** Default `__Host-coze-gateway`. The prefix makes browsers take it only over TLS and from this very host. */
  name: z
    .string()
    .regex(/^__Host-[\w-]{1,64}$/, {
      error: 'must begin with __Host-, then letters, digits, _ and -',
    })
    .default('__Host-coze-gateway'),
  /** Default `strict`. `lax`: the cookie also comes along when somebody follows a link to us. */
  sameSite: z.enum(['strict', 'lax']).default('strict'),
})

export type CookieSettings = Readonly<z.output<typeof cookieSchema>>
