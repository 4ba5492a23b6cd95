import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import { type CozeAPI, InternalServerError } from '@coze/api'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  askBot,
  askWorkflow,
  app_id,
  bot_id,
  created,
  eventNames,
  exchangeJwt,
  names,
  signInTo,
  streamed,
  user,
  workflow_id,
} from '../../kit/clients/sdk.ts'
import {
  createTestApp,
  publicPart,
  type RunningEmulator,
  startEmulator,
  type TestApp,
} from '../../kit/process/emulator.ts'

let app: TestApp
let emulator: RunningEmulator

beforeAll(async () => {
  app = createTestApp()
  emulator = await startEmulator({
    apps: [publicPart(app)],
    workflows: [{ workflowId: workflow_id, appId: app_id }],
    bots: [{ botId: bot_id }],
    wordsPerSecond: 0,
  })
})
afterAll(async () => {
  expect((await emulator.state()).problems).toEqual([])
  await emulator.close()
})
beforeEach(() => emulator.clearFaults())

const signIn = async (sessionName: string) => signInTo(emulator, app, sessionName)

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
    expect(names(events)).toEqual(eventNames)
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

  it.each([
    ['POST', '/_emulator/faults', { path, faults: [{ kind: 'gate' }] }],
    ['POST', '/_emulator/faults', { path: '/v1/nothing', faults: [] }],
    ['POST', '/_emulator/release', { gate: 'x' }],
    ['GET', '/_emulator/wait?gate=x', undefined],
  ] as const)('are refused where they are not understood: %s %s %j', async (method, to, body) => {
    const refused = await request(emulator.url + to, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    })
    expect([refused.statusCode, await refused.body.json()]).toEqual([
      400,
      { error: expect.stringContaining('Request parameter error') },
    ])
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

  /** The bytes of a chat stream as they came, and whether the body came to its proper end. */
  async function raw(to: '/v1/workflows/chat' | '/v3/chat', text = 'hi') {
    const { access_token } = await exchangeJwt(emulator, app, `alice-raw-${session}`)
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

describe.each(['cloud', 'studio'] as const)('a platform that is restarted (%s)', (dialect) => {
  async function start() {
    return startEmulator({
      dialect,
      personalAccessTokens: [{ token: 'pat', accountId: 'alice' }],
      bots: [{ botId: bot_id }],
      wordsPerSecond: 0,
    })
  }
  const ask = async (at: RunningEmulator, content: string, conversationId?: string) => {
    const query = conversationId === undefined ? '' : `?conversation_id=${conversationId}`
    const { body } = await request(`${at.url}/v3/chat${query}`, {
      method: 'POST',
      headers: { authorization: 'Bearer pat' },
      body: JSON.stringify({
        bot_id,
        user_id: 'u',
        stream: true,
        additional_messages: [user(content)],
      }),
    })
    return body.text()
  }

  it('loses the chats that run, and keeps what is stored', async () => {
    await using own = await start()
    await ask(own, 'my secret is heron')
    const [conversation] = (await own.state()).conversations
    await own.faults('/v3/chat', { kind: 'pause', afterDeltas: 1 })
    const running = ask(own, '/say one two three', conversation?.id)
    const broken = expect(running).rejects.toThrow()
    await own.until({ held: 'pause' })
    await own.restart()
    await broken
    const { chats, conversations, problems } = await own.state()
    expect(chats.map(({ status }) => status)).toEqual([
      'completed',
      dialect === 'cloud' ? 'failed' : 'in_progress',
    ])
    expect(conversations[0]?.messages.map(({ content }) => content)).not.toContain('one two three')
    expect(await ask(own, 'what is my secret?', conversation?.id)).toContain('heron')
    expect(problems).toEqual([])
  })

  it('forgets a conversation that vanishes', async () => {
    await using own = await start()
    await ask(own, 'my secret is heron')
    const [conversation] = (await own.state()).conversations
    await own.vanish(conversation?.id)
    expect((await own.state()).conversations).toEqual([])
    const said = await ask(own, 'what is my secret?', conversation?.id)
    expect(said).not.toContain('heron')
    expect(said).toContain(dialect === 'cloud' ? '4002' : 'I do not know your secret.')
  })
})
