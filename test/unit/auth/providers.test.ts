import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { SignJWT, exportJWK, type JWK, type JWTPayload } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createAuthenticator } from '../../../src/auth/authenticator.ts'
import { createFetchJson } from '../../../src/lib/fetch-json.ts'
import { parseMarkdown, root } from '../../docs/markdown.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'
import { openKeyServer } from '../../kit/credentials/jwks.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const supabaseSecret = 'the secret of a project, of 40 characters'
const path = 'docs/authentication.md'
const document = parseMarkdown(path, readFileSync(new URL(path, root), 'utf8'))
const blockSchema = z.object({ issuers: z.array(z.record(z.string(), z.unknown())).length(1) })

/** The entry of `issuers` that the document gives for a provider. */
function documented(provider: string): Readonly<Record<string, unknown>> {
  const heading = document.lines.indexOf(`### ${provider}`)
  const block = document.blocks.find(({ line }) => heading >= 0 && line > heading)
  const text = (block?.text ?? '').replace(
    '{ "file": "supabase-jwt-secret" }',
    JSON.stringify(supabaseSecret),
  )
  const [entry] = blockSchema.parse(JSON.parse(text)).issuers
  if (entry === undefined) throw new Error(`no block of ${provider}`)
  return entry
}

interface SigningKey {
  readonly jwk: JWK & { readonly issuer?: string }
  readonly sign: (claims: JWTPayload, header?: Readonly<Record<string, unknown>>) => Promise<string>
}

async function signingKey(alg: 'RS256' | 'ES256', kid: string): Promise<SigningKey> {
  const { publicKey, privateKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT', ...header }).sign(privateKey),
  }
}

/** A gateway's sign-in with the documented settings of a provider, whose keys come from a server on this machine. */
async function signInWith(provider: string, ...keys: readonly SigningKey['jwk'][]) {
  const clock = createFakeClock()
  const server = await openKeyServer(...keys)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const settings = issuerSettings(documented(provider))
  const asked: string[] = []
  const fetchJson = createFetchJson()
  const auth = createAuthenticator({
    issuers: [settings],
    maxTokenLength: 15_360,
    clock,
    fetchJson: async (url, options) => {
      asked.push(url)
      if (!url.endsWith('/.well-known/openid-configuration')) {
        return await fetchJson(server.url, options)
      }
      return { issuer: settings.issuer, jwks_uri: `${new URL(url).origin}/keys` }
    },
    onFetchFailure: () => undefined,
  })
  onTestFinished(() => auth[Symbol.dispose]())
  const now = Math.floor(clock.now() / 1000)
  const present = (token: string) => callerOf(auth, bearer(token))
  return { settings, asked, now, server, present }
}

const refused = { code: 'UNAUTHENTICATED', status: 401 }

