import { z } from 'zod'
import { secretSchema, type SecretSource } from '../secret-source.ts'

/** What the tokens of guests call their issuer. No other issuer may have this name. */
export const reservedIssuer = 'urn:coze-graphql-gateway:guests'

const hour = 3_600
const day = 24 * hour

/** People without an account. Off unless it is configured. */
export function guestsSchema(source: SecretSource) {
  return z.strictObject({
    /** Signs their tokens. Under another one, every guest is a new one. */
    key: secretSchema(source, { minLength: 32 }),
    /** How long a token is good; a guest gets a fresh one for it before. Default 7 days. */
    lifetimeSeconds: z
      .number()
      .int()
      .min(60)
      .max(365 * day)
      .default(7 * day),
    /** Tokens per minute for one client address. Default 10. */
    perMinutePerAddress: z.number().int().min(1).default(10),
    /** Tokens per minute for all together. Default 100. */
    perMinute: z.number().int().min(1).default(100),
  })
}

export type GuestSettings = Readonly<z.output<ReturnType<typeof guestsSchema>>>
