import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SessionSettings } from '../../../src/config/sections/session-keys.ts'
import type { Caller } from '../../../src/domain.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSessionNamer, fingerprintOf } from '../../../src/session/namer.ts'

const settings: SessionSettings = {
  key: new Secret('k'.repeat(32)),
  nameKeys: [{ version: 1, key: new Secret('n'.repeat(32)) }],
}
const namer = createSessionNamer(settings)
const caller = (over: Partial<Caller> = {}): Caller => ({
  kind: 'jwt',
  issuer: 'https://issuer.test',
  subject: 'alice',
  scopes: [],
  expiresAt: 0,
  ...over,
})
const idOf = (over?: Partial<Caller>) => namer.identify(caller(over)).id

/** Texts that some comparison somewhere takes for one another. */
const nasty = fc.oneof(
  fc.constantFrom(
    'alice',
    'Alice',
    'alice ',
    ' alice',
    'ａlice',
    'e\u0301',
    '\u00e9',
    'a/b',
    'a%2Fb',
  ),
  fc.constantFrom('"', '","', '\\', '\\"', 'null', '', '\ud800', '\udbff', '\ufffd', '\0', '[]'),
  fc.string({ unit: 'binary' }),
)
const callers = fc
  .record({ issuer: nasty, tenant: fc.option(nasty, { nil: undefined }), subject: nasty })
  .map(({ issuer, tenant, subject }) =>
    caller({ issuer, subject, ...(tenant !== undefined && { tenant }) }),
  )

describe('T20: the id of a session', () => {
  it('is a digest: nothing of a subject is in it, whatever stands there', () => {
    for (const subject of ['a:b', '*', '{replies}:*', '../..', "'; --", 'x'.repeat(256), '\r\n']) {
      expect(idOf({ subject })).toMatch(/^[\w-]{43}$/)
    }
  })
})

