import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import { Secret } from '../../lib/secret.ts'
import { mendPem, pemSlip } from '../pem.ts'
import { secretSchema, type SecretSource } from '../secret-source.ts'
import { cozeId } from './target.ts'

/** How the gateway proves itself to Coze. */
export type CozeCredentials =
  | {
      readonly type: 'oauth'
      readonly appId: string
      readonly keyId: string
      /** PKCS #8 PEM of an RSA key. */
      readonly privateKey: Secret
      /** The lifetime to request. */
      readonly accessTokenSeconds: number
      /** The organisation of the tokens. Members of several organisations need it. */
      readonly accountId?: string | undefined
      /** The `aud` of our assertions. */
      readonly audience: string
    }
  /** One upstream identity for all sessions. It needs `allowSharedToken`. */
  | { readonly type: 'token'; readonly token: Secret }

export function credentialsSchema(source: SecretSource) {
  const oauth = z.strictObject({
    type: z.literal('oauth').meta({ description: 'An OAuth app of the type JWT.' }),
    appId: cozeId.meta({ description: 'Id of the OAuth app.' }),
    keyId: z
      .string()
      .regex(/^[\x21-\x7e]{1,256}$/, {
        error: 'must be the fingerprint of the public key alone, as the console shows it',
      })
      .meta({ description: 'Fingerprint of the public key, as the console shows it.' }),
    privateKey: secretSchema(source)
      .transform((secret, context) => {
        const pem = mendPem(secret.reveal())
        try {
          const key = createPrivateKey(pem)
          const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
          if (key.asymmetricKeyType === 'rsa' && bits >= 2_048) {
            return new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
          }
          context.addIssue('must be an RSA key of at least 2048 bits: Coze verifies RS256')
        } catch {
          const slip = pemSlip(pem)
          const wanted = 'must be a PEM private key (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY)'
          context.addIssue(slip === undefined ? wanted : `${wanted}: ${slip}`)
        }
        return z.NEVER
      })
      .meta({ description: 'Private key of the OAuth app: an RSA key as PEM.' }),
    accessTokenSeconds: z.number().int().min(60).max(86_399).default(3_600).meta({
      description: 'The lifetime of the access tokens that are requested.',
      unit: 'seconds',
    }),
    accountId: cozeId.optional().meta({
      description: 'The organisation of the tokens. Members of several organisations need it.',
    }),
    audience: z
      .string()
      .regex(/^[\w.:-]+$/, { error: 'must be a host such as api.coze.com, without a scheme' })
      .optional()
      .meta({ description: 'The `aud` of our assertions. The default is the host of `baseUrl`.' }),
  })
  const token = z.strictObject({
    type: z.literal('token').meta({
      description: 'A personal access token, which a self-hosted Coze Studio needs.',
    }),
    token: secretSchema(source)
      .refine((token) => /^[\x21\x23-\x26\x28-\x7e]+$/.test(token.reveal()), {
        error: 'must be the token alone, without "Bearer", quotes and spaces',
      })
      .meta({ description: 'The personal access token.' }),
    allowSharedToken: z
      .literal(true, {
        error:
          'must be true: a personal access token is one upstream identity for all sessions, so only conversations keep them apart',
      })
      .meta({
        description: 'Must be `true`: the token is one upstream identity for all sessions.',
      }),
  })
  return z
    .discriminatedUnion('type', [oauth, token], {
      error: 'must be credentials of "type" "oauth" or "token"',
    })
    .meta({ description: 'How the gateway proves itself to Coze.' })
}

export function toCredentials(
  credentials: z.output<ReturnType<typeof credentialsSchema>>,
  baseUrl: string,
): CozeCredentials {
  if (credentials.type === 'token') return { type: 'token', token: credentials.token }
  return { ...credentials, audience: credentials.audience ?? new URL(baseUrl).host }
}
