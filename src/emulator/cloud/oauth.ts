import { createPublicKey } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Call, Context } from '../context.ts'
import { OAuthError } from '../call-errors.ts'
import { createPrincipal } from '../world.ts'

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const maxAssertions = 100_000

const requestSchema = z.object({
  grant_type: z.string(),
  duration_seconds: z.number().int().min(1).max(86_399).optional(),
})

const claimsSchema = z.object({
  iat: z.number(),
  exp: z.number(),
  jti: z.string().min(1),
  session_name: z.string().min(1).optional(),
})

export interface TokenEndpoint {
  /** @throws {OAuthError} */
  exchange(call: Call): Promise<object>
  /** The `jti` of every JWT that was exchanged, oldest first. */
  assertions(): readonly string[]
}

/**
 * Exchanges the JWT of an OAuth service app for an access token of its `session_name` (docs/coze-platform.md#oauth).
 * @throws {TypeError} when an app's public key is no PEM.
 */
export function createTokenEndpoint({ settings, clock, tokens, changes }: Context): TokenEndpoint {
  const apps = new Map(
    settings.apps.map((app) => [app.keyId, { ...app, key: createPublicKey(app.publicKeyPem) }]),
  )
  const used = new Set<string>()

  return {
    async exchange({ req, body, params }) {
      const request = requestSchema.safeParse(body)
      if (!request.success) {
        const field = request.error.issues[0]?.path.join('.') ?? 'body'
        throw new OAuthError('invalid_request', 400, `invalid request: ${field}`)
      }
      const { grant_type, duration_seconds } = request.data
      if (grant_type !== grantType) {
        const message = `not supported grant type: ${grant_type}`
        throw new OAuthError('unsupported_grant_type', 400, message)
      }
      const jwt = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1] ?? ''
      const { app, claims } = await verify(jwt, req.headers.host ?? '')
      const jti = `${app.appId} ${claims.jti}`
      if (used.has(jti)) throw invalidClient('jti has been used')
      used.add(jti)
      const [oldest] = used
      if (used.size > maxAssertions && oldest !== undefined) used.delete(oldest)

      const accountId = params['account_id'] ?? app.accountId
      const principal = createPrincipal(accountId, claims.session_name)
      const { token, expiresAt } = tokens.issue(principal, duration_seconds ?? 900)
      changes.notify()
      // `expires_in` is an instant, not a lifetime.
      return { access_token: token, expires_in: expiresAt, token_type: 'Bearer' }
    },
    assertions: () => [...used].map((jti) => jti.slice(jti.indexOf(' ') + 1)),
  }

  async function verify(jwt: string, host: string) {
    try {
      const app = apps.get(decodeProtectedHeader(jwt).kid ?? '')
      if (app === undefined) throw invalidClient('kid not been registred')
      const { payload } = await jwtVerify(jwt, app.key, {
        algorithms: ['RS256'],
        issuer: app.appId,
        audience: settings.audiences ?? host,
        requiredClaims: ['iat', 'exp', 'jti'],
        clockTolerance: settings.clockToleranceSeconds,
        currentDate: new Date(clock.now()),
      })
      const claims = claimsSchema.parse(payload)
      const now = clock.now() / 1000 + settings.clockToleranceSeconds
      if (claims.iat > now) throw invalidClient('iat is in the future')
      if (claims.exp <= claims.iat) throw invalidClient('exp is not after iat')
      return { app, claims }
    } catch (error) {
      if (error instanceof errors.JOSEError) throw invalidClient(error.message, error)
      if (error instanceof z.ZodError || error instanceof TypeError) {
        throw invalidClient('malformed', error)
      }
      throw error
    }
  }
}

function invalidClient(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', 401, `invalid jwt: ${reason}`, { cause })
}
