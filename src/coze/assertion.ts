import { type KeyObject, createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Secret } from '../lib/secret.ts'

/** The claims of a JWT that is offered for an access token. */
interface AssertionClaims {
  readonly iss: string
  readonly aud: string
  /** Instants in seconds since the epoch. */
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly session_name: string
}

/** Makes a JWT; a parameter, since signing takes real time on another thread. */
export type SignAssertion = (claims: AssertionClaims) => Promise<string>

interface SigningCredentials {
  readonly keyId: string
  readonly privateKey: Secret
}

/** @throws {TypeError} when the private key cannot be used. */
export function createSigner({ keyId, privateKey }: SigningCredentials): SignAssertion {
  const key = readPrivateKey(privateKey)
  return (claims) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: keyId })
      .sign(key)
}

function readPrivateKey(pem: Secret): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPrivateKey(pem.reveal())
  } catch {
    // The library's own message may quote its input.
  }
  if (key?.asymmetricKeyType === 'rsa') return key
  throw new TypeError('"privateKey" must be an RSA private key as PEM (PKCS#8 or PKCS#1)')
}
