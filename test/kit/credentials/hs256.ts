import { createHmac, randomUUID } from 'node:crypto'

/** A caller's token, signed with nothing but `node:crypto`: a mistake of a library cannot hide in both halves. */
export function signToken(claims: {
  readonly issuer: string
  readonly audience: string
  readonly secret: string
  readonly subject: string
  readonly expiresInSeconds: number
  readonly scope?: string | undefined
}): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = part({
    iss: claims.issuer,
    aud: claims.audience,
    sub: claims.subject,
    iat: now,
    exp: now + claims.expiresInSeconds,
    jti: randomUUID(),
    scope: claims.scope,
  })
  const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${payload}`
  return `${unsigned}.${createHmac('sha256', claims.secret).update(unsigned).digest('base64url')}`
}
