import { z } from 'zod'
import type { Secret } from '../../lib/secret.ts'
import { secretSchema, type SecretSource } from '../secret-source.ts'

/** One of the keys that name sessions. */
export interface NameKey {
  readonly version: number
  readonly key: Secret
}

/** A verified claim that Coze sees as the session's name, for the callers of one issuer. */
export interface NameClaim {
  readonly issuer: string
  readonly claim: string
}

export interface SessionSettings {
  /** The key of session ids. It must not change while the store is in use: with another key the store does not open. */
  readonly key: Secret
  /**
   * The highest version names new sessions. The others are kept as a record. Empty only if `nameClaim` names all
   * sessions.
   */
  readonly nameKeys: readonly NameKey[]
  readonly nameClaim?: NameClaim | undefined
}

export function sessionSchema(source: SecretSource) {
  const key = secretSchema(source, { minLength: 32 })
  const version = z.number().int().min(1).meta({
    description: 'The key of the highest version names new sessions.',
  })
  const nameKey = z.strictObject({
    version,
    key: key.meta({
      description: 'The key of the names that Coze sees, of at least 32 characters.',
    }),
  })
  return z
    .strictObject({
      key: key.meta({
        description:
          'The key of session ids, of at least 32 characters. It must not change while the store is in use: with another key the store does not open.',
      }),
      nameKeys: z
        .array(nameKey)
        .refine((keys) => new Set(keys.map((one) => one.version)).size === keys.length, {
          error: 'must have different versions',
        })
        .default([])
        .meta({
          description:
            'The keys that name sessions. Older keys are kept as a record. Needed unless `session.nameClaim` names every session.',
        }),
      nameClaim: z
        .strictObject({
          issuer: z.string().min(1).meta({ description: 'One of the issuers.' }),
          claim: z
            .string()
            .min(1)
            .max(128)
            .meta({ description: 'The claim whose value is the name of the session.' }),
        })
        .optional()
        .meta({
          description:
            'A verified claim that Coze sees as the name of the session, for the callers of one issuer.',
        }),
    })
    .meta({ description: 'How sessions are identified.' })
}
