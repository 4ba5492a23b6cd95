import { CozeAPI, getJWTToken } from '@coze/api'
import { SignJWT } from 'jose'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchangeJwt, signInTo } from '../../kit/clients/sdk.ts'
import {
  createTestApp,
  publicPart,
  type RunningEmulator,
  startEmulator,
} from '../../kit/process/emulator.ts'
import { emulatorApp, openEmulator } from '../../kit/process/open-emulator.ts'

const app = createTestApp()
let emulator: RunningEmulator

beforeAll(async () => {
  emulator = await startEmulator({
    apps: [publicPart(app)],
    personalAccessTokens: [{ token: 'pat_1', accountId: 'account-1' }],
  })
})
afterAll(() => emulator.close())

const signIn = async (sessionName: string) => signInTo(emulator, app, sessionName)

describe('token exchange', () => {
  it('answers an opaque token and the instant of its end', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await exchangeJwt(emulator, app, 'alice', { durationSeconds: 600 })
    expect(token.access_token).toMatch(/^czs_/)
    expect(token.expires_in).toBeGreaterThanOrEqual(before + 600)
    expect(token.expires_in).toBeLessThan(before + 700)
    expect((await emulator.state()).tokens.at(-1)).toMatchObject({ sessionName: 'alice' })
  })

  it.each([
    ['an unknown key id', { keyid: 'key-x' }, 401, 'invalid_client'],
    ['another audience', { aud: 'api.coze.com' }, 401, 'invalid_client'],
    ['another app', { appId: 'app-x' }, 401, 'invalid_client'],
    ['a symmetric algorithm', { algorithm: 'RS384' as const }, 401, 'invalid_client'],
    ['too long a duration', { durationSeconds: 86_400 }, 400, 'invalid_request'],
  ])('refuses %s', async (_name, changes, status, error_code) => {
    await expect(exchangeJwt(emulator, app, 'alice', changes)).rejects.toMatchObject({
      status,
      rawError: { error_code, error: error_code },
    })
  })

  it('refuses a signature by another key', async () => {
    const { privateKeyPem } = createTestApp()
    await expect(
      exchangeJwt(emulator, app, 'alice', { privateKey: privateKeyPem }),
    ).rejects.toMatchObject({
      rawError: { error_code: 'invalid_client' },
    })
  })

  it('refuses a JWT that was exchanged before', async () => {
    const authorizations: string[] = []
    const options = {
      transformRequest: (body: unknown, headers: { get(name: string): unknown }) => {
        authorizations.push(String(headers.get('authorization')))
        return JSON.stringify(body)
      },
      headers: { 'content-type': 'application/json' },
    }
    await exchangeJwt(emulator, app, 'alice')
    const first = await getJWTToken(
      {
        baseURL: emulator.url,
        appId: app.appId,
        keyid: app.keyId,
        aud: emulator.host,
        privateKey: app.privateKeyPem,
      },
      options,
    )
    expect(first.access_token).toMatch(/^czs_/)
    const [authorization = ''] = authorizations
    const again = await fetchJson('/api/permission/oauth2/token', authorization, {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    })
    expect(again).toMatchObject({ status: 401, body: { error_code: 'invalid_client' } })
  })

  it('refuses an unknown, a revoked and no access token with 401 and 4100', async () => {
    const nobody = new CozeAPI({ baseURL: emulator.url, token: 'czs_unknown' })
    const refusal = {
      status: 401,
      code: 4100,
      logid: expect.stringMatching(/^\d{14}[0-9A-F]{32}$/),
    }
    await expect(nobody.conversations.create({})).rejects.toMatchObject(refusal)

    const alice = await signIn('alice')
    await alice.conversations.create({})
    await emulator.revokeTokens()
    await expect(alice.conversations.create({})).rejects.toMatchObject(refusal)
  })

  it('accepts a configured personal access token', async () => {
    const coze = new CozeAPI({ baseURL: emulator.url, token: 'pat_1' })
    expect((await coze.conversations.create({})).id).toMatch(/^\d{19}$/)
  })
})

function send(path: string, authorization: string, body: object) {
  return request(`${emulator.url}${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function fetchJson(path: string, authorization: string, json: object) {
  const { statusCode, body } = await send(path, authorization, json)
  return { status: statusCode, body: await body.json() }
}

const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', scope: null }
const tokenPath = '/api/permission/oauth2/token'

describe('the token endpoint', () => {
  it.each<[name: string, claims: object]>([
    ['no jti', { jti: undefined }],
    ['no exp', { exp: undefined }],
    ['an exp that has passed', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['an iat in the future', { iat: Math.floor(Date.now() / 1000) + 600 }],
    ['an exp before iat', { iat: Math.floor(Date.now() / 1000), exp: 1 }],
    ['a session name that is no string', { session_name: 7 }],
    ['an empty session name', { session_name: '' }],
  ])('refuses %s', async (_name, claims) => {
    await using here = await openEmulator()
    expect(await here.post(tokenPath, grant, await here.sign(claims))).toMatchObject({
      status: 401,
      json: { error_code: 'invalid_client' },
    })
    expect((await here.post(tokenPath, grant, await here.sign())).status).toBe(200)
  })

  it('refuses what is no JWT, and a symmetric signature made with the public key (T8)', async () => {
    await using here = await openEmulator()
    const forged = await new SignJWT({ iss: emulatorApp.appId })
      .setProtectedHeader({ alg: 'HS256', kid: emulatorApp.keyId })
      .sign(new TextEncoder().encode(emulatorApp.publicKeyPem))
    for (const jwt of ['x', 'a.b.c', '', forged]) {
      expect(await here.post(tokenPath, grant, jwt)).toMatchObject({
        status: 401,
        json: { error_code: 'invalid_client' },
      })
    }
  })

  it('refuses another grant', async () => {
    await using here = await openEmulator()
    const refused = await here.post(tokenPath, { grant_type: 'password' }, await here.sign())
    expect(refused).toMatchObject({ status: 400, json: { error: 'unsupported_grant_type' } })
  })

  it('accepts configured audiences instead of the host', async () => {
    await using here = await openEmulator({}, { audiences: ['api.coze.cn'] })
    expect((await here.post(tokenPath, grant, await here.sign())).status).toBe(401)
    const named = await here.sign({ aud: 'api.coze.cn' })
    expect((await here.post(tokenPath, grant, named)).status).toBe(200)
  })

  it.each(['account', 'enterprise_id'])(
    'signs in to another account by its own path (%s)',
    async (kind) => {
      await using here = await openEmulator()
      const path = `/api/permission/oauth2/${kind}/org-2/token`
      expect((await here.post(path, grant, await here.sign())).status).toBe(200)
      expect(here.emulator.state().tokens).toMatchObject([{ accountId: 'org-2' }])
    },
  )

  it('gives tokens the scopes of their app: a call without its scope is 4101', async () => {
    const scopes = ['createConversation', 'run'] as const
    await using here = await openEmulator(
      {},
      {
        apps: [{ ...publicPart(emulatorApp), scopes: [...scopes] }],
        personalAccessTokens: [
          { token: 'pat', accountId: emulatorApp.accountId, scopes: ['chat'] },
        ],
      },
    )
    const { json } = await here.post(tokenPath, grant, await here.sign())
    const create = async (token: string) =>
      (await here.post('/v1/conversation/create', {}, token)).json.code
    expect(await create(json.access_token)).toBe(0)
    expect(await create('pat')).toBe(4101)
    const listed = await here.post('/v1/conversation/message/list', {}, json.access_token)
    expect(listed.json).toMatchObject({ code: 4101 })
  })
})
