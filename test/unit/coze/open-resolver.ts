import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt } from 'jose'
import type { CozeReading, CozeRequest } from '../../../src/coze/client.ts'
import { CozeError } from '../../../src/coze/errors.ts'
import { createTokenResolver } from '../../../src/coze/token.ts'
import { type OAuthCredentials } from '../../../src/coze/minting.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { tokenOptions } from '../../kit/fakes/coze-options.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'

export const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

/** A resolver on a token endpoint that names the session and counts: `alice#1`, `alice#2`, … */
export function openResolver(
  options: {
    readonly credentials?: Partial<OAuthCredentials>
    readonly maxConcurrentMints?: number
    readonly maxEntries?: number
    /** Comes before each answer; may wait, or refuse. */
    readonly before?: (mint: number, request: CozeRequest, signal: AbortSignal) => Promise<void>
    /** How far the upstream's clock is ahead of ours, in ms. */
    readonly skewMs?: number
    /** What the endpoint gives for a token. Default: the token that it counted. */
    readonly tokenOf?: (token: string) => unknown
  } = {},
) {
  const clock = createFakeClock()
  const requests: CozeRequest[] = []
  const minted: string[] = []
  const jwts: string[] = []
  let flying = 0
  let mostFlying = 0
  const { tokenOf = (token: string) => token } = options
  const upstreamNow = () => clock.now() + (options.skewMs ?? 0)
  const client = {
    async request<T>(request: CozeRequest & CozeReading<T>, given: AbortSignal): Promise<T> {
      requests.push(request)
      jwts.push(request.target.token.reveal())
      flying += 1
      mostFlying = Math.max(mostFlying, flying)
      try {
        await options.before?.(requests.length, request, given)
        given.throwIfAborted()
        const { session_name: session, iat = 0 } = decodeJwt(request.target.token.reveal())
        const late = upstreamNow() / 1000 - iat
        if (late < 0 || late > 300) {
          throw new CozeError('auth', 'the upstream answered with code invalid_client', {
            accepted: 'no',
            serverTime: upstreamNow(),
          })
        }
        const count = minted.filter((token) => token.startsWith(`${String(session)}#`)).length + 1
        const token = `${String(session)}#${count}`
        minted.push(token)
        return request.read({
          body: {
            access_token: tokenOf(token),
            expires_in: Math.floor(upstreamNow() / 1000) + 3600,
          },
          logId: undefined,
          serverTime: upstreamNow(),
        })
      } finally {
        flying -= 1
      }
    },
  }
  const outcomes: string[] = []
  const resolver = createTokenResolver({
    client,
    clock,
    newId: randomId,
    metrics: { ...uncounted, tokenMinted: (outcome) => void outcomes.push(outcome) },
    credentials: {
      type: 'oauth',
      baseUrl: 'http://127.0.0.1:7000/prefix',
      appId: 'app-1',
      keyId: 'key-1',
      privateKey: new Secret(keys.privateKey),
      accessTokenSeconds: 3600,
      audience: '127.0.0.1:7000',
      ...options.credentials,
    },
    ...tokenOptions,
    ...(options.maxConcurrentMints !== undefined && {
      maxConcurrentMints: options.maxConcurrentMints,
    }),
    ...(options.maxEntries !== undefined && { maxEntries: options.maxEntries }),
  })
  const { signal } = new AbortController()
  return {
    clock,
    resolver,
    requests,
    minted,
    jwts,
    outcomes,
    get mostFlying() {
      return mostFlying
    },
    reveal: async (session: string) => {
      const { target } = await resolver.token(session, signal)
      return target.token.reveal()
    },
  }
}
