import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { createEmulator } from '../../src/emulator/emulator.ts'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createTestApp, publicPart } from '../kit/process/emulator.ts'
import { patienceMs } from '../kit/process/until.ts'

const app = createTestApp()

/** An emulator in this process, its clock in the test's hand. */
async function open(
  switches: EmulatorOptions['switches'] = {},
  more: Partial<EmulatorOptions> = {},
) {
  const time = { offsetMs: 0 }
  const emulator = createEmulator(
    {
      apps: [publicPart(app)],
      personalAccessTokens: [{ token: 'pat', accountId: app.accountId }],
      workflows: [{ workflowId: 'w', appId: 'a' }],
      bots: [{ botId: 'b' }],
      wordsPerSecond: 0,
      switches,
      ...more,
    },
    {
      clock: {
        ...systemClock,
        now: () => Date.now() + time.offsetMs,
        monotonic: () => time.offsetMs,
      },
    },
  )
  const { url } = await emulator.listen()
  return {
    emulator,
    time,
    post: async (path: string, body: object, token = 'pat') => {
      const { statusCode, body: reply } = await request(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      })
      const text = await reply.text()
      return { status: statusCode, text, json: text.startsWith('{') ? JSON.parse(text) : {} }
    },
    async sign(claims: object = {}, seconds = 3600): Promise<string> {
      const now = Math.floor((Date.now() + time.offsetMs) / 1000)
      const payload = { iat: now, exp: now + seconds, jti: crypto.randomUUID(), iss: app.appId }
      return new SignJWT({ ...payload, aud: new URL(url).host, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: app.keyId })
        .sign(createPrivateKey(app.privateKeyPem))
    },
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  }
}

const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', scope: null }
const tokenPath = '/api/permission/oauth2/token'

function ask(content: string, more: object = {}) {
  return {
    workflow_id: 'w',
    app_id: 'a',
    additional_messages: [{ role: 'user', content, content_type: 'text' }],
    ...more,
  }
}

describe('emulator switches', () => {
  it('ends a broken stream with done only if told so', async () => {
    await using without = await open()
    await using within = await open({ doneAfterError: true })
    const fail = ask('/fail 5000 x')
    expect((await without.post('/v1/workflows/chat', fail)).text).not.toContain('event: done')
    expect((await within.post('/v1/workflows/chat', fail)).text).toContain('event: done')
  })

  it('names a foreign conversation by the chosen code and status', async () => {
    await using here = await open({ ownerErrorCode: 4000, errorStatus: 'by-code' })
    const body = ask('hi', { conversation_id: '1' })
    expect(await here.post('/v1/workflows/chat', body)).toMatchObject({
      status: 400,
      json: { code: 4000 },
    })
  })

  it('refuses to create an app’s conversation if told so', async () => {
    await using here = await open({ createWithAppId: 'refused-4000' })
    const refused = await here.post('/v1/conversation/create', { app_id: 'a' })
    expect(refused.json).toMatchObject({ code: 4000 })
    const plain = await here.post('/v1/conversation/create', {})
    expect(plain.json).toMatchObject({ code: 0 })
  })

  it('refuses an unknown conversation name if told so, but never the default', async () => {
    await using here = await open({ unknownConversationName: 'refuse' })
    const named = ask('hi', { parameters: { CONVERSATION_NAME: 'mine' } })
    expect((await here.post('/v1/workflows/chat', named)).json).toMatchObject({ code: 777777775 })
    expect((await here.post('/v1/workflows/chat', ask('hi'))).text).toContain('event: done')
  })

  it('lets two workflow chats run in one conversation if told so', async () => {
    await using strict = await open()
    await using lax = await open({ busyGuardsWorkflow: false })
    const second = async ({ emulator, post }: typeof strict) => {
      emulator.faults.next('/v1/workflows/chat', { kind: 'pause' })
      const held = post('/v1/workflows/chat', ask('one'))
      await emulator.until((state) => state.held.length > 0, AbortSignal.timeout(patienceMs))
      const { json, text } = await post('/v1/workflows/chat', ask('two'))
      emulator.release()
      await held
      return json.code ?? text
    }
    expect(await second(strict)).toBe(4016)
    expect(await second(lax)).toContain('You ')
  })

  it('keeps a conversation busy with an unanswered action if told so', async () => {
    await using free = await open()
    await using busy = await open({ busyWhileActionRequired: true })
    const second = async ({ post }: typeof free) => {
      const { json } = await post('/v1/conversation/create', {})
      const path = `/v3/chat?conversation_id=${json.data.id}`
      const chat = (content: string) => ({
        bot_id: 'b',
        user_id: 'u',
        stream: true,
        additional_messages: [{ role: 'user', content }],
      })
      await post(path, chat('/tool'))
      return (await post(path, chat('hi'))).json.code
    }
    expect(await second(free)).toBeUndefined()
    expect(await second(busy)).toBe(4016)
  })

  it.each([
    ['canceled', /event:conversation\.chat\.canceled\n/],
    ['completed', /event:conversation\.chat\.completed\n/],
    ['none', /^(?![^]*conversation\.chat\.(canceled|completed))[^]*event:done/],
  ] as const)('ends a cancelled chat’s stream with %s', async (canceledEnding, ending) => {
    await using here = await open({ canceledEnding })
    here.emulator.faults.next('/v3/chat', { kind: 'pause' })
    const additional_messages = [{ role: 'user', content: 'hi' }]
    const held = here.post('/v3/chat', {
      bot_id: 'b',
      user_id: 'u',
      stream: true,
      additional_messages,
    })
    await here.emulator.until((state) => state.held.length > 0, AbortSignal.timeout(patienceMs))
    const [chat] = here.emulator.state().chats
    const cancel = { conversation_id: chat?.conversationId, chat_id: chat?.id }
    expect((await here.post('/v3/chat/cancel', cancel)).json).toMatchObject({
      data: { status: 'canceled' },
    })
    here.emulator.release()
    expect((await held).text).toMatch(ending)
  })

  it.each([
    ['401-4100', 401, 4100],
    ['200-700012006', 200, 700012006],
  ] as const)('answers a token that has expired with %s', async (deadToken, status, code) => {
    await using here = await open({ deadToken })
    const minted = await here.post(tokenPath, { ...grant, duration_seconds: 60 }, await here.sign())
    expect(minted.status).toBe(200)
    const token = minted.json.access_token as string
    here.time.offsetMs = 50_000
    expect((await here.post('/v1/conversation/create', {}, token)).json.code).toBe(0)
    here.time.offsetMs = 61_000
    expect(await here.post('/v1/conversation/create', {}, token)).toMatchObject({
      status,
      json: { code },
    })
  })
})