describe('the documented settings of a provider', () => {
  it('accept an access token of Auth0 for our API, and none for another API', async () => {
    const key = await signingKey('RS256', 'auth0')
    const { asked, now, present } = await signInWith('Auth0', key.jwk)
    const claims = {
      iss: 'https://YOUR-TENANT.auth0.com/',
      sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
      aud: ['https://YOUR-API', 'https://YOUR-TENANT.auth0.com/userinfo'],
      azp: 'my-client',
      iat: now,
      exp: now + 86_400,
      scope: 'openid profile email',
    }
    await expect(present(await key.sign(claims))).resolves.toMatchObject({
      issuer: claims.iss,
      subject: claims.sub,
      scopes: ['openid', 'profile', 'email'],
    })
    expect(asked).toEqual([
      'https://YOUR-TENANT.auth0.com/.well-known/openid-configuration',
      'https://your-tenant.auth0.com/keys',
    ])
    const other = await key.sign({ ...claims, aud: 'https://ANOTHER-API' })
    await expect(present(other)).rejects.toThrow('claim aud')
    const slashless = await key.sign({ ...claims, iss: 'https://YOUR-TENANT.auth0.com' })
    await expect(present(slashless)).rejects.toThrow('unknown issuer')
  })

  describe('of Microsoft Entra with many tenants', () => {
    const tokenOf = (tid: string, now: number) => ({
      aud: 'YOUR-APPLICATION-ID',
      iss: `https://login.microsoftonline.com/${tid}/v2.0`,
      iat: now,
      nbf: now,
      exp: now + 4_000,
      azp: 'a-client-id',
      oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
      scp: 'access_as_user',
      sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
      tid,
      ver: '2.0',
    })

    it('accept tokens of the listed tenants, each under its own issuer', async () => {
      const key = await signingKey('RS256', 'entra')
      const { now, present } = await signInWith('Microsoft Entra, many tenants', key.jwk)
      const callers = await Promise.all(
        ['FIRST-TENANT-ID', 'SECOND-TENANT-ID'].map(async (tid) =>
          present(await key.sign(tokenOf(tid, now))),
        ),
      )
      expect(callers.map(({ issuer }) => issuer)).toEqual([
        'https://login.microsoftonline.com/FIRST-TENANT-ID/v2.0',
        'https://login.microsoftonline.com/SECOND-TENANT-ID/v2.0',
      ])
      expect(callers[0]).toMatchObject({
        subject: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
        scopes: ['access_as_user'],
      })
      await expect(present(await key.sign(tokenOf('THIRD-TENANT-ID', now)))).rejects.toThrow(
        'The tenant of the token is not accepted.',
      )
    })

    it('refuse a token whose tenant is another one than its issuer names', async () => {
      const key = await signingKey('RS256', 'entra')
      const { now, present } = await signInWith('Microsoft Entra, many tenants', key.jwk)
      const claims = tokenOf('FIRST-TENANT-ID', now)
      for (const tid of ['SECOND-TENANT-ID', undefined, '', ['FIRST-TENANT-ID']]) {
        await expect(present(await key.sign({ ...claims, tid }))).rejects.toThrow('claim tid')
      }
      for (const iss of [
        'https://login.microsoftonline.com/v2.0',
        'https://login.microsoftonline.com//v2.0',
        'https://login.microsoftonline.com/a/FIRST-TENANT-ID/v2.0',
        'https://login.microsoftonline.com/FIRST-TENANT-ID/v2.0/',
        'https://login.microsoftonline.com.evil.test/FIRST-TENANT-ID/v2.0',
        'https://login.microsoftonline.com/{tid}/v2.0',
      ]) {
        await expect(present(await key.sign({ ...claims, iss }))).rejects.toMatchObject(refused)
      }
    })

    it('accept a key that is published for one tenant only for the tokens of that tenant', async () => {
      const shared = await signingKey('RS256', 'shared')
      const own = await signingKey('RS256', 'own')
      const { now, present } = await signInWith(
        'Microsoft Entra, many tenants',
        { ...shared.jwk, issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' },
        { ...own.jwk, issuer: 'https://login.microsoftonline.com/SECOND-TENANT-ID/v2.0' },
      )
      const second = await own.sign(tokenOf('SECOND-TENANT-ID', now))
      await expect(present(second)).resolves.toMatchObject({ kind: 'jwt' })
      const first = await shared.sign(tokenOf('FIRST-TENANT-ID', now))
      await expect(present(first)).resolves.toMatchObject({ kind: 'jwt' })
      const crossed = await own.sign(tokenOf('FIRST-TENANT-ID', now))
      await expect(present(crossed)).rejects.toMatchObject(refused)
    })
  })

  it('accept an access token of Cognito, which has no aud, for our client only', async () => {
    const key = await signingKey('RS256', 'cognito')
    const { settings, now, present } = await signInWith('Amazon Cognito', key.jwk)
    const claims = {
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      iss: settings.issuer,
      client_id: 'YOUR-APP-CLIENT-ID',
      origin_jti: 'o',
      token_use: 'access',
      scope: 'aws.cognito.signin.user.admin',
      auth_time: now,
      iat: now,
      exp: now + 3_600,
      username: 'alice',
    }
    await expect(present(await key.sign(claims))).resolves.toMatchObject({ subject: claims.sub })
    const others = [
      { client_id: 'ANOTHER-CLIENT' },
      { client_id: undefined },
      { client_id: undefined, aud: 'YOUR-APP-CLIENT-ID', token_use: 'id' },
      { token_use: 'id' },
    ]
    for (const other of others) {
      const token = await key.sign({ ...claims, ...other })
      await expect(present(token)).rejects.toMatchObject(refused)
    }
  })

  it('accept a token of Keycloak for our client only, whatever its aud', async () => {
    const key = await signingKey('RS256', 'keycloak')
    const { settings, now, present } = await signInWith('Keycloak', key.jwk)
    const claims = {
      iss: settings.issuer,
      exp: now + 300,
      iat: now,
      aud: 'account',
      sub: '0b5cf8a4-6a6f-4f1c-9e2f-6d4a7ac5a5f1',
      typ: 'Bearer',
      azp: 'YOUR-CLIENT-ID',
      realm_access: { roles: ['offline_access'] },
      scope: 'openid email profile',
      preferred_username: 'alice',
    }
    await expect(present(await key.sign(claims))).resolves.toMatchObject({ subject: claims.sub })
    const other = await key.sign({ ...claims, azp: 'ANOTHER-CLIENT' })
    await expect(present(other)).rejects.toThrow('claim azp')
  })

  it('accept tokens of Supabase of both kinds during a migration, each by its own algorithm', async () => {
    const key = await signingKey('ES256', 'supabase')
    const { settings, now, present } = await signInWith(
      'Supabase, while keys are migrated',
      key.jwk,
    )
    const claims = {
      iss: settings.issuer,
      sub: 'a7d4e1f2-0000-4000-8000-000000000000',
      aud: 'authenticated',
      role: 'authenticated',
      iat: now,
      exp: now + 3_600,
      session_id: 's',
      is_anonymous: false,
    }
    const bySecret = (secret: string, kid: string) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid, typ: 'JWT' })
        .sign(new TextEncoder().encode(secret))
    const tokens = [await bySecret(supabaseSecret, 'legacy'), await key.sign(claims)]
    for (const token of tokens) {
      await expect(present(token)).resolves.toMatchObject({ subject: claims.sub })
    }
    // The published key is no secret: nobody may sign with it as if it were.
    const confused = await bySecret(JSON.stringify(key.jwk), 'supabase')
    await expect(present(confused)).rejects.toThrow('signature')
    const project = { ...claims, role: 'anon', exp: now + 315_360_000 }
    await expect(present(await key.sign(project))).rejects.toThrow(
      'lifetime of the token is too long',
    )
  })

  it('still accept tokens by the secret while the key set cannot be fetched', async () => {
    const key = await signingKey('ES256', 'supabase')
    const { settings, now, server, present } = await signInWith(
      'Supabase, while keys are migrated',
      key.jwk,
    )
    server.answer((response) => response.writeHead(500).end())
    const claims = { iss: settings.issuer, aud: 'authenticated', sub: 'alice', exp: now + 60 }
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(supabaseSecret))
    await expect(present(token)).resolves.toMatchObject({ subject: 'alice' })
    await expect(present(await key.sign(claims))).rejects.toMatchObject({ status: 503 })
  })

  it('accept a session token of Clerk for our page only', async () => {
    const key = await signingKey('RS256', 'clerk')
    const { settings, now, present } = await signInWith('Clerk', key.jwk)
    const claims = {
      iss: settings.issuer,
      sub: 'user_2abc',
      azp: 'https://YOUR-APP',
      sid: 'sess_1',
      iat: now,
      nbf: now - 10,
      exp: now + 60,
    }
    await expect(present(await key.sign(claims))).resolves.toMatchObject({ subject: 'user_2abc' })
    const other = await key.sign({ ...claims, azp: 'https://another.test' })
    await expect(present(other)).rejects.toThrow('claim azp')
  })
})
