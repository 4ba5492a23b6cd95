import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Call, Context } from '../dialect.ts'
import { OAuthError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createPrincipal } from '../storage/ownership.ts'

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

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

/**
 * Exchanges the JWT of an OAuth service app for an access token of its `session_name` (docs/coze-platform.md#oauth).
 * @throws {OAuthError}
 */
export async function exchangeToken(
  { req, body, params }: Call,
  { settings, clock, tokens, changes }: Context,
): Promise<object> {
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
  const { app, claims } = await verify(jwt, req.headers.host ?? '', settings, clock)
  if (!tokens.useAssertion(app.appId, claims.jti)) throw invalidClient('jti has been used')

  const accountId = params['account_id'] ?? params['enterprise_id'] ?? app.accountId
  const principal = createPrincipal(accountId, claims.session_name)
  const grant = { principal, scopes: app.scopes }
  const { token, expiresAt } = tokens.issue(grant, duration_seconds ?? 900)
  changes.notify()
  // `expires_in` is an instant, not a lifetime.
  return { access_token: token, expires_in: expiresAt, token_type: 'Bearer' }
}

async function verify(jwt: string, host: string, settings: Settings, clock: Clock) {
  try {
    const { kid } = decodeProtectedHeader(jwt)
    const app = settings.apps.find(({ keyId }) => keyId === kid)
    if (app === undefined) throw invalidClient('kid not been registred')
    const { payload } = await jwtVerify(jwt, app.publicKey, {
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

function invalidClient(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', 401, `invalid jwt: ${reason}`, { cause })
}
