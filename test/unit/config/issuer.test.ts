import { describe, expect, it } from 'vitest'
import { ZodError } from 'zod'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'

const secret = 's'.repeat(32)
const entra = 'https://login.microsoftonline.com/{tid}/v2.0'
const entraKeys = 'https://login.microsoftonline.com/organizations/discovery/v2.0/keys'

function problemsOf(entry: Readonly<Record<string, unknown>>): readonly string[] {
  try {
    issuerSettings(entry)
    return []
  } catch (error) {
    if (!(error instanceof ZodError)) throw error
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  }
}

describe('the settings of an issuer', () => {
  it('take a secret and a key set side by side, each with its own algorithms', () => {
    const { keys } = issuerSettings({
      issuer: 'https://project.supabase.co/auth/v1',
      audience: 'authenticated',
      keys: [
        { secret },
        {
          jwksUrl: 'https://project.supabase.co/auth/v1/.well-known/jwks.json',
          algorithms: ['ES256'],
        },
      ],
    })
    expect(keys).toMatchObject([
      { type: 'secret', algorithms: ['HS256'] },
      { type: 'jwks', algorithms: ['ES256'] },
    ])
  })

  it('find the keys of an issuer that is a URL by discovery where they name none', () => {
    const found = { type: 'discovery', algorithms: ['RS256'] }
    const under = (issuer: string) => issuerSettings({ issuer, audience: 'us' }).keys
    const url = 'https://id.test/.well-known/openid-configuration'
    expect(under('https://id.test/')).toMatchObject([{ ...found, url }])
    expect(under('https://id.test')).toMatchObject([{ ...found, url }])
    const realm = 'https://id.test/realms/one/.well-known/openid-configuration'
    expect(under('https://id.test/realms/one')).toMatchObject([{ ...found, url: realm }])
    const listed = { issuer: 'https://id.test', audience: 'us', keys: [{ discovery: true }] }
    expect(issuerSettings(listed).keys).toMatchObject([{ ...found, url }])
  })

  it('take an issuer template with one hole, and the values that may fill it', () => {
    const settings = { issuer: entra, audience: 'us', jwksUrl: entraKeys }
    const hole = {
      before: 'https://login.microsoftonline.com/',
      claim: 'tid',
      after: '/v2.0',
    }
    expect(issuerSettings(settings)).toMatchObject({ template: hole })
    const listed = issuerSettings({ ...settings, tenants: ['one', 'two'] })
    expect(listed).toMatchObject({ template: { ...hole, values: ['one', 'two'] } })
  })

  it('take a claim that names the client in place of an audience', () => {
    const cognito = issuerSettings({
      issuer: 'https://id.test',
      requiredClaims: { client_id: 'app', token_use: ['access'] },
      secret,
    })
    expect(cognito).toMatchObject({
      requiredClaims: { client_id: ['app'], token_use: ['access'] },
    })
    expect(cognito.audience).toBeUndefined()
  })

  const id = 'https://id.test'
  const mistakes: Record<string, [Readonly<Record<string, unknown>>, string]> = {
    'nothing that binds a token to us': [
      { issuer: id, secret },
      'audience: is missing: without it "requiredClaims" must have one of azp, client_id',
    ],
    'only a claim that any application has': [
      { issuer: id, secret, requiredClaims: { token_use: 'access' } },
      'audience: is missing',
    ],
    'a client that is a star': [
      { issuer: id, secret, requiredClaims: { azp: '*' } },
      'requiredClaims.azp: must be the exact value',
    ],
    'a list of no clients': [
      { issuer: id, secret, requiredClaims: { azp: [] } },
      'requiredClaims.azp: ',
    ],
    'a list of no audiences': [{ issuer: id, secret, audience: [] }, 'audience: '],
    'the hole as discovery documents write it': [
      { issuer: entra.replace('tid', 'tenantid'), audience: 'us', jwksUrl: entraKeys },
      'issuer: must have the hole {tid}',
    ],
    'two holes': [
      { issuer: 'https://{a}.test/{b}', audience: 'us', jwksUrl: `${id}/keys` },
      'issuer: is a template that is not understood',
    ],
    'a template without keys': [
      { issuer: entra, audience: 'us' },
      'needs "jwksUrl": a template has no discovery document',
    ],
    'tenants of an exact issuer': [
      { issuer: id, audience: 'us', secret, tenants: ['one'] },
      'tenants: is only for an issuer that is a template',
    ],
    'discovery of an issuer that is no URL': [
      { issuer: 'us', audience: 'us' },
      'the issuer is no URL to discover keys at',
    ],
    'discovery without TLS': [
      { issuer: 'http://id.test', audience: 'us' },
      'issuer: must be an https URL',
    ],
    'a key set without TLS': [
      { issuer: id, audience: 'us', jwksUrl: 'http://id.test/keys' },
      'jwksUrl: must be an https URL',
    ],
    'a password in the URL of a key set': [
      { issuer: id, audience: 'us', jwksUrl: 'http://a:b@id.test/keys', allowPlainHttp: true },
      'jwksUrl: must be an https URL',
    ],
    'two keys in one source': [
      { issuer: id, audience: 'us', keys: [{ secret, jwksUrl: `${id}/keys` }] },
      'keys.0: needs exactly one of',
    ],
    'a source without a key': [
      { issuer: id, audience: 'us', keys: [{ algorithms: ['HS256'] }] },
      'keys.0: needs exactly one of',
    ],
    'keys both in a list and beside it': [
      { issuer: id, audience: 'us', secret, keys: [{ secret }] },
      'has "keys", so "secret" must stand in there',
    ],
    'no sources at all': [{ issuer: id, audience: 'us', keys: [] }, 'keys: '],
    'an algorithm of secrets for a key set': [
      {
        issuer: id,
        audience: 'us',
        keys: [{ jwksUrl: `${id}/keys`, algorithms: ['HS256'] }],
      },
      'keys.0.algorithms: HS256 cannot be used with this kind of key',
    ],
    'settings of a key set for a secret': [
      { issuer: id, audience: 'us', keys: [{ secret, jwks: {} }] },
      'keys.0.jwks: is only for published keys',
    ],
  }
  it.each(Object.entries(mistakes))('are refused with words: %s', (_name, [entry, words]) => {
    expect(problemsOf(entry)).toEqual([expect.stringContaining(words)])
  })

  it('allow a key set without TLS only where that is said', () => {
    const entry = { issuer: 'http://keycloak:8080/realms/one', audience: 'us' }
    expect(issuerSettings({ ...entry, allowPlainHttp: true }).keys).toMatchObject([
      { url: 'http://keycloak:8080/realms/one/.well-known/openid-configuration' },
    ])
  })
})
