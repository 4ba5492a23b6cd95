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
  return z.strictObject({
    key,
    nameKeys: z
      .array(z.strictObject({ version: z.number().int().min(1), key }))
      .refine((keys) => new Set(keys.map(({ version }) => version)).size === keys.length, {
        error: 'must have different versions',
      })
      .default([]),
    nameClaim: z
      .strictObject({ issuer: z.string().min(1), claim: z.string().min(1).max(128) })
      .optional(),
  })
}
