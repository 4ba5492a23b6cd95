import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isOperator } from '../../../src/auth/identity.ts'
import { parseSubject } from '../../../src/auth/api-keys.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSessionNamer } from '../../../src/session/namer.ts'
import { apiKey, asBackend, sha256 } from '../../kit/credentials/api-keys.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { inCookie, openWaysIn } from '../../kit/credentials/sign-in.ts'

const hourMs = 3_600_000
const refused = { code: 'UNAUTHENTICATED', status: 401 }
const bad = { code: 'BAD_REQUEST', status: 400 }
const one = apiKey('one')
const namer = createSessionNamer({
  key: new Secret('k'.repeat(32)),
  nameKeys: [{ version: 1, key: new Secret('n'.repeat(32)) }],
})

describe('an API key', () => {
  it('tells which backend speaks, and for which of its users', async () => {
    const scoped = apiKey('scoped', { scopes: ['a', 'b'], tenant: 'acme' })
    using kit = await openWaysIn({ apiKeys: [one.settings, scoped.settings] })
    expect(await callerOf(kit.auth, asBackend(one.key, 'alice'))).toEqual({
      kind: 'api-key',
      issuer: 'shop',
      subject: 'alice',
      scopes: [],
      expiresAt: kit.clock.now() + hourMs,
    })
    expect(await callerOf(kit.auth, asBackend(scoped.key, 'alice'))).toMatchObject({
      tenant: 'acme',
      scopes: ['a', 'b'],
    })
  })

  it('T10 makes a credential for an hour, or until it is used up', async () => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    expect(await callerOf(kit.auth, asBackend(one.key, 'alice'))).toMatchObject({
      expiresAt: kit.clock.now() + hourMs,
    })
    const until = kit.clock.now() + 5 * hourMs
    const dated = apiKey('dated', { notAfter: until })
    kit.auth.replaceApiKeys([dated.settings])
    const present = () => callerOf(kit.auth, asBackend(dated.key, 'alice'))
    expect(await present()).toMatchObject({ expiresAt: until })
    kit.clock.advance(5 * hourMs - 1)
    expect(await present()).toMatchObject({ expiresAt: until })
    kit.clock.advance(1)
    await expect(present()).rejects.toMatchObject(refused)
  })

  it('gives the same sessions as another key of its backend, and others than any other backend', async () => {
    const next = apiKey('next')
    const bank = apiKey('bank', { backend: 'bank' })
    const tenant = apiKey('tenant', { tenant: 'acme' })
    const keys = [one, next, bank, tenant]
    using kit = await openWaysIn({ apiKeys: keys.map(({ settings }) => settings) })
    const idOf = async (key: string) =>
      namer.identify(await callerOf(kit.auth, asBackend(key, 'alice'))).id
    expect(await idOf(next.key)).toBe(await idOf(one.key))
    const ids = await Promise.all([one, bank, tenant].map(({ key }) => idOf(key)))
    expect(new Set(ids).size).toBe(3)
  })

  it('T4 of a backend that is called as an issuer is never gives the sessions of that issuer', async () => {
    using kit = await openWaysIn()
    const twin = apiKey('twin', { backend: kit.rsa.issuer })
    const guests = apiKey('guests', { backend: 'guests' })
    kit.auth.replaceApiKeys([twin.settings, guests.settings])
    const { token } = await kit.guests.issue('alice')
    const callers = await Promise.all(
      [
        bearer(await kit.rsa.sign('alice')),
        bearer(await kit.hmac.sign('alice')),
        asBackend(twin.key, 'alice'),
        asBackend(guests.key, 'alice'),
        bearer(token),
      ].map((headers) => callerOf(kit.auth, headers)),
    )
    expect(callers.every(({ subject }) => subject === 'alice')).toBe(true)
    expect(new Set(callers.map((caller) => namer.identify(caller).id)).size).toBe(callers.length)
  })

  const short = 'x'.repeat(31)
  const attacks: Record<string, () => Headers> = {
    'another key': () => asBackend(apiKey('other').key, 'alice'),
    'a key without its last character': () => asBackend(one.key.slice(0, -1), 'alice'),
    'a key with one more character': () => asBackend(`${one.key}A`, 'alice'),
    'a key with padding': () => asBackend(`${one.key}=`, 'alice'),
    'a key in capitals': () => asBackend(one.key.toUpperCase(), 'alice'),
    'a key in quotes': () => asBackend(`"${one.key}"`, 'alice'),
    'the digest of a key': () => asBackend(one.settings.sha256, 'alice'),
    'the name of a key': () => asBackend('one', 'alice'),
    'no key': () => asBackend('', 'alice'),
    'a short key, though its digest is configured': () => asBackend(short, 'alice'),
    'a megabyte': () => asBackend('x'.repeat(1_000_000), 'alice'),
    'two keys in one header': () => asBackend(`${one.key} ${one.key}`, 'alice'),
    'a key as a bearer token': () => {
      return new Headers({ authorization: `Bearer ${one.key}`, 'x-session-subject': 'alice' })
    },
    'a key under X-API-Key only, which is no way in': () =>
      new Headers({ 'x-api-key': one.key, authorization: 'Bearer ' }),
    'a key by Basic': () => new Headers({ authorization: `Basic ${btoa(`one:${one.key}`)}` }),
    'a doubled header': () => {
      const headers = asBackend(one.key, 'alice')
      headers.append('authorization', `ApiKey ${one.key}`)
      return headers
    },
    'a key and a bearer token in one header': () => {
      const headers = asBackend(one.key, 'alice')
      headers.append('authorization', 'Bearer a.b.c')
      return headers
    },
  }
  it.each(Object.entries(attacks))('T8 is refused with 401: %s', async (_name, attack) => {
    const weak = { ...one.settings, id: 'weak', sha256: sha256(short) }
    using kit = await openWaysIn({ apiKeys: [one.settings, weak] })
    await expect(callerOf(kit.auth, attack())).rejects.toMatchObject(refused)
    // What is refused falls through to nothing, be it as good as it may.
    const headers = attack()
    headers.set('cookie', inCookie(await kit.rsa.sign('alice')).get('cookie') ?? '')
    await expect(callerOf(kit.auth, headers)).rejects.toMatchObject(refused)
  })

  it('T8 is accepted when all is well, whatever the case of its scheme', async () => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    for (const scheme of ['ApiKey', 'apikey', 'APIKEY']) {
      const headers = asBackend(one.key, 'alice')
      headers.set('authorization', `${scheme} ${one.key}`)
      expect(await callerOf(kit.auth, headers)).toMatchObject({ subject: 'alice' })
    }
  })

  it('T8 as a caller token or the other way round is refused', async () => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    const jwt = await kit.rsa.sign('alice')
    const { token } = await kit.guests.issue()
    for (const key of [jwt, token]) {
      await expect(callerOf(kit.auth, asBackend(key, 'alice'))).rejects.toMatchObject(refused)
    }
    const cookie = inCookie(one.key)
    await expect(callerOf(kit.auth, cookie)).rejects.toMatchObject(refused)
  })

  it('can be taken back and replaced while the gateway runs', async () => {
    const next = apiKey('next')
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    kit.auth.replaceApiKeys([next.settings])
    await expect(callerOf(kit.auth, asBackend(one.key, 'alice'))).rejects.toMatchObject(refused)
    expect(await callerOf(kit.auth, asBackend(next.key, 'alice'))).toMatchObject({ issuer: 'shop' })
  })

  it('T10 proves nothing any more once it is taken back, used up, or another one than it was', async () => {
    using kit = await openWaysIn()
    const dated = apiKey('dated', { notAfter: kit.clock.now() + hourMs, scopes: ['a', 'b'] })
    const { settings } = dated
    const status = async () => {
      kit.auth.replaceApiKeys([settings])
      const identity = await kit.auth.authenticate(asBackend(dated.key, 'alice'))
      return identity?.status
    }
    const standsUnder = async (...keys: (typeof settings)[]) => {
      const made = await status()
      kit.auth.replaceApiKeys(keys)
      return made?.isStillAccepted()
    }
    expect(await standsUnder(settings)).toBe(true)
    expect(await standsUnder(one.settings, { ...settings, id: 'renamed' })).toBe(true)
    expect(await standsUnder({ ...settings, scopes: ['c', 'b', 'a'] })).toBe(true)
    expect(await standsUnder()).toBe(false)
    expect(await standsUnder(one.settings)).toBe(false)
    expect(await standsUnder({ ...settings, scopes: ['a'] })).toBe(false)
    expect(await standsUnder({ ...settings, backend: 'bank' })).toBe(false)
    expect(await standsUnder({ ...settings, tenant: 'acme' })).toBe(false)
    expect(await standsUnder({ ...settings, notAfter: kit.clock.now() })).toBe(false)
    const made = await status()
    kit.clock.advance(hourMs)
    expect(await made?.isStillAccepted()).toBe(false)
  })

  it('makes an operator by its scope, as a token does, and a guest is none', async () => {
    const operator = 'coze-gateway:operator'
    const scoped = apiKey('scoped', { scopes: ['x', operator] })
    using kit = await openWaysIn({ apiKeys: [one.settings, scoped.settings] })
    const { token } = await kit.guests.issue()
    const asked = [
      asBackend(scoped.key, 'alice'),
      bearer(await kit.rsa.sign('alice', { scope: `x ${operator}` })),
      asBackend(one.key, 'alice'),
      bearer(await kit.rsa.sign('alice', { scope: `${operator}s` })),
      bearer(token),
    ]
    const callers = await Promise.all(asked.map((headers) => callerOf(kit.auth, headers)))
    expect(callers.map((caller) => isOperator(caller, operator))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

describe('X-Session-Subject', () => {
  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['a stray percent', '50%'],
    ['a percent without digits', 'a%zz'],
    ['a raw space', 'a b'],
    ['a raw comma, as a doubled header has', 'alice, bob'],
    ['a raw character of Latin 1', 'é'],
    ['raw bytes of UTF-8', Buffer.from('漢').toString('latin1')],
    ['a double encoding of nothing', 'a%2'],
    ['an overlong encoding', '%C0%80'],
    ['half of a surrogate pair', '%ED%A0%80'],
    ['bytes that are no UTF-8', '%FF'],
    ['a raw comma without a space', 'alice,bob'],
    ['a raw quote', 'a"b'],
    ['a raw fragment', 'a#b'],
    ['a space alone', '%20'],
    ['every kind of space', encodeURIComponent(' \u00a0\u2003\u3000\u200b\ufeff')],
    ['a NUL', 'alice%00'],
    ['a newline', 'alice%0A'],
    ['a C1 control', 'a%C2%85'],
    ['257 bytes', 'x'.repeat(257)],
    ['86 characters of three bytes', encodeURIComponent('漢'.repeat(86))],
  ])('T4 that is %s is refused with 400', async (_name, subject) => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    await expect(callerOf(kit.auth, asBackend(one.key, subject))).rejects.toMatchObject(bad)
  })

  it.each([
    'alice',
    'Alice',
    'alice ',
    ' alice',
    'ａlice',
    'e\u0301',
    '\u00e9',
    'a/b',
    'a%00',
    'a, b',
    "O'Brien (sr)!*~",
    '小明',
    '👩‍💻',
    'x'.repeat(256),
  ])('T4 names %j to the last byte', async (subject) => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    const caller = await callerOf(kit.auth, asBackend(one.key, encodeURIComponent(subject)))
    expect(caller.subject).toBe(subject)
  })

  /** How the encoders of other languages write a subject: they differ in what they leave alone. */
  const leaving = (raw: string, digits: 'big' | 'small' = 'big') => {
    const escape = (byte: number) => {
      const pair = byte.toString(16).padStart(2, '0')
      return `%${digits === 'big' ? pair.toUpperCase() : pair}`
    }
    return (subject: string) =>
      Array.from(subject, (character) =>
        /[A-Za-z0-9]/.test(character) || raw.includes(character)
          ? character
          : Array.from(Buffer.from(character), escape).join(''),
      ).join('')
  }
  const encoders: Record<string, (subject: string) => string> = {
    'encodeURIComponent of JavaScript': encodeURIComponent,
    'quote of Python': leaving('_.-~/'),
    'quote of Python with safe=""': leaving('_.-~'),
    'PathEscape of Go': leaving('-_.~$&+=:@'),
    'QueryEscape of Go, spaces mended': leaving('-_.~'),
    'URLEncoder of Java, spaces mended': leaving('.-*_'),
    'EscapeDataString of C#': leaving('-_.~'),
    'UrlEncode of C#, spaces mended': leaving("-_.!*()'", 'small'),
    'rawurlencode of PHP': leaving('-_.~'),
    'ERB::Util.url_encode of Ruby': leaving('-_.~'),
    'every byte encoded': (subject) => leaving('')(subject).replaceAll('a', '%61'),
  }
  const subjects = [
    "O'Brien (sr)!*~",
    'alice@example.com',
    'a+b',
    'a b',
    'a/b?c=d&e:f;g$',
    '小明 é',
    '%61',
  ]

  it.each(Object.entries(encoders))(
    'T4 is taken to the last byte as another language encodes it: %s',
    async (_name, encode) => {
      using kit = await openWaysIn({ apiKeys: [one.settings] })
      for (const subject of subjects) {
        const caller = await callerOf(kit.auth, asBackend(one.key, encode(subject)))
        expect(caller.subject).toBe(subject)
      }
    },
  )

  it('T4 never lets two subjects meet, whichever encoders wrote them', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 })
    const encoder = fc.constantFrom(...Object.values(encoders))
    const parsed = (header: string) => {
      try {
        return parseSubject(header)
      } catch {
        return undefined
      }
    }
    fc.assert(
      fc.property(text, encoder, text, encoder, (first, encodeFirst, second, encodeSecond) => {
        const [one, other] = [parsed(encodeFirst(first)), parsed(encodeSecond(second))]
        if (one !== undefined) expect(one).toBe(first)
        if (one !== undefined && one === other) expect(first).toBe(second)
      }),
      { numRuns: 500 },
    )
  })

  it('T4 has no space in a plus: an encoder of forms would let "a b" and "a+b" meet', () => {
    expect(parseSubject('a+b')).toBe('a+b')
    expect(parseSubject('a%2Bb')).toBe('a+b')
    expect(parseSubject('a%20b')).toBe('a b')
  })

  it('is asked for by name where it is missing', async () => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    await expect(callerOf(kit.auth, asBackend(one.key))).rejects.toThrow('needs X-Session-Subject')
  })

  it('T5 without an API key is refused, never ignored', async () => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    const jwt = await kit.rsa.sign('alice')
    const { token } = await kit.guests.issue('alice')
    for (const headers of [new Headers(), bearer(jwt), inCookie(jwt), bearer(token)]) {
      for (const subject of ['alice', 'bob', '']) {
        headers.set('x-session-subject', subject)
        await expect(kit.auth.authenticate(headers)).rejects.toMatchObject(bad)
      }
    }
  })

  it('T5 tells nothing to whom the key does not belong', async () => {
    using kit = await openWaysIn({ apiKeys: [one.settings] })
    const guess = apiKey('guess').key
    await expect(callerOf(kit.auth, asBackend(guess))).rejects.toMatchObject(refused)
    await expect(callerOf(kit.auth, asBackend(guess, '%'))).rejects.toMatchObject(refused)
  })
})
