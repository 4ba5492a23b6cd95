import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { exportJWK, SignJWT, type JWK, type JWTPayload } from 'jose'

/** A party that signs callers in, as a test needs it. */
export interface TestIssuer {
  readonly issuer: string
  readonly audience: string
  /** An entry of `issuers` in a configuration: an HS256 secret or a PEM public key. */
  readonly settings: Readonly<Record<string, unknown>>
  /** A bearer token of the caller; `claims` and `header` go over the usual ones. Default: good for an hour. */
  sign(subject: string, claims?: JWTPayload, header?: TokenHeader): Promise<string>
}

/** Members that are undefined are left out. */
export interface TokenHeader {
  readonly [name: string]: unknown
}

export interface HmacIssuer extends TestIssuer {
  readonly secret: string
}

export interface RsaIssuer extends TestIssuer {
  readonly publicPem: string
  readonly privateKey: KeyObject
  /** What a key server publishes. */
  readonly jwk: JWK
}

export interface IssuerOptions {
  readonly issuer?: string
  readonly audience?: string
  /** Seconds since the epoch. Default: the system's. */
  readonly nowSeconds?: () => number
}

export function createHmacIssuer(options: IssuerOptions = {}): HmacIssuer {
  const secret = randomBytes(32).toString('base64url')
  const key = new TextEncoder().encode(secret)
  const common = commonOf(options, 'https://hmac.test')
  return {
    ...common,
    secret,
    settings: { issuer: common.issuer, audience: common.audience, secret },
    sign: (subject, claims = {}, header = {}) =>
      signer(common, subject, claims)
        .setProtectedHeader({ alg: 'HS256', ...header })
        .sign(key),
  }
}

export async function createRsaIssuer(
  options: IssuerOptions & { readonly kid?: string } = {},
): Promise<RsaIssuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = options.kid ?? 'key-1'
  const common = commonOf(options, 'https://rsa.test')
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return {
    ...common,
    publicPem,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' },
    settings: { issuer: common.issuer, audience: common.audience, publicKey: publicPem },
    sign: (subject, claims = {}, header = {}) =>
      signer(common, subject, claims)
        .setProtectedHeader({ alg: 'RS256', kid, ...header })
        .sign(privateKey),
  }
}

type Common = Required<IssuerOptions>

function commonOf(options: IssuerOptions, issuer: string): Common {
  const nowSeconds = () => Math.floor(Date.now() / 1000)
  return { issuer, audience: 'gateway', nowSeconds, ...options }
}

function signer({ issuer, audience, nowSeconds }: Common, subject: string, claims: JWTPayload) {
  const now = nowSeconds()
  return new SignJWT({
    iss: issuer,
    aud: audience,
    sub: subject,
    iat: now,
    exp: now + 3_600,
    ...claims,
  })
}