describe('emulator token endpoint', () => {
  it.each<[name: string, claims: object]>([
    ['no jti', { jti: undefined }],
    ['no exp', { exp: undefined }],
    ['an exp that has passed', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['an iat in the future', { iat: Math.floor(Date.now() / 1000) + 600 }],
    ['an exp before iat', { iat: Math.floor(Date.now() / 1000), exp: 1 }],
    ['a session name that is no string', { session_name: 7 }],
    ['an empty session name', { session_name: '' }],
  ])('refuses %s', async (_name, claims) => {
    await using here = await open()
    expect(await here.post(tokenPath, grant, await here.sign(claims))).toMatchObject({
      status: 401,
      json: { error_code: 'invalid_client' },
    })
    expect((await here.post(tokenPath, grant, await here.sign())).status).toBe(200)
  })

  it('refuses what is no JWT, and a symmetric signature made with the public key (T8)', async () => {
    await using here = await open()
    const forged = await new SignJWT({ iss: app.appId })
      .setProtectedHeader({ alg: 'HS256', kid: app.keyId })
      .sign(new TextEncoder().encode(app.publicKeyPem))
    for (const jwt of ['x', 'a.b.c', '', forged]) {
      expect(await here.post(tokenPath, grant, jwt)).toMatchObject({
        status: 401,
        json: { error_code: 'invalid_client' },
      })
    }
  })

  it('refuses another grant', async () => {
    await using here = await open()
    const refused = await here.post(tokenPath, { grant_type: 'password' }, await here.sign())
    expect(refused).toMatchObject({ status: 400, json: { error: 'unsupported_grant_type' } })
  })

  it('accepts configured audiences instead of the host', async () => {
    await using here = await open({}, { audiences: ['api.coze.cn'] })
    expect((await here.post(tokenPath, grant, await here.sign())).status).toBe(401)
    const named = await here.sign({ aud: 'api.coze.cn' })
    expect((await here.post(tokenPath, grant, named)).status).toBe(200)
  })

  it.each(['account', 'enterprise_id'])(
    'signs in to another account by its own path (%s)',
    async (kind) => {
      await using here = await open()
      const path = `/api/permission/oauth2/${kind}/org-2/token`
      expect((await here.post(path, grant, await here.sign())).status).toBe(200)
      expect(here.emulator.state().tokens).toMatchObject([{ accountId: 'org-2' }])
    },
  )

  it('gives tokens the scopes of their app: a call without its scope is 4101', async () => {
    const scopes = ['createConversation', 'run'] as const
    await using here = await open(
      {},
      {
        apps: [{ ...publicPart(app), scopes: [...scopes] }],
        personalAccessTokens: [{ token: 'pat', accountId: app.accountId, scopes: ['chat'] }],
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

describe('emulator options', () => {
  it('takes bodies up to 15 MB, and 20 MB for a Workflow', async () => {
    await using here = await open()
    const large = 'x'.repeat(16 * 1024 * 1024)
    const refused = await here.post('/v3/chat', { ...ask(large), bot_id: 'b', user_id: 'u' })
    expect(refused.json).toMatchObject({ code: 4000, msg: expect.stringContaining('too large') })
    const taken = await here.post('/v1/workflows/chat', ask(`/say short\n/meta ${large}`))
    expect(taken.text).toContain('"content":"short"')
  })

  it('names an app key that is none', () => {
    const apps = [{ ...publicPart(app), publicKeyPem: 'x' }]
    expect(() => createEmulator({ apps })).toThrow(/"apps\.0\.publicKeyPem" is no public key/)
  })

  it('names every bad option', () => {
    const options = { wordsPerSecond: -1, bots: [{ botId: '' }], extra: 1 } as object
    expect(() => createEmulator(options)).toThrow(/"bots\.0\.botId".*"wordsPerSecond".*extra/)
  })

  it('ends running chats and open connections when disposed', async () => {
    const here = await open()
    here.emulator.faults.next('/v1/workflows/chat', { kind: 'endless' })
    const endless = here.post('/v1/workflows/chat', ask('hi'))
    const silent = here.post(
      '/v1/workflows/chat',
      ask('/silent 600s', { parameters: { CONVERSATION_NAME: 'x' } }),
    )
    await here.emulator.until((state) => state.chats.length === 2, AbortSignal.timeout(patienceMs))
    await here[Symbol.asyncDispose]()
    await expect(endless).rejects.toThrow()
    await expect(silent).rejects.toThrow()
    expect(here.emulator.state().problems).toEqual([])
  })
})

describe('what is unknown of actions and files', () => {
  async function openCall(emulator: Awaited<ReturnType<typeof open>>) {
    const { json } = await emulator.post('/v3/chat', {
      bot_id: 'b',
      user_id: 'u',
      additional_messages: [{ role: 'user', content: '/tool x', content_type: 'text' }],
    })
    const { conversation_id: conversation, id: chat } = json.data
    await emulator.emulator.until(
      ({ chats }) => chats.some(({ status }) => status === 'requires_action'),
      AbortSignal.timeout(patienceMs),
    )
    return { conversation, chat }
  }

  it('cancelsActionRequired', async () => {
    for (const [cancelsActionRequired, code] of [
      [true, 0],
      [false, 4104],
    ] as const) {
      await using emulator = await open({ cancelsActionRequired })
      const { conversation, chat } = await openCall(emulator)
      const body = { conversation_id: conversation, chat_id: chat }
      expect((await emulator.post('/v3/chat/cancel', body)).json.code).toBe(code)
    }
  })

  it('resumedStreamBegins', async () => {
    await using emulator = await open({ resumedStreamBegins: 'message' })
    const { conversation, chat } = await openCall(emulator)
    const query = `conversation_id=${conversation}&chat_id=${chat}`
    const retrieved = await emulator.post(`/v3/chat/retrieve?${query}`, {})
    const [call] = retrieved.json.data.required_action.submit_tool_outputs.tool_calls
    const { text } = await emulator.post(`/v3/chat/submit_tool_outputs?${query}`, {
      stream: true,
      tool_outputs: [{ tool_call_id: call.id, output: 'y' }],
    })
    expect(text).toMatch(/^event:conversation.message.completed/)
  })
})

describe('a plan', () => {
  const create = (emulator: Awaited<ReturnType<typeof open>>) =>
    emulator.post('/v1/conversation/create', {})

  it('allows so many calls in total', async () => {
    await using emulator = await open({}, { quota: { callsInTotal: 2, code: 4008 } })
    const codes = [await create(emulator), await create(emulator), await create(emulator)]
    expect(codes.map(({ json }) => json.code)).toEqual([0, 0, 4008])
  })

  it('allows so many calls per second, and says so as it is told', async () => {
    await using emulator = await open({}, { quota: { callsPerSecond: 1, status: 429 } })
    const statuses = async () => {
      const answers = await Promise.all([1, 2, 3].map(() => create(emulator)))
      return answers.map(({ status }) => status).toSorted((a, b) => a - b)
    }
    expect(await statuses()).toEqual([200, 429, 429])
    emulator.time.offsetMs = 1_000
    expect(await statuses()).toEqual([200, 429, 429])
  })
})
