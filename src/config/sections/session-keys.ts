import { z } from 'zod'
import type { Secret } from '../../lib/secret.ts'
import { secretSchema, type SecretSource } from '../secret-source.ts'

/** One key of the ring that names sessions. */
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
  /** Makes session ids. Fixed for the store's life: under another key every session is a new one. */
  readonly key: Secret
  /** The highest version names new sessions; the others are kept for the record. Empty only where `nameClaim` names all. */
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
    key: key.meta({ description: 'Makes the names that Coze sees; at least 32 characters.' }),
  })
  return z
    .strictObject({
      key: key.meta({
        description:
          'Makes session ids; at least 32 characters. Fixed for the life of the store: under another key every session is a new one.',
      }),
      nameKeys: z
        .array(nameKey)
        .refine((keys) => new Set(keys.map((one) => one.version)).size === keys.length, {
          error: 'must have different versions',
        })
        .default([])
        .meta({
          description:
            'Keys that name sessions; older ones are kept for the record. Needed unless `session.nameClaim` names every session.',
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
            'A verified claim that Coze sees as the name, for the callers of one issuer.',
        }),
    })
    .meta({ description: 'How sessions are identified.' })
}
