import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import { CozeAPI, getJWTToken, InternalServerError, RoleType } from '@coze/api'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createTestApp,
  publicPart,
  type RunningEmulator,
  startEmulator,
  type TestApp,
} from '../kit/process/emulator.ts'
import {
  collect,
  completed,
  created,
  failure,
  isMessage,
  names,
  streamed,
  user,
} from '../kit/clients/sdk.ts'

const workflow_id = '7400000000000000001'
const app_id = '7400000000000000002'
const bot_id = '7400000000000000003'

let app: TestApp
let emulator: RunningEmulator

beforeAll(async () => {
  app = createTestApp()
  emulator = await startEmulator({
    apps: [publicPart(app)],
    personalAccessTokens: [{ token: 'pat_1', accountId: 'account-1' }],
    workflows: [
      { workflowId: workflow_id, appId: app_id },
      { workflowId: 'unpublished', appId: app_id, published: false },
    ],
    bots: [{ botId: bot_id }, { botId: 'unpublished', published: false }],
    wordsPerSecond: 0,
  })
})
afterAll(() => emulator.close())
beforeEach(() => emulator.clearFaults())

function exchange(sessionName?: string, changes: Partial<Parameters<typeof getJWTToken>[0]> = {}) {
  return getJWTToken({
    baseURL: emulator.url,
    appId: app.appId,
    keyid: app.keyId,
    aud: emulator.host,
    privateKey: app.privateKeyPem,
    ...(sessionName !== undefined && { sessionName }),
    ...changes,
  })
}

async function signIn(sessionName?: string): Promise<CozeAPI> {
  const { access_token } = await exchange(sessionName)
  return new CozeAPI({ baseURL: emulator.url, token: access_token })
}

async function askWorkflow(coze: CozeAPI, text: string, more: object = {}) {
  return collect(
    coze.workflows.chat.stream({
      workflow_id,
      app_id,
      additional_messages: [user(text)],
      ...more,
    }),
  )
}

async function askBot(coze: CozeAPI, text: string, conversation_id?: string) {
  return collect(
    coze.chat.stream({
      bot_id,
      user_id: 'u',
      additional_messages: [user(text)],
      ...(conversation_id !== undefined && { conversation_id }),
    }),
  )
}

const systems = [
  'conversation.chat.created',
  'conversation.chat.in_progress',
  'conversation.message.delta',
  'conversation.message.completed',
  'conversation.chat.completed',
  'done',
]

