import { createHash } from 'node:crypto'
import { z } from 'zod'

/** One key of a trusted backend, which speaks for users of its own. Several keys of a backend give the same sessions. */
export interface ApiKeySettings {
  /** For the operators: which key it is. */
  readonly id: string
  /** Whose key it is; users of different backends never meet. */
  readonly backend: string
  /** SHA-256 of the key, as 64 small hexadecimal digits. The key itself has at least 32 characters. */
  readonly sha256: string
  /** Default none. */
  readonly scopes: readonly string[]
  /** Tells the backend's tenants apart: one key for each. */
  readonly tenant?: string | undefined
  /** When the key stops being accepted, in ms since the epoch. Default never. */
  readonly notAfter?: number | undefined
}

const name = z
  .string()
  .min(1)
  .max(128)
  .regex(/^\P{Cc}+$/u, { error: 'must have no control characters' })
  .regex(/[^\p{White_Space}\p{Default_Ignorable_Code_Point}]/u, { error: 'must not be blank' })

export const scopeSchema = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
  error: 'must be a scope: visible ASCII without spaces, quotes and backslashes',
})

const digestOfNothing = createHash('sha256').digest('hex')

const apiKeySchema = z
  .strictObject({
    id: name.meta({ description: 'Tells operators which key it is.' }),
    backend: name.meta({
      description: 'Whose key it is; users of different backends never meet.',
    }),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, {
        error: 'must be the SHA-256 of the key, as 64 hexadecimal digits',
      })
      .toLowerCase()
      .refine((digest) => digest !== digestOfNothing, {
        error: 'is the SHA-256 of no text at all: the variable of the key was empty',
      })
      .meta({
        description:
          'SHA-256 of the key, as 64 hexadecimal digits. The key itself has at least 32 characters.',
      }),
    scopes: z
      .array(scopeSchema)
      .default([])
      .meta({ description: 'Scopes of its users, such as that of operators.' }),
    tenant: name
      .optional()
      .meta({ description: 'Tells the tenants of a backend apart: one key for each.' }),
    notAfter: z.iso
      .datetime({
        offset: true,
        error: 'must be a date and time with an offset, such as 2030-01-31T00:00:00Z',
      })
      .transform((text) => Date.parse(text))
      .optional()
      .meta({ description: 'When the key stops being accepted. Left out, it does not.' }),
  })
  .transform((key): ApiKeySettings => key)

export const apiKeysSchema = z.array(apiKeySchema).default([]).meta({
  description: 'Keys of trusted backends, which speak for users of their own.',
})
