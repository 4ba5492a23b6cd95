import { createHash } from 'node:crypto'
import { z } from 'zod'

/** One key of a trusted backend, which acts for its own users. All keys of a backend give the same sessions. */
export interface ApiKeySettings {
  /** The name of the key, for operators. */
  readonly id: string
  /** The backend that owns the key. Users of different backends never share a session. */
  readonly backend: string
  /** SHA-256 of the key, as 64 lower-case hexadecimal digits. The key itself has at least 32 characters. */
  readonly sha256: string
  /** Default: none. */
  readonly scopes: readonly string[]
  /** The tenant of the backend. Each tenant needs a key of its own. */
  readonly tenant?: string | undefined
  /** The time after which the key is refused, in ms since the epoch. Default: never. */
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
    id: name.meta({ description: 'The name of the key, for operators.' }),
    backend: name.meta({
      description:
        'The backend that owns the key. Users of different backends never share a session.',
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
      .meta({ description: 'The scopes of its users, such as that of operators.' }),
    tenant: name
      .optional()
      .meta({ description: 'The tenant of the backend. Each tenant needs a key of its own.' }),
    notAfter: z.iso
      .datetime({
        offset: true,
        error: 'must be a date and time with an offset, such as 2030-01-31T00:00:00Z',
      })
      .transform((text) => Date.parse(text))
      .optional()
      .meta({
        description: 'The time after which the key is refused. Left out, it does not expire.',
      }),
  })
  .transform((key): ApiKeySettings => key)

export const apiKeysSchema = z.array(apiKeySchema).default([]).meta({
  description: 'Keys of trusted backends, which act for their own users.',
})
