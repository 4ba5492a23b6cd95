import { CozeAPI } from '@coze/api'
import { describe, expect, it } from 'vitest'
import { createEmulator } from '../../../src/emulator/emulator.ts'
import { bot_id } from '../../kit/clients/sdk.ts'
import { publicPart, startEmulator } from '../../kit/process/emulator.ts'
import {
  emulatorApp,
  openEmulator,
  type OpenEmulator,
  workflowBody,
} from '../../kit/process/open-emulator.ts'
import { patienceMs } from '../../kit/process/until.ts'

const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', scope: null }
const tokenPath = '/api/permission/oauth2/token'

/** Makes a Bot ask for the output of a function. */
async function openCall(emulator: OpenEmulator) {
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

describe('a switch', () => {
  it('ends a broken stream with done only if told so', async () => {
    await using without = await openEmulator()
    await using within = await openEmulator({ doneAfterError: true })
    const fail = workflowBody('/fail 5000 x')
    expect((await without.post('/v1/workflows/chat', fail)).text).not.toContain('event: done')
    expect((await within.post('/v1/workflows/chat', fail)).text).toContain('event: done')
  })

  it('names a foreign conversation by the chosen code and status', async () => {
    await using here = await openEmulator({ ownerErrorCode: 4000, errorStatus: 'by-code' })
    const body = workflowBody('hi', { conversation_id: '1' })
    expect(await here.post('/v1/workflows/chat', body)).toMatchObject({
      status: 400,
      json: { code: 4000 },
    })
  })

  it('refuses to create an app’s conversation if told so', async () => {
    await using here = await openEmulator({ createWithAppId: 'refused-4000' })
    const refused = await here.post('/v1/conversation/create', { app_id: 'a' })
    expect(refused.json).toMatchObject({ code: 4000 })
    const plain = await here.post('/v1/conversation/create', {})
    expect(plain.json).toMatchObject({ code: 0 })
  })

  it('refuses an unknown conversation name if told so, but never the default', async () => {
    await using here = await openEmulator({ unknownConversationName: 'refuse' })
    const named = workflowBody('hi', { parameters: { CONVERSATION_NAME: 'mine' } })
    expect((await here.post('/v1/workflows/chat', named)).json).toMatchObject({ code: 777777775 })
    expect((await here.post('/v1/workflows/chat', workflowBody('hi'))).text).toContain(
      'event: done',
    )
  })

  it('lets two workflow chats run in one conversation if told so', async () => {
    await using strict = await openEmulator()
    await using lax = await openEmulator({ busyGuardsWorkflow: false })
    const second = async ({ emulator, post }: OpenEmulator) => {
      emulator.faults.next('/v1/workflows/chat', { kind: 'pause' })
      const held = post('/v1/workflows/chat', workflowBody('one'))
      await emulator.until((state) => state.held.length > 0, AbortSignal.timeout(patienceMs))
      const { json, text } = await post('/v1/workflows/chat', workflowBody('two'))
      emulator.release()
      await held
      return json.code ?? text
    }
    expect(await second(strict)).toBe(4016)
    expect(await second(lax)).toContain('You ')
  })

  it('keeps a conversation busy with an unanswered action if told so', async () => {
    await using free = await openEmulator()
    await using busy = await openEmulator({ busyWhileActionRequired: true })
    const second = async ({ post }: OpenEmulator) => {
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
    await using here = await openEmulator({ canceledEnding })
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
    await using here = await openEmulator({ deadToken })
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

  it('lets a chat that waits for an action be cancelled, unless told otherwise', async () => {
    for (const [cancelsActionRequired, code] of [
      [true, 0],
      [false, 4104],
    ] as const) {
      await using emulator = await openEmulator({ cancelsActionRequired })
      const { conversation, chat } = await openCall(emulator)
      const body = { conversation_id: conversation, chat_id: chat }
      expect((await emulator.post('/v3/chat/cancel', body)).json.code).toBe(code)
    }
  })

  it('begins the stream after tool outputs with a message if told so', async () => {
    await using emulator = await openEmulator({ resumedStreamBegins: 'message' })
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

  it.each(['account', 'session'] as const)(
    'shows an uploaded file to its %s alone',
    async (filesPrivateTo) => {
      await using here = await openEmulator({ filesPrivateTo })
      const tokenOf = async (session_name: string): Promise<string> =>
        (await here.post(tokenPath, grant, await here.sign({ session_name }))).json.access_token
      const [alice, bob] = [await tokenOf('alice'), await tokenOf('bob')]
      const body = new FormData()
      body.append('file', new Blob(['a']), 'a.txt')
      const headers = { authorization: `Bearer ${alice}` }
      const upload = await fetch(`${here.url}/v1/files/upload`, { method: 'POST', headers, body })
      const { data } = (await upload.json()) as { data: { id: string } }
      const retrieve = async (token: string) =>
        new CozeAPI({ baseURL: here.url, token }).files.retrieve(data.id)
      expect(await retrieve(alice)).toMatchObject({ bytes: 1 })
      if (filesPrivateTo === 'account') expect(await retrieve(bob)).toMatchObject({ bytes: 1 })
      else await expect(retrieve(bob)).rejects.toMatchObject({ code: 4200 })
    },
  )
})

describe('options', () => {
  it('takes bodies up to 15 MB, and 20 MB for a Workflow', async () => {
    await using here = await openEmulator()
    const large = 'x'.repeat(16 * 1024 * 1024)
    const refused = await here.post('/v3/chat', {
      ...workflowBody(large),
      bot_id: 'b',
      user_id: 'u',
    })
    expect(refused.json).toMatchObject({ code: 4000, msg: expect.stringContaining('too large') })
    const taken = await here.post('/v1/workflows/chat', workflowBody(`/say short\n/meta ${large}`))
    expect(taken.text).toContain('"content":"short"')
  })

  it('names an app key that is none', () => {
    const apps = [{ ...publicPart(emulatorApp), publicKeyPem: 'x' }]
    expect(() => createEmulator({ apps })).toThrow(/"apps\.0\.publicKeyPem" is no public key/)
  })

  it('names every bad option', () => {
    const options = { wordsPerSecond: -1, bots: [{ botId: '' }], extra: 1 } as object
    expect(() => createEmulator(options)).toThrow(/"bots\.0\.botId".*"wordsPerSecond".*extra/)
  })

  it('ends running chats and open connections when disposed', async () => {
    const here = await openEmulator()
    here.emulator.faults.next('/v1/workflows/chat', { kind: 'endless' })
    const endless = here.post('/v1/workflows/chat', workflowBody('hi'))
    const silent = here.post(
      '/v1/workflows/chat',
      workflowBody('/silent 600s', { parameters: { CONVERSATION_NAME: 'x' } }),
    )
    await here.emulator.until((state) => state.chats.length === 2, AbortSignal.timeout(patienceMs))
    await here[Symbol.asyncDispose]()
    await expect(endless).rejects.toThrow()
    await expect(silent).rejects.toThrow()
    expect(here.emulator.state().problems).toEqual([])
  })
})

describe('a plan', () => {
  const create = (emulator: OpenEmulator) => emulator.post('/v1/conversation/create', {})

  it('allows so many calls in total', async () => {
    await using emulator = await openEmulator({}, { quota: { callsInTotal: 2, code: 4008 } })
    const codes = [await create(emulator), await create(emulator), await create(emulator)]
    expect(codes.map(({ json }) => json.code)).toEqual([0, 0, 4008])
  })

  it('allows so many calls per second, and says so as it is told', async () => {
    await using emulator = await openEmulator({}, { quota: { callsPerSecond: 1, status: 429 } })
    const statuses = async () => {
      const answers = await Promise.all([1, 2, 3].map(() => create(emulator)))
      return answers.map(({ status }) => status).toSorted((a, b) => a - b)
    }
    expect(await statuses()).toEqual([200, 429, 429])
    emulator.time.offsetMs = 1_000
    expect(await statuses()).toEqual([200, 429, 429])
  })
})

describe('a plan, to the official SDK', () => {
  it.each([
    ['by its code', {}, { code: 4008 }],
    ['by its status', { status: 429 }, { status: 429 }],
  ])('is used up some time, and says so %s', async (_how, quota, refusal) => {
    await using small = await startEmulator({
      personalAccessTokens: [{ token: 'pat', accountId: 'account' }],
      bots: [{ botId: bot_id }],
      quota: { callsInTotal: 1, code: 4008, ...quota },
    })
    const coze = new CozeAPI({ baseURL: small.url, token: 'pat' })
    expect((await coze.conversations.create({})).id).toMatch(/^\d{19}$/)
    await expect(coze.conversations.create({})).rejects.toMatchObject(refusal)
  })
})