describe('token exchange', () => {
  it('answers an opaque token and the instant of its end', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await exchange('alice', { durationSeconds: 600 })
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
    await expect(exchange('alice', changes)).rejects.toMatchObject({
      status,
      rawError: { error_code, error: error_code },
    })
  })

  it('refuses a signature by another key', async () => {
    const { privateKeyPem } = createTestApp()
    await expect(exchange('alice', { privateKey: privateKeyPem })).rejects.toMatchObject({
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
    await exchange('alice')
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

describe('workflow chat', () => {
  it('streams created, in progress, deltas, completed messages, completed, done', async () => {
    const events = await askWorkflow(await signIn('alice'), 'hello big world')
    expect(names(events)).toEqual(systems)
    expect(streamed(events)).toBe('You said: hello big world')
    expect(completed(events)).toEqual(['You said: hello big world'])
    expect(completed(events, 'verbose')[0]).toContain('generate_answer_finish')
    expect(created(events)).toMatchObject({
      id: expect.stringMatching(/^\d{19}$/),
      last_error: { code: 0, msg: '' },
      status: 'created',
      usage: { token_count: 0 },
    })
  })

  it('goes on in the conversation of its name, apart from other names', async () => {
    const alice = await signIn('alice-names')
    const named = (CONVERSATION_NAME: string) => ({ parameters: { CONVERSATION_NAME } })
    const told = await askWorkflow(alice, 'my code is blue', named('one'))
    const same = await askWorkflow(alice, 'what is my code?', named('one'))
    const other = await askWorkflow(alice, 'what is my code?', named('two'))
    expect(streamed(same)).toBe('Your code is blue.')
    expect(streamed(other)).toBe('I do not know your code.')
    expect(created(same).conversation_id).toBe(created(told).conversation_id)
    expect(created(other).conversation_id).not.toBe(created(told).conversation_id)

    const byId = await askWorkflow(alice, 'what is my code?', {
      conversation_id: created(told).conversation_id,
    })
    expect(streamed(byId)).toBe('Your code is blue.')
  })

  it('keeps two session names apart, even under one conversation name', async () => {
    const [alice, bob] = [await signIn('alice-wf'), await signIn('bob-wf')]
    const told = await askWorkflow(alice, 'my secret is blue-42')
    expect(streamed(await askWorkflow(alice, 'what is my secret?'))).toBe('Your secret is blue-42.')
    const asked = await askWorkflow(bob, 'what is my secret?')
    expect(streamed(asked)).toBe('I do not know your secret.')

    const { conversation_id } = created(told)
    await expect(failure(askWorkflow(bob, 'hi', { conversation_id }))).resolves.toMatchObject({
      code: 4002,
    })
    expect(await alice.conversations.retrieve(conversation_id)).toMatchObject({
      id: conversation_id,
    })
    await expect(bob.conversations.retrieve(conversation_id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.conversations.messages.list(conversation_id)).rejects.toMatchObject({
      code: 4002,
    })
  })

  it.each([
    ['both app and bot', { bot_id }, 4000],
    ['neither app nor bot', { app_id: undefined }, 4000],
    ['an unpublished workflow', { workflow_id: 'unpublished' }, 4200],
    ['an unknown workflow', { workflow_id: 'x' }, 4200],
    ['a workflow of another app', { app_id: 'x' }, 4200],
    ['no message', { additional_messages: [] }, 4000],
    [
      'an answer as the last message',
      { additional_messages: [{ role: RoleType.Assistant, content: 'x' }] },
      4000,
    ],
    ['51 messages', { additional_messages: Array.from({ length: 51 }, () => user('x')) }, 4000],
    ['a conversation that is not there', { conversation_id: '1' }, 4002],
    ['parameters that are no object', { parameters: '{}' }, 4000],
  ])('refuses %s with JSON instead of a stream', async (_name, changes, code) => {
    const alice = await signIn('alice')
    await expect(failure(askWorkflow(alice, 'hi', changes))).resolves.toMatchObject({ code })
  })

  it('uses the app’s get-or-create conversation, and refuses a plain one with an app', async () => {
    const alice = await signIn('alice-create')
    const create = (more: object) =>
      alice.conversations.create({ app_id, workflow_id, connector_id: '1024', ...more } as object)
    const first = await create({ conversation_name: 'n', get_or_create: true })
    expect(await create({ conversation_name: 'n', get_or_create: true })).toEqual(first)
    const fresh = await create({ conversation_name: 'n', get_or_create: false })
    expect(fresh.id).not.toBe(first.id)

    const events = await askWorkflow(alice, 'hi', { conversation_id: first.id })
    expect(created(events).conversation_id).toBe(first.id)
    const plain = await alice.conversations.create({})
    await expect(
      failure(askWorkflow(alice, 'hi', { conversation_id: plain.id })),
    ).resolves.toMatchObject({ code: 4002 })
  })

  it('asks a question and takes the next message as its answer', async () => {
    const alice = await signIn('alice-ask')
    const asked = await askWorkflow(alice, '/ask Tea or coffee?')
    expect(names(asked).slice(-2)).toEqual(['conversation.chat.requires_action', 'done'])
    expect(streamed(asked)).toBe('Tea or coffee?')
    const { conversation_id } = created(asked)
    const answered = await askWorkflow(alice, 'tea', { conversation_id })
    expect(streamed(answered)).toBe('You answered "Tea or coffee?" with: tea')
  })

  it('fails, breaks off, thinks and suggests on request', async () => {
    const alice = await signIn('alice-faces')
    const failed = (await askWorkflow(alice, '/fail 5000 no luck')).at(-1)
    expect(failed).toMatchObject({
      event: 'conversation.chat.failed',
      data: { status: 'failed', last_error: { code: 5000, msg: 'no luck' } },
    })
    const broken = (await askWorkflow(alice, '/error 4000 bad')).at(-1)
    expect(broken).toMatchObject({ event: 'error', data: { code: '4000', msg: 'bad' } })

    const thought = await askWorkflow(alice, '/think one two\n/say three')
    const reasoning = thought.flatMap((event) =>
      isMessage(event, 'conversation.message.delta') ? (event.data.reasoning_content ?? []) : [],
    )
    expect(reasoning.join('')).toBe('one two')
    expect(streamed(thought)).toBe('three')
    expect(completed(await askWorkflow(alice, '/followups hi'), 'follow_up')).toHaveLength(3)
    expect(completed(await askWorkflow(alice, '/two hi'))).toHaveLength(2)
  })
})

describe('bot chat', () => {
  it('streams as a workflow does, and the JSON string [DONE] at the end', async () => {
    const events = await askBot(await signIn('alice'), '你好世界')
    expect(names(events)).toEqual(systems)
    expect(streamed(events)).toBe('你说：你好世界')
    expect(created(events)).toMatchObject({ bot_id })
  })

  it('answers at once without a stream, to be polled', async () => {
    const alice = await signIn('alice-poll')
    const { chat, messages } = await alice.chat.createAndPoll({
      bot_id,
      user_id: 'u',
      additional_messages: [user('hello')],
      meta_data: { reply: 'r1' },
    })
    expect(chat).toMatchObject({ status: 'completed', meta_data: { reply: 'r1' } })
    expect(chat.usage?.token_count).toBeGreaterThan(0)
    const types = messages?.map(({ type }) => type)
    expect(types).toEqual(['answer', 'verbose'])
    expect(messages?.[0]).toMatchObject({ content: 'You said: hello', chat_id: chat.id })
  })

  it('remembers within a conversation until it is cleared', async () => {
    const alice = await signIn('alice-bot')
    const { id } = await alice.conversations.create({ bot_id })
    await askBot(alice, 'my secret is blue-42', id)
    expect(streamed(await askBot(alice, 'what is my secret?', id))).toBe('Your secret is blue-42.')
    const cleared = await alice.conversations.clear(id)
    expect(cleared).toMatchObject({ conversation_id: id, id: expect.not.stringMatching(id) })
    expect(streamed(await askBot(alice, 'what is my secret?', id))).toBe(
      'I do not know your secret.',
    )
    expect((await alice.conversations.retrieve(id)).last_section_id).toBe(cleared.id)
    expect((await alice.conversations.messages.list(id)).data).toHaveLength(6)
  })

  it('keeps two session names apart', async () => {
    const [alice, bob] = [await signIn('alice-b'), await signIn('bob-b')]
    const mine = await alice.conversations.create({ bot_id })
    const chat = created(await askBot(alice, 'my secret is blue-42', mine.id))
    expect(streamed(await askBot(alice, 'what is my secret?', mine.id))).toBe(
      'Your secret is blue-42.',
    )
    await expect(failure(askBot(bob, 'what is my secret?', mine.id))).resolves.toMatchObject({
      code: 4002,
    })
    expect((await alice.chat.retrieve(mine.id, chat.id)).id).toBe(chat.id)
    await expect(bob.chat.retrieve(mine.id, chat.id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.chat.messages.list(mine.id, chat.id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.chat.cancel(mine.id, chat.id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.conversations.clear(mine.id)).rejects.toMatchObject({ code: 4002 })
    expect((await alice.conversations.list({ bot_id })).conversations).toHaveLength(1)
    expect((await bob.conversations.list({ bot_id })).conversations).toEqual([])
  })

  it('refuses a second chat while one runs, until it is cancelled (F17)', async () => {
    const alice = await signIn('alice-busy')
    const { id } = await alice.conversations.create({ bot_id })
    await emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 2 })
    const held = askBot(alice, 'my secret is blue-42', id)
    await emulator.until({ held: 'pause' })
    await expect(failure(askBot(alice, 'hi', id))).resolves.toMatchObject({ code: 4016 })

    const chatId = (await emulator.state()).chats.find((chat) => chat.conversationId === id)?.id
    const canceled = await alice.chat.cancel(id, chatId ?? '')
    expect(canceled.status).toBe('canceled')
    await expect(alice.chat.cancel(id, chatId ?? '')).rejects.toMatchObject({ code: 4104 })
    // The cancelled chat is no context any more.
    expect(streamed(await askBot(alice, 'what is my secret?', id))).toBe(
      'I do not know your secret.',
    )
    await emulator.release()
    const events = await held
    expect(streamed(events)).toBe('You said: my secret is blue-42')
    expect(names(events).slice(-2)).toEqual(['conversation.chat.canceled', 'done'])
  })

  it('runs on when the client leaves, so that the answer can be fetched', async () => {
    const alice = await signIn('alice-leaves')
    const { id } = await alice.conversations.create({ bot_id })
    await emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 2 })
    const leave = new AbortController()
    const reading = (async () => {
      const stream = alice.chat.stream(
        { bot_id, user_id: 'u', conversation_id: id, additional_messages: [user('stay with me')] },
        { signal: leave.signal },
      )
      for await (const _event of stream);
    })()
    await emulator.until({ held: 'pause' })
    leave.abort()
    await reading
    await emulator.release()
    const state = await emulator.state()
    const chatId = state.chats.find((chat) => chat.conversationId === id)?.id ?? ''
    let { status } = await alice.chat.retrieve(id, chatId)
    while (status === 'in_progress') ({ status } = await alice.chat.retrieve(id, chatId))
    expect(status).toBe('completed')
    const [answer] = await alice.chat.messages.list(id, chatId)
    expect(answer?.content).toBe('You said: stay with me')
  })

  it('asks for a tool', async () => {
    const events = await askBot(await signIn('alice'), '/tool weather')
    expect(names(events).slice(-2)).toEqual(['conversation.chat.requires_action', 'done'])
    expect(events.at(-2)?.data).toMatchObject({
      required_action: {
        type: 'submit_tool_outputs',
        submit_tool_outputs: { tool_calls: [{ type: 'function', function: { name: 'weather' } }] },
      },
    })
  })

  it.each([
    ['an unknown bot', { bot_id: 'x' }, 4006],
    ['an unpublished bot', { bot_id: 'unpublished' }, 4015],
    ['meta data over the limit', { meta_data: { k: 'x'.repeat(513) } }, 4003],
    ['101 messages', { additional_messages: Array.from({ length: 101 }, () => user('x')) }, 4004],
    ['unsaved history without a stream', { auto_save_history: false }, 4007],
    ['no question', { additional_messages: [] }, 4000],
  ])('refuses %s', async (_name, changes, code) => {
    const alice = await signIn('alice')
    const params = { bot_id, user_id: 'u', additional_messages: [user('hi')], ...changes }
    await expect(alice.chat.create(params)).rejects.toMatchObject({ code })
  })
})

describe('conversations and messages', () => {
  it('creates, retrieves and lists with messages and meta data', async () => {
    const alice = await signIn('alice-conv')
    const meta_data = { topic: 'x' }
    const first = await alice.conversations.create({ bot_id, meta_data, messages: [user('a')] })
    const second = await alice.conversations.create({ bot_id })
    expect(await alice.conversations.retrieve(first.id)).toEqual(first)
    expect(first).toMatchObject({ meta_data, last_section_id: first.id })
    const { conversations, has_more } = await alice.conversations.list({ bot_id, page_size: 1 })
    expect(conversations.map(({ id }) => id)).toEqual([second.id])
    expect(has_more).toBe(true)
    const listed = await alice.conversations.messages.list(first.id)
    expect(listed.data).toMatchObject([{ role: 'user', type: 'question', content: 'a' }])
  })

  it('deletes and renames', async () => {
    const alice = await signIn('alice-del')
    const { id } = await alice.conversations.create({ bot_id })
    await alice.put(`/v1/conversations/${id}`, { name: 'new' })
    expect(await alice.conversations.retrieve(id)).toMatchObject({ name: 'new' })
    expect(await alice.delete(`/v1/conversations/${id}`)).toMatchObject({ code: 0 })
    await expect(alice.conversations.retrieve(id)).rejects.toMatchObject({ code: 4002 })
  })

  it('names a conversation after its first message, unless it has a name', async () => {
    const alice = await signIn('alice-auto-name')
    const first = created(await askBot(alice, 'hello there')).conversation_id
    await askBot(alice, 'and now?', first)
    expect(await alice.conversations.retrieve(first)).toMatchObject({ name: 'hello there' })
    const { id } = await alice.conversations.create({ bot_id, name: 'mine' } as object)
    await askBot(alice, 'hello there', id)
    expect(await alice.conversations.retrieve(id)).toMatchObject({ name: 'mine' })
  })

  it('refuses a POST to the plural path and a list without a bot', async () => {
    const alice = await signIn('alice')
    await expect(alice.post('/v1/conversations', {})).rejects.toMatchObject({ code: 4000 })
    await expect(alice.get('/v1/conversations')).rejects.toMatchObject({ code: 4000 })
  })

  it('pages through messages in both orders, by chat too', async () => {
    const alice = await signIn('alice-pages')
    const { id } = await alice.conversations.create({ bot_id })
    const { messages } = alice.conversations
    for (const content of ['a', 'b', 'c', 'd']) {
      await messages.create(id, { ...user(content), meta_data: { content } })
    }
    const contents = ({ data }: { data: { content: string }[] }) => data.map((row) => row.content)
    const newest = await messages.list(id, { limit: 2 })
    expect(contents(newest)).toEqual(['d', 'c'])
    expect(newest).toMatchObject({ has_more: true, first_id: newest.data[0]?.id })
    const older = await messages.list(id, { limit: 2, before_id: newest.last_id })
    expect(contents(older)).toEqual(['b', 'a'])
    expect(older.has_more).toBe(false)
    const forward = await messages.list(id, { order: 'asc', after_id: older.last_id })
    expect(contents(forward)).toEqual(['b', 'c', 'd'])
    expect(forward.data[0]?.meta_data).toEqual({ content: 'b' })

    const chat = created(await askBot(alice, 'e', id))
    const ofChat = await messages.list(id, { chat_id: chat.id, order: 'asc' })
    expect(contents(ofChat)).toEqual(['e', 'You said: e'])
  })

  it('retrieves, modifies and deletes a message', async () => {
    const alice = await signIn('alice-message')
    const { id } = await alice.conversations.create({ bot_id })
    const { messages } = alice.conversations
    const message = await messages.create(id, { ...user('a'), meta_data: {} })
    expect(await messages.update(id, message.id, { content: 'b' })).toMatchObject({ content: 'b' })
    expect(await messages.retrieve(id, message.id)).toMatchObject({ content: 'b' })
    await messages.delete(id, message.id)
    await expect(messages.retrieve(id, message.id)).rejects.toMatchObject({ code: 4005 })
  })
})

describe('faults on demand', () => {
  const path = '/v1/workflows/chat'
  let alice: CozeAPI
  let session = 0
  beforeEach(async () => {
    session += 1
    alice = await signIn(`alice-faults-${session}`)
  })

  it('refuses the connection once (F1)', async () => {
    await emulator.faults(path, { kind: 'refuse' })
    await expect(askWorkflow(alice, 'hi')).rejects.toThrow()
    expect(streamed(await askWorkflow(alice, 'hi'))).toBe('You said: hi')
  })

  it('answers 429 with Retry-After and 5xx (F6, F7)', async () => {
    await emulator.faults(path, { kind: 'status', status: 429, retryAfter: '7' })
    await emulator.faults(path, { kind: 'status', status: 503 })
    const limited = { status: 429, headers: { 'retry-after': '7' } }
    await expect(askWorkflow(alice, 'hi')).rejects.toMatchObject(limited)
    await expect(askWorkflow(alice, 'hi')).rejects.toThrow(InternalServerError)
  })

  it.each([true, false])('sends a JSON error, final newline %j (F8)', async (finalNewline) => {
    await emulator.faults(path, { kind: 'jsonError', code: '4013', finalNewline })
    const { text } = await raw('/v1/workflows/chat')
    expect(JSON.parse(text)).toMatchObject({ code: '4013', detail: { logid: expect.any(String) } })
    expect(text.endsWith('\n')).toBe(finalNewline)
  })

  it('splits every byte without changing what is read (F12)', async () => {
    await emulator.faults(path, { kind: 'split' })
    const events = await askWorkflow(alice, '中文🙂 and more')
    expect(names(events)).toEqual(systems)
    expect(streamed(events)).toBe('你说：中文🙂 and more')
  })

  it('cuts in the middle of an event (F9)', async () => {
    await emulator.faults(path, { kind: 'cut', afterDeltas: 2 })
    const { text, whole } = await raw(path, '/long 10')
    expect(whole).toBe(false)
    expect(text).not.toMatch(/\n\n$/)
    expect(text.match(/^event: conversation.message.delta$/gm)?.length).toBeGreaterThanOrEqual(2)
    expect(text).not.toContain('event: done')

    await emulator.faults(path, { kind: 'cut', afterBytes: 100 })
    expect(await raw(path)).toMatchObject({
      text: expect.stringMatching(/^[^]{100}$/),
      whole: false,
    })
  })

  it('writes the two dialects to the byte', async () => {
    const workflow = await raw(path, '/say a')
    expect(workflow.type).toBe('text/event-stream; charset=utf-8')
    expect(workflow.text).toMatch(
      /^event: conversation\.chat\.created\ndata: \{"id":"\d{19}",[^\n]+\}\n\n/,
    )
    expect(workflow.text).toMatch(/event: done\ndata: \{"debug_url":"[^"]+\\u0026[^"]+"\}\n\n$/)
    const bot = await raw('/v3/chat', '/say a')
    expect(bot.text).toMatch(
      /^event:conversation\.chat\.created\ndata:\{"id":"\d{19}",[^\n]+\}\n\n/,
    )
    expect(bot.text).toMatch(/\n\nevent:done\ndata:"\[DONE\]"\n\n$/)
  })

  it('puts on another dialect: CRLF, BOM, comments, ids, data in several lines (F12)', async () => {
    await emulator.faults(path, {
      kind: 'framing',
      newline: '\r\n',
      bom: true,
      comments: true,
      ids: true,
      multiline: true,
    })
    const { text } = await raw(path)
    expect(text.startsWith('\u{FEFF}id: 0\r\n: keep-alive\r\n')).toBe(true)
    expect(text).toContain('\r\ndata: {\r\ndata:  "id": ')
  })

  it('goes silent while the chat runs on, until released (F10)', async () => {
    await emulator.faults(path, { kind: 'stall', afterDeltas: 1 })
    const { chats: before } = await emulator.state()
    const asked = askWorkflow(alice, 'one two three')
    await emulator.until({ held: 'stall' })
    const done = before.filter(({ status }) => status === 'completed').length + 1
    await emulator.until({ chats: done, status: 'completed' })
    await emulator.release('stall')
    expect(streamed(await asked)).toBe('You said: one two three')
  })

  it.each<[name: string, fault: Parameters<RunningEmulator['faults']>[1], sees: RegExp]>([
    ['broken JSON (F11)', { kind: 'malformed' }, /data: \{"content": "br\n/],
    ['duplicates (F13)', { kind: 'duplicate' }, /(event: conversation\.chat\.completed\n.+\n\n)\1/],
    ['a delta after the end (F13)', { kind: 'deltaAfterCompleted' }, /"content":" late"/],
    [
      'a second end (F13)',
      { kind: 'secondCompleted' },
      /(event: conversation\.chat\.completed\n.+\n\n)\1/,
    ],
    ['an oversized event (F14)', { kind: 'oversize', bytes: 100_000 }, /x{100000}/],
    ['another chat (F16)', { kind: 'foreignChat' }, /"content":"not yours"/],
    ['another conversation (F16)', { kind: 'foreignConversation' }, /"content":"not yours"/],
    [
      'a shared conversation (T13)',
      { kind: 'sharedConversation', conversationId: '77' },
      /"conversation_id":"77"/,
    ],
    ['no conversation id', { kind: 'missingConversation' }, /^(?![^]*conversation_id)/],
    [
      'an empty conversation id',
      { kind: 'missingConversation', value: '' },
      /"conversation_id":""/,
    ],
    ['another final text (F19)', { kind: 'completedMismatch', text: 'else' }, /"content":"else"/],
    ['an unknown event', { kind: 'unknownEvent' }, /event: conversation\.chat\.mood\n/],
    [
      'no terminal event (F9)',
      { kind: 'noTerminal' },
      /^(?![^]*event: (done|conversation\.chat\.completed))/,
    ],
    ['an error without a code', { kind: 'errorEvent' }, /event: error\ndata: \{\}\n\n$/],
    [
      'an error that is bare text',
      { kind: 'errorEvent', data: 'internal error' },
      /event: error\ndata: internal error\n\n$/,
    ],
    [
      'an empty required_action',
      { kind: 'emptyAction' },
      /"required_action":\{"type":"","submit_tool_outputs":\{"tool_calls":\[\]\}\}/,
    ],
    ['times that are texts', { kind: 'textTimes' }, /"created_at":"\d{10}"/],
    ['no done', { kind: 'noDone' }, /^(?![^]*event: done)[^]*event: conversation\.chat\.completed/],
  ])('sends %s', async (_name, fault, sees) => {
    await emulator.faults(path, fault)
    const { text, whole } = await raw(path, 'hello there')
    expect(text).toMatch(sees)
    expect(whole).toBe(true)
  })

  it('changes the order of two deltas (F13)', async () => {
    await emulator.faults(path, { kind: 'reorder' })
    expect(streamed(await askWorkflow(alice, '/say one two three'))).toBe('two one three')
  })

  it('sends deltas without an end until the client goes (F15)', async () => {
    await emulator.faults(path, { kind: 'endless' })
    const stream = alice.workflows.chat.stream({
      workflow_id,
      app_id,
      additional_messages: [user('x')],
    })
    let deltas = 0
    for await (const { event } of stream) {
      if (String(event) === 'conversation.message.delta') deltas += 1
      if (deltas === 500) break
    }
    expect(deltas).toBe(500)
  })

  it('carries a chat out but loses the answer', async () => {
    const before = (await emulator.state()).chats.length
    await emulator.faults(path, { kind: 'lostReply' })
    await expect(askWorkflow(alice, 'hi')).rejects.toThrow()
    expect((await emulator.state()).chats).toHaveLength(before + 1)
  })

  it('kills the token before or after a request (F3, F4)', async () => {
    await emulator.faults(path, { kind: 'revokeTokens' })
    await expect(askWorkflow(alice, 'hi')).rejects.toMatchObject({ status: 401 })
    alice = await signIn(`alice-faults-${session}`)
    await emulator.faults(path, { kind: 'revokeTokens', when: 'after' })
    expect(streamed(await askWorkflow(alice, 'hi'))).toBe('You said: hi')
    await expect(alice.conversations.create({})).rejects.toMatchObject({ status: 401 })
  })

  it('shows foreign rows and broken JSON in lists', async () => {
    const chat = created(await askBot(alice, 'hi'))
    const read = () => alice.chat.messages.list(chat.conversation_id, chat.id)
    await emulator.faults('/v3/chat/message/list', { kind: 'foreignChat' })
    for (const row of await read()) expect(row.chat_id).not.toBe(chat.id)
    for (const row of await read()) expect(row.chat_id).toBe(chat.id)
    await emulator.faults('/v3/chat/message/list', { kind: 'malformed' })
    await expect(read()).resolves.toBeUndefined()
  })

  it('strike the calls that are meant, of one route alone', async () => {
    await emulator.faults(path)
    await emulator.repeatFaults(path, 2, { kind: 'jsonError', code: 4011 })
    const ends: unknown[] = []
    for (let call = 0; call < 4; call += 1) {
      ends.push((await askWorkflow(alice, 'hi')).at(-1)?.event)
      expect(streamed(await askBot(alice, 'hi'))).toBe('You said: hi')
    }
    expect(ends).toEqual(['done', 'error', 'error', 'done'])
  })

  it('has met no problem of its own in all this', async () => {
    expect((await emulator.state()).problems).toEqual([])
  })

  /** The bytes of a chat stream as they came, and whether the body came to its proper end. */
  async function raw(to: '/v1/workflows/chat' | '/v3/chat', text = 'hi') {
    const { access_token } = await exchange(`alice-raw-${session}`)
    const additional_messages = [user(text)]
    const body =
      to === '/v3/chat'
        ? { bot_id, user_id: 'u', stream: true, additional_messages }
        : { workflow_id, app_id, additional_messages }
    const outgoing = http.request(`${emulator.url}${to}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    })
    outgoing.end(JSON.stringify(body))
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('error', () => {})
    await new Promise((resolve) => incoming.once('close', resolve))
    const whole = incoming.complete
    const type = incoming.headers['content-type']
    return { text: Buffer.concat(chunks).toString(), whole, type }
  }
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

/** What the SDK makes of a JSON error where a stream was due: its last `error` event. */
