import { createAuthenticator, type Authenticator } from '../../../src/auth/authenticator.ts'
import { createGuests, type Guests } from '../../../src/auth/guests.ts'
import type { ApiKeySettings } from '../../../src/config/sections/api-keys.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createHmacIssuer, createRsaIssuer, type HmacIssuer, type RsaIssuer } from './issuer.ts'
import { createFakeClock, type FakeClock } from '../fakes/clock.ts'
import { randomId } from '../fakes/ids.ts'
import { issuerSettings } from './issuer-settings.ts'

export const cookieName = '__Host-coze-gateway'
export const guestKey = 'a key for guests, of more than 32 characters'
export const guestLifetimeSeconds = 7 * 86_400

/** Every way in, on a clock that stands still: two issuers, guests, cookies, and the API keys that a test brings. */
export interface WaysInKit extends Disposable {
  readonly clock: FakeClock
  readonly nowSeconds: () => number
  readonly rsa: RsaIssuer
  readonly hmac: HmacIssuer
  readonly guests: Guests
  readonly auth: Authenticator
}

export async function openWaysIn(
  options: {
    readonly apiKeys?: readonly ApiKeySettings[]
    readonly cookie?: false
    /** Of the RSA issuer. */
    readonly tenantClaim?: string
  } = {},
): Promise<WaysInKit> {
  const clock = createFakeClock()
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  const rsa = await createRsaIssuer({ nowSeconds })
  const hmac = createHmacIssuer({ nowSeconds })
  const issuers = [
    issuerSettings({
      ...rsa.settings,
      clockToleranceSeconds: 0,
      ...(options.tenantClaim !== undefined && { tenantClaim: options.tenantClaim }),
    }),
    issuerSettings({ ...hmac.settings, clockToleranceSeconds: 0 }),
  ]
  const guests = createGuests(
    { key: new Secret(guestKey), lifetimeSeconds: guestLifetimeSeconds },
    { clock, newId: randomId },
  )
  const auth = createAuthenticator({
    maxTokenLength: 15_360,
    issuers,
    apiKeys: options.apiKeys ?? [],
    cookie: options.cookie === false ? undefined : { name: cookieName },
    guests,
    clock,
    fetchJson: () => Promise.reject(new Error('nothing is fetched here')),
    onFetchFailure: () => undefined,
  })
  return {
    clock,
    nowSeconds,
    rsa,
    hmac,
    guests,
    auth,
    [Symbol.dispose]: () => auth[Symbol.dispose](),
  }
}

export function inCookie(token: string): Headers {
  return new Headers({ cookie: `${cookieName}=${token}` })
}
