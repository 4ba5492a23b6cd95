import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { mendPem, pemSlip } from './pem.ts'
import { secretSchema, type SecretSource } from './secret-source.ts'

/** A PEM public key or certificate, or a JWK as an object or as text; PEM and text also by reference. */
export function publicKeySchema(source: SecretSource) {
  return z.union([z.string(), z.looseObject({})]).transform((value, context): KeyObject => {
    const refuse = (message: string) => {
      context.addIssue(message)
      return z.NEVER
    }
    const given = typeof value === 'object' && 'kty' in value ? value : undefined
    const read = given ? undefined : secretSchema(source).safeParse(value)
    if (read?.error) return refuse(read.error.issues[0]?.message ?? '')
    const text = read?.data?.reveal() ?? ''
    const jwk = given ?? parseJwk(text)
    if (jwk ? 'd' in jwk : text.includes('PRIVATE KEY')) {
      return refuse('is a private key: the gateway needs the public one only')
    }
    try {
      const key = createPublicKey(jwk ? { key: jwk, format: 'jwk' } : mendPem(text))
      const bits = key.asymmetricKeyDetails?.modulusLength
      return bits !== undefined && bits < 2_048 ? refuse('must have at least 2048 bits') : key
    } catch {
      const slip = jwk ? undefined : pemSlip(mendPem(text))
      const wanted = 'must be a PEM public key or certificate, or a JWK'
      return refuse(slip === undefined ? wanted : `${wanted}: ${slip}`)
    }
  })
}

function parseJwk(text: string): JsonWebKeyInput['key'] | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return z.looseObject({}).parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
