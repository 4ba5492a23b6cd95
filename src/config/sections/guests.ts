import { z } from 'zod'
import { secretSchema, type SecretSource } from '../secret-source.ts'

/** What the tokens of guests call their issuer. No other issuer may have this name. */
export const reservedIssuer = 'urn:coze-graphql-gateway:guests'

const hour = 3_600
const day = 24 * hour

export function guestsSchema(source: SecretSource) {
  return z
    .strictObject({
      key: secretSchema(source, { minLength: 32 }).meta({
        description:
          'The key that signs the tokens of guests. With another key every guest is a new one.',
      }),
      lifetimeSeconds: z
        .number()
        .int()
        .min(60)
        .max(365 * day)
        .default(7 * day)
        .meta({
          description: "The lifetime of a guest's token. A guest gets a fresh one before it ends.",
          unit: 'seconds',
        }),
      perMinutePerAddress: z.number().int().min(1).default(10).meta({
        description: 'The most new guests from one client address.',
        unit: 'guests per minute',
      }),
      perMinute: z.number().int().min(1).default(100).meta({
        description: 'The most new guests in all.',
        unit: 'guests per minute',
      }),
    })
    .meta({ description: 'People without an account. Left out, there are no guests.' })
}

export type GuestSettings = Readonly<z.output<ReturnType<typeof guestsSchema>>>