describe('a session', () => {
  it('T4 is the same for the same caller, and another for any other', () => {
    fc.assert(
      fc.property(callers, callers, (one, other) => {
        const same =
          one.issuer === other.issuer &&
          one.tenant === other.tenant &&
          one.subject === other.subject
        expect(namer.identify(one).id === namer.identify(other).id).toBe(same)
        expect(namer.identify({ ...one })).toEqual(namer.identify(one))
      }),
      { numRuns: 2_000 },
    )
  })

  it('T4 of one name is another for each kind of caller', () => {
    const kinds = ['jwt', 'api-key', 'guest'] as const
    expect(new Set(kinds.map((kind) => idOf({ kind }))).size).toBe(kinds.length)
  })

  it.each([
    ['a tenant that looks like none', { tenant: 'null' }, {}],
    ['a tenant called undefined', { tenant: 'undefined' }, {}],
    ['a tenant that is empty', { tenant: '' }, {}],
    [
      'the boundary of issuer and subject',
      { issuer: 'a', subject: 'bc' },
      { issuer: 'ab', subject: 'c' },
    ],
    [
      'quotes that imitate the boundary',
      { tenant: 'a","b', subject: 'c' },
      { tenant: 'a', subject: 'b","c' },
    ],
    ['lone surrogates', { subject: '\ud800' }, { subject: '\udbff' }],
    [
      'a lone surrogate and the replacement character',
      { subject: '\ud800' },
      { subject: '\ufffd' },
    ],
    ['case', { subject: 'alice' }, { subject: 'Alice' }],
    ['width', { subject: 'alice' }, { subject: 'ａlice' }],
    ['composition', { subject: '\u00e9' }, { subject: 'e\u0301' }],
    ['a space at its end', { subject: 'alice' }, { subject: 'alice ' }],
    ['a slash at its end', { subject: 'alice' }, { subject: 'alice/' }],
    ['percent-encoding', { subject: 'a/b' }, { subject: 'a%2Fb' }],
    ['its last byte', { subject: `${'x'.repeat(255)}a` }, { subject: `${'x'.repeat(255)}b` }],
    ['tenant and subject swapped', { tenant: 'a', subject: 'b' }, { tenant: 'b', subject: 'a' }],
  ])('T4 is told from another by %s', (_name, one, other) => {
    expect(idOf(one)).not.toBe(idOf(other))
  })

  it('T4 has a name of its own, which no server has to cut short', () => {
    const subjects = Array.from({ length: 1_000 }, (_, at) => `${'x'.repeat(250)}${at}`)
    const names = subjects.map((subject) => namer.nameOf(idOf({ subject }), 0, caller({ subject })))
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[\w-]{1,64}$/)
  })

  it('T5 does not depend on scopes, expiry or a claimed name', () => {
    const claimed = { ...caller({ scopes: ['x'], expiresAt: 9 }), claimedName: 'bob' }
    expect(namer.identify(claimed).id).toBe(idOf())
    expect(namer.nameOf(idOf(), 0, claimed)).toBe(namer.nameOf(idOf(), 0, caller()))
  })

  it('has an id and a name that reveal nothing and fit everywhere', () => {
    const id = idOf()
    expect(id).toMatch(/^[\w-]{43}$/)
    expect(namer.nameOf(id, 0, caller())).toMatch(/^[\w-]{43}$/)
    expect(fingerprintOf(id)).toMatch(/^[\w-]{12}$/)
    expect(id).not.toContain(fingerprintOf(id))
  })

  it('has another name in each generation and under each key, and always another than its id', () => {
    const id = idOf()
    const rotated = createSessionNamer({
      ...settings,
      nameKeys: [{ version: 2, key: new Secret('m'.repeat(32)) }, ...settings.nameKeys],
    })
    const names = [
      id,
      namer.nameOf(id, 0, caller()),
      namer.nameOf(id, 1, caller()),
      rotated.nameOf(id, 0, caller()),
    ]
    expect(new Set(names).size).toBe(names.length)
    expect(rotated.identify(caller()).id).toBe(id)
    expect(rotated.keyCheck).toBe(namer.keyCheck)
  })

  it('is the same for a caller who comes again after more others than are remembered', () => {
    const fresh = createSessionNamer(settings)
    const first = fresh.identify(caller())
    const ids = new Set([first.id])
    for (let index = 0; index < 10_001; index += 1) {
      ids.add(fresh.identify(caller({ subject: `other ${index}` })).id)
    }
    expect(ids.size).toBe(10_002)
    expect(fresh.identify(caller())).toEqual(first)
  })

  it('T5 is named by a verified claim of the one configured issuer only', () => {
    const claiming = createSessionNamer({
      ...settings,
      nameClaim: { issuer: 'https://issuer.test', claim: 'account' },
    })
    const one = { ...caller(), claimedName: 'acct-7' }
    expect(claiming.nameOf(claiming.identify(one).id, 0, one)).toBe('acct-7')
    expect(claiming.identify(one).id).toBe(namer.identify(caller()).id)
    const other = { ...caller({ issuer: 'https://other.test' }), claimedName: 'acct-7' }
    expect(claiming.nameOf(claiming.identify(other).id, 0, other)).not.toBe('acct-7')
    expect(() => claiming.nameOf(claiming.identify(caller()).id, 0, caller())).toThrow(TypeError)
    // A backend or the guests may be called as an issuer is: they make no claims.
    for (const kind of ['api-key', 'guest'] as const) {
      const unclaimed = caller({ kind })
      const id = claiming.identify(unclaimed).id
      expect(claiming.nameOf(id, 0, unclaimed)).toMatch(/^[\w-]{43}$/)
      expect(claiming.nameOf(id, 0, { ...unclaimed, claimedName: 'acct-7' })).not.toBe('acct-7')
    }
  })

  it('tells by a digest whether a store was filled under another key', () => {
    const other = createSessionNamer({ ...settings, key: new Secret('K'.repeat(32)) })
    expect(other.keyCheck).not.toBe(namer.keyCheck)
    expect(other.identify(caller()).id).not.toBe(idOf())
  })
})
