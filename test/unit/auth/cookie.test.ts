import { describe, expect, it } from 'vitest'
import { apiKey, asBackend } from '../../kit/credentials/api-keys.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { cookieName, inCookie, openWaysIn } from '../../kit/credentials/sign-in.ts'

const refused = { code: 'UNAUTHENTICATED', status: 401 }

describe('a cookie', () => {
  it('is a credential as the header is, and the identity says which it was', async () => {
    using kit = await openWaysIn()
    const token = await kit.rsa.sign('alice')
    const [header, cookie, both] = await Promise.all(
      [bearer(token), inCookie(token), headersOf(token, `${cookieName}=${token}`)].map((headers) =>
        kit.auth.authenticate(headers),
      ),
    )
    expect(cookie?.caller).toEqual(header?.caller)
    expect([header?.by, cookie?.by, both?.by]).toEqual(['header', 'cookie', 'header'])
  })

  it('is found among others, wherever it stands', async () => {
    using kit = await openWaysIn()
    const mine = `${cookieName}=${await kit.rsa.sign('alice')}`
    for (const cookie of [
      `a=1; ${mine}`,
      `${mine}; a=1`,
      `a=1;${mine};b="x=y"`,
      `; ;${mine} \t;`,
    ]) {
      const caller = await callerOf(kit.auth, new Headers({ cookie }))
      expect(caller.subject).toBe('alice')
    }
  })

  it('is no credential where it is not configured', async () => {
    using kit = await openWaysIn({ cookie: false })
    const token = await kit.rsa.sign('alice')
    expect(await kit.auth.authenticate(inCookie(token))).toBeUndefined()
    const both = headersOf(await kit.rsa.sign('bob'), `${cookieName}=${token}`)
    expect(await callerOf(kit.auth, both)).toMatchObject({ subject: 'bob' })
  })

  it('that is written twice with one value is one', async () => {
    using kit = await openWaysIn()
    const mine = `${cookieName}=${await kit.rsa.sign('alice')}`
    const headers = new Headers({ cookie: `${mine}; a=1; ${mine}` })
    expect(await callerOf(kit.auth, headers)).toMatchObject({ subject: 'alice' })
  })

  it('may be another token than the header shows, if both are of one caller', async () => {
    using kit = await openWaysIn()
    const old = await kit.rsa.sign('alice', { scope: 'old' })
    const fresh = await kit.rsa.sign('alice', { scope: 'new' })
    const caller = await callerOf(kit.auth, headersOf(fresh, `${cookieName}=${old}`))
    expect(caller.scopes).toEqual(['new'])
  })

  it.each<readonly [string, (alice: string, bob: string, other: string) => string]>([
    ['of another subject', (_alice, bob) => bob],
    ['of the same subject with another issuer', (_alice, _bob, other) => other],
    ['that is garbage', () => 'garbage'],
    ['that is empty', () => ''],
    ['with a changed signature', (alice) => `${alice.slice(0, -4)}AAAA`],
    ['of 200 KB', () => 'x'.repeat(200_000)],
  ])('%s is refused beside a good header', async (_name, make) => {
    using kit = await openWaysIn()
    const alice = await kit.rsa.sign('alice')
    const cookie = make(alice, await kit.rsa.sign('bob'), await kit.hmac.sign('alice'))
    const headers = headersOf(alice, `${cookieName}=${cookie}`)
    await expect(callerOf(kit.auth, headers)).rejects.toMatchObject(refused)
  })

  it('does not help a header that is refused', async () => {
    using kit = await openWaysIn()
    const cookie = `${cookieName}=${await kit.rsa.sign('alice')}`
    for (const authorization of ['', 'Bearer', 'Bearer x', 'Basic YTpi', 'Bearer a b']) {
      const headers = new Headers({ authorization, cookie })
      await expect(callerOf(kit.auth, headers)).rejects.toMatchObject(refused)
    }
  })

  it('of another tenant or kind disagrees with a header that is the same otherwise', async () => {
    const guestly = apiKey('guestly', { backend: 'guests' })
    using kit = await openWaysIn({ apiKeys: [guestly.settings], tenantClaim: 'org' })
    const [acme, globex] = await Promise.all(
      ['acme', 'globex'].map((org) => kit.rsa.sign('alice', { org })),
    )
    const tenants = headersOf(acme ?? '', `${cookieName}=${globex}`)
    await expect(callerOf(kit.auth, tenants)).rejects.toMatchObject(refused)
    const { token } = await kit.guests.issue('alice')
    const kinds = asBackend(guestly.key, 'alice')
    kinds.set('cookie', `${cookieName}=${token}`)
    await expect(callerOf(kit.auth, kinds)).rejects.toMatchObject(refused)
    const same = headersOf(acme ?? '', `${cookieName}=${acme}`)
    expect(await callerOf(kit.auth, same)).toMatchObject({ tenant: 'acme' })
  })

  it('disagrees with an API key whatever subject that one names', async () => {
    const one = apiKey('one')
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    const headers = asBackend(one.key, 'alice')
    headers.set('cookie', `${cookieName}=${await kit.rsa.sign('alice')}`)
    await expect(callerOf(kit.auth, headers)).rejects.toMatchObject(refused)
  })

  it.each<readonly [string, (alice: string, bob: string) => string]>([
    ['shadowed by another value', (a, b) => `a=1; ${cookieName}=${a}; ${cookieName}=${b}`],
    ['shadowed by an empty value', (a) => `${cookieName}=; ${cookieName}=${a}`],
    ['shadowed behind', (a) => `${cookieName}=${a}; ${cookieName}=x`],
    ['in quotes', (a) => `${cookieName}="${a}"`],
    ['with two values', (a, b) => `${cookieName}=${a}, ${cookieName}=${b}`],
  ])('T8 that is %s is refused', async (_name, make) => {
    using kit = await openWaysIn()
    const cookie = make(await kit.rsa.sign('alice'), await kit.rsa.sign('bob'))
    await expect(callerOf(kit.auth, new Headers({ cookie }))).rejects.toMatchObject(refused)
  })

  // Browsers guard the exact prefix only: what comes near it, a page of a sibling host or plain http may have set.
  it.each<readonly [string, (token: string) => string]>([
    ['in small letters', (token) => `${cookieName.toLowerCase()}=${token}`],
    ['without its prefix', (token) => `coze-gateway=${token}`],
    ['behind a no-break space', (token) => `\u00a0${cookieName}=${token}`],
    ['behind a byte order mark', (token) => `\u00ef\u00bb\u00bf${cookieName}=${token}`],
    ['behind a form feed', (token) => `\u000c${cookieName}=${token}`],
    ['before a space', (token) => `${cookieName} =${token}`],
    ['as the value of a nameless one', (token) => `=${cookieName}=${token}`],
    ['within the value of another', (token) => `a=${cookieName}=${token}`],
    ['with an encoded name', (token) => `__Host%2Dcoze-gateway=${token}`],
    ['by the old syntax', (token) => `$Version=1, ${cookieName}=${token}`],
    ['without a value', () => cookieName],
  ])('T8 of a name that is nearly right is none: %s', async (_name, make) => {
    using kit = await openWaysIn()
    const cookie = make(await kit.rsa.sign('alice'))
    const headers = { get: (name: string) => (name === 'cookie' ? cookie : undefined) }
    expect(await kit.auth.authenticate(headers)).toBeUndefined()
  })
})

function headersOf(token: string, cookie: string): Headers {
  return new Headers({ authorization: `Bearer ${token}`, cookie })
}
