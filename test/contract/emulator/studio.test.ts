import { randomUUID } from 'node:crypto'
import { CozeAPI, type StreamChatData } from '@coze/api'
import { request } from 'undici'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RunningEmulator, startEmulator } from '../../kit/process/emulator.ts'
import {
  app_id,
  bot_id,
  collect,
  failure,
  names,
  streamed,
  user,
  workflow_id,
} from '../../kit/clients/sdk.ts'

const token = 'pat_alice'

let emulator: RunningEmulator

beforeAll(async () => {
  emulator = await startEmulator({
    dialect: 'studio',
    personalAccessTokens: [
      { token, accountId: 'alice' },
      { token: 'pat_bob', accountId: 'bob' },
    ],
    workflows: [
      { workflowId: workflow_id, appId: app_id },
      { workflowId: '7400000000000000005', appId: app_id, published: false },
      { workflowId: '7400000000000000006', appId: app_id, requires: ['city'] },
      { workflowId: '7400000000000000007', botId: bot_id },
    ],
    bots: [{ botId: bot_id }, { botId: '7400000000000000008', published: false }],
    wordsPerSecond: 0,
  })
  return async () => emulator.close()
})

afterEach(async () => {
  await emulator.clearFaults()
  await emulator.release()
  expect((await emulator.state()).problems).toEqual([])
})

interface Said {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
}

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: object,
  by = token,
): Promise<Said> {
  const {
    statusCode,
    headers,
    body: stream,
  } = await request(`${emulator.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: statusCode, headers, text: await stream.text() }
}

async function json(...what: Parameters<typeof call>): Promise<unknown> {
  return JSON.parse((await call(...what)).text)
}

interface Frame {
  readonly id?: string
  readonly event: string
  readonly data: string
}

interface EventBody {
  readonly id: string
  readonly conversation_id: string
  readonly chat_id: string
  readonly [field: string]: unknown
}

/** The frames of a stream, read line by line. */
function framesOf({ text }: Said): readonly Frame[] {
  return text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const fields = frame.split('\n').map((line): [string, string] => {
        const [, name = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
        return [name, value]
      })
      return { event: '', data: '', ...Object.fromEntries(fields) }
    })
}

function bodyOf(frame: Frame | undefined): EventBody {
  return JSON.parse(frame?.data ?? '{}') as EventBody
}

const text = (content: string, role = 'user') => ({ role, content, content_type: 'text' })

async function askBot(content: string, more: object = {}, conversationId?: string, by = token) {
  const query = conversationId === undefined ? '' : `?conversation_id=${conversationId}`
  const body = { bot_id, user_id: 'u', additional_messages: [text(content)], ...more }
  return call('POST', `/v3/chat${query}`, body, by)
}

async function askFlow(content: string, more: object = {}, by = token) {
  return call(
    'POST',
    '/v1/workflows/chat',
    {
      workflow_id,
      app_id,
      parameters: { CONVERSATION_NAME: 'default' },
      additional_messages: [text(content)],
      ...more,
    },
    by,
  )
}

const named = (name: string = randomUUID()) => ({ parameters: { CONVERSATION_NAME: name } })

async function rowsOf(conversationId: string, body: object = {}) {
  const listed = await json(
    'POST',
    `/v1/conversation/message/list?conversation_id=${conversationId}`,
    body,
  )
  return listed as { data?: readonly (EventBody & { role: string; content: string })[] }
}

describe('Studio: what is not there', () => {
  it.each([
    ['POST', '/api/permission/oauth2/token'],
    ['GET', '/v1/variables?connector_uid=u'],
    ['PUT', '/v1/variables'],
    ['POST', '/v1/conversations/1/messages/2/feedback'],
    ['POST', '/v3/chat/submit_tool_outputs'],
    ['GET', '/v1/files/retrieve?file_id=1'],
    ['POST', '/v1/conversation/message/create?conversation_id=1'],
    ['GET', '/v1/conversation/message/retrieve'],
    ['POST', '/v1/conversation/message/modify'],
    ['POST', '/v1/conversation/message/delete'],
    ['GET', '/nothing'],
    ['GET', '/v1/bots/support'],
    ['DELETE', '/v1/conversations/mine'],
  ] as const)('%s %s asks for the cookie of the console', async (method, path) => {
    for (const by of [token, 'pat_dead']) {
      const said = await call(method, path, method === 'GET' ? undefined : {}, by)
      expect(said.status).toBe(401)
      expect(said.text).toBe('{"code":401,"msg":"missing session_key in cookie"}')
    }
  })

  it('retrieves a chat by GET only', async () => {
    const said = await call('POST', '/v3/chat/retrieve?conversation_id=1&chat_id=2', {})
    expect([said.status, said.text]).toEqual([404, '{"code":404,"msg":"not found"}'])
  })

  it.each([
    ['no authorization', {}, 'missing authorization in header'],
    ['no bearer token', { authorization: 'Basic eA==' }, 'missing api_key in request'],
  ])('says what is missing: %s', async (_, headers, reason) => {
    const { statusCode, body } = await request(`${emulator.url}/v1/conversations`, { headers })
    expect([statusCode, await body.json()]).toEqual([
      200,
      { code: 700012006, msg: `authentication failed: ${reason}` },
    ])
  })

  it('tells a dead token under HTTP 200, and names each request by a UUID', async () => {
    const said = await call('POST', '/v1/conversation/create', {}, 'pat_dead')
    expect(said.status).toBe(200)
    expect(said.text).toBe(
      '{"code":700012006,"msg":"authentication failed: CheckPermission failed"}',
    )
    expect(said.headers['x-log-id']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(said.headers).not.toHaveProperty('x-tt-logid')
  })
})

describe('Studio: a Bot', () => {
  it('streams without spaces and ids, begins in progress, and ends with stream.done', async () => {
    const said = await askBot('hi <b>', {
      extra_params: { reply_id: 'EX1' },
      meta_data: { a: 'b' },
    })
    expect(said.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(said.text).toMatch(/^event:conversation\.chat\.created\ndata:\{"id":"\d{19}",/)
    expect(said.text).toMatch(/\n\nevent:conversation\.stream\.done\ndata:\n\n$/)
    expect(said.text).toContain('hi \\u003cb\\u003e')
    const frames = framesOf(said)
    expect(bodyOf(frames[0])).toEqual({
      id: expect.any(String),
      conversation_id: expect.any(String),
      bot_id,
      created_at: expect.any(Number),
      completed_at: 0,
      failed_at: 0,
      status: 'in_progress',
      section_id: expect.any(String),
    })
    const delta = bodyOf(frames.find(({ event }) => event.endsWith('.delta')))
    expect(delta).toMatchObject({
      meta_data: { reply_id: 'EX1', bot_state: expect.any(String) },
      reasoning_content: '',
    })
    expect(delta['meta_data']).not.toHaveProperty('a')
    const [answer, verbose] = frames.filter(({ event }) => event.endsWith('message.completed'))
    expect(bodyOf(answer)).toMatchObject({
      type: 'answer',
      content: 'You said: hi <b>',
      meta_data: { reply_id: 'EX1', input_tokens: '2', output_tokens: '4', token: '6' },
    })
    expect(bodyOf(verbose)).toMatchObject({
      type: 'verbose',
      content:
        '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0,\\"fin_data\\":\\"\\"}","from_unit":""}',
    })
    const end = bodyOf(frames.at(-2))
    expect(end).toMatchObject({ status: 'completed' })
    expect(end).not.toHaveProperty('usage')
    expect(end).not.toHaveProperty('last_error')
  })

  it('opens a new conversation where the one asked for is not there, without a word', async () => {
    const created = bodyOf(framesOf(await askBot('hi', {}, '123'))[0])
    expect(created.conversation_id).not.toBe('123')
    const said = await askBot('hi', {}, '')
    expect([said.status, JSON.parse(said.text)]).toEqual([
      400,
      { code: 400, msg: expect.stringMatching(/^unable to decode '' as int64/) },
    ])
  })

  it.each(['7400000000000000008', '5'])(
    'refuses an unpublished Bot in a stream (%s)',
    async (id) => {
      const said = await askBot('hi', { bot_id: id })
      expect(said.status).toBe(200)
      expect(said.headers['content-type']).toMatch(/^text\/event-stream/)
      expect(framesOf(said)).toHaveLength(1)
      expect(framesOf(said)[0]?.event).toBe('error')
      expect(bodyOf(framesOf(said)[0])).toEqual({
        code: 103100001,
        msg: expect.stringMatching(
          /^code=100000000 message=invalid parameter : agent not published, agentID=\d+ connectorID=1024\nstack=/,
        ),
      })
    },
  )

  it('completes a chat whose model has failed', async () => {
    const frames = framesOf(await askBot('/error 1 overloaded'))
    expect(frames.map(({ event }) => event).slice(-3)).toEqual([
      'error',
      'conversation.chat.completed',
      'conversation.stream.done',
    ])
    expect(bodyOf(frames.at(-3))).toEqual({ code: 103200002, msg: 'overloaded' })
    const { id, conversation_id } = bodyOf(frames[0])
    expect(
      await json('GET', `/v3/chat/retrieve?conversation_id=${conversation_id}&chat_id=${id}`),
    ).toMatchObject({ data: { status: 'completed' }, code: 0 })
  })

  it('breaks off a run for a name of more than 60 characters', async () => {
    const frames = framesOf(await askBot('hi', { user_id: 'x'.repeat(61) }))
    expect(frames.map(({ event }) => event)).toEqual([
      'conversation.chat.created',
      'conversation.chat.in_progress',
      'error',
    ])
    expect(bodyOf(frames[2])).toMatchObject({ code: 103100001 })
    expect(framesOf(await askBot('hi', { user_id: 'x'.repeat(60) })).at(-1)?.event).toBe(
      'conversation.stream.done',
    )
  })

  it('lists a chat under Messages, its question too, and nothing at all where there is none', async () => {
    const { id, conversation_id } = bodyOf(framesOf(await askBot('hi'))[0])
    const path = `/v3/chat/message/list?conversation_id=${conversation_id}&chat_id=`
    const listed = await json('GET', `${path}${id}`)
    expect(listed).toMatchObject({
      Messages: [{ type: 'question' }, { type: 'answer' }, { type: 'verbose' }],
      code: 0,
    })
    expect(listed).not.toHaveProperty('data')
    expect(await json('GET', `${path}123`)).toEqual({ code: 0, msg: '', BaseResp: null })
  })

  it('retrieves a chat with its usage; one that is not there is a text', async () => {
    const { id, conversation_id } = bodyOf(framesOf(await askBot('hi'))[0])
    const path = `/v3/chat/retrieve?conversation_id=${conversation_id}&chat_id=`
    expect(await json('GET', `${path}${id}`)).toMatchObject({
      data: { status: 'completed', usage: { token_count: 4, output_count: 3, input_count: 1 } },
      BaseResp: null,
    })
    const none = await call('GET', `${path}123`)
    expect([none.status, none.text]).toEqual([500, 'record not found'])
    expect(none.headers['content-type']).toMatch(/^text\/plain/)
  })

  it('agrees to a cancel, and completes the chat all the same', async () => {
    await emulator.faults('/v3/chat', { kind: 'pause' })
    const running = askBot('hi')
    await emulator.until({ held: 'pause' })
    const { chats } = await emulator.state()
    const { id, conversationId } = chats.at(-1) ?? { id: '', conversationId: '' }
    const body = { conversation_id: conversationId, chat_id: id }
    const path = `/v3/chat/retrieve?conversation_id=${conversationId}&chat_id=${id}`
    expect(await json('POST', '/v3/chat/cancel', body)).toEqual({
      ChatV3ChatDetail: expect.objectContaining({ id, status: 'conversation.chat.cancelled' }),
      BaseResp: null,
    })
    expect(await json('GET', path)).toMatchObject({
      data: { status: 'conversation.chat.cancelled' },
    })
    await emulator.release('pause')
    expect(framesOf(await running).at(-2)?.event).toBe('conversation.chat.completed')
    expect(await json('GET', path)).toMatchObject({ data: { status: 'completed' } })
    const late = await call('POST', '/v3/chat/cancel', body)
    expect([late.status, JSON.parse(late.text)]).toEqual([
      400,
      {
        code: 400,
        msg: expect.stringMatching(/^code=103200005 message=in progress can not be cancelled\n/),
      },
    ])
  })

  it('runs two chats of one conversation at once', async () => {
    const { conversation_id } = bodyOf(framesOf(await askBot('hi'))[0])
    await emulator.faults('/v3/chat', { kind: 'pause' })
    const first = askBot('one', {}, conversation_id)
    await emulator.until({ held: 'pause' })
    expect((await askBot('two', {}, conversation_id)).text).toContain('You said: two')
    await emulator.release('pause')
    expect((await first).text).toContain('You said: one')
  })

  it('plays a chat on to its end when its reader has gone', async () => {
    const before = (await emulator.state()).chats.filter(({ status }) => status === 'completed')
    await emulator.faults('/v3/chat', { kind: 'cut', afterDeltas: 1 })
    await expect(askBot('hi there')).rejects.toThrow()
    const chat = (await emulator.state()).chats.at(-1)
    await emulator.until({ chats: before.length + 1, status: 'completed' })
    const { data = [] } = await rowsOf(chat?.conversationId ?? '')
    expect(data.map(({ content }) => content)).toEqual(['You said: hi there', 'hi there'])
  })

  it('gives what came before the question a run of its own, an earlier one', async () => {
    const messages = [
      { ...text('h1'), type: 'question' },
      { ...text('h2', 'assistant'), type: 'answer' },
      text('q'),
    ]
    const said = await askBot('', { additional_messages: messages })
    const { id, conversation_id } = bodyOf(framesOf(said)[0])
    const { data = [] } = await rowsOf(conversation_id)
    const rows = data.toReversed()
    expect(rows.map(({ role, content }) => [role, content])).toEqual([
      ['user', 'h1'],
      ['assistant', 'h2'],
      ['user', 'q'],
      ['assistant', 'You said: q'],
    ])
    expect(rows[0]?.chat_id).toBe(rows[1]?.chat_id)
    expect(BigInt(rows[0]?.chat_id ?? '')).toBeLessThan(BigInt(id))
    expect(rows[2]).toMatchObject({ chat_id: id })
  })
})

describe('Studio: a chatflow', () => {
  it('streams with spaces and ids from 1, without verbose messages and thoughts', async () => {
    const said = await askFlow('/think so\nhi', named())
    expect(said.text).toMatch(/^id: 1\nevent: conversation\.chat\.created\ndata: \{/)
    const frames = framesOf(said)
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => String(index + 1)))
    expect(bodyOf(frames[0])).toEqual({
      id: expect.any(String),
      conversation_id: expect.any(String),
      status: 'created',
      execute_id: expect.any(String),
      section_id: expect.any(String),
    })
    expect(said.text).not.toContain('verbose')
    expect(said.text).not.toContain('reasoning')
    expect(bodyOf(frames.at(-2))).toMatchObject({
      status: 'completed',
      bot_id: app_id,
      usage: { token_count: 6, output_count: 3, input_count: 3 },
    })
    expect(frames.at(-1)?.event).toBe('done')
    expect(bodyOf(frames.at(-1))).toEqual({ debug_url: expect.stringMatching(/^http:/) })
  })

  it.each([
    ['no name', { parameters: {} }, 'conversation name is requried'],
    ['no messages', { additional_messages: [] }, 'additional_messages is requird'],
    ['an unknown conversation', { conversation_id: '123' }, /^panic error: /],
    [
      'an app that it is not of',
      { app_id: '9', ...named() },
      /^code=106000001 message=unauthorized access : no permission\nstack=/,
    ],
  ] as const)('wraps nearly every error: %s', async (_, more, cause) => {
    const said = await askFlow('hi', more)
    expect(said.status).toBe(200)
    expect(said.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'transfer-encoding': 'chunked',
    })
    const { code, msg } = JSON.parse(said.text) as { code: number; msg: string }
    expect(code).toBe(777777775)
    expect(msg.replace('Workflow operation failure: ', '')).toMatch(cause)
  })

  it.each([
    ['an unknown flow', { workflow_id: '9' }, 720702004],
    ['an unpublished flow', { workflow_id: '7400000000000000005' }, 720702011],
    ['a missing start parameter', { workflow_id: '7400000000000000006' }, 720702002],
  ])('tells errors of the configuration by codes: %s', async (_, more, code) => {
    const said = await askFlow('hi', { ...named(), ...more })
    expect(JSON.parse(said.text)).toMatchObject({ code })
  })

  it('does not find a created conversation, but the one that a name has made', async () => {
    const body = { app_id, conversation_name: 'x', get_or_create: true }
    const made = await json('POST', '/v1/conversation/create', body)
    const { data } = made as { data: { id: string } }
    const said = await askFlow('hi', { conversation_id: data.id })
    expect(said.text).toBe(
      '{"code":777777775,"msg":"Workflow operation failure: conversation not found"}',
    )
    const name = named()
    const first = bodyOf(framesOf(await askFlow('my secret is heron', name))[0])
    for (const more of [name, { parameters: {}, conversation_id: first.conversation_id }]) {
      const again = await askFlow('what is my secret?', more)
      expect(bodyOf(framesOf(again)[0]).conversation_id).toBe(first.conversation_id)
      expect(again.text).toContain('Your secret is heron.')
    }
  })

  it('runs for whoever knows the id of a conversation of the app', async () => {
    const first = bodyOf(framesOf(await askFlow('my secret is heron', named()))[0])
    const more = { parameters: {}, conversation_id: first.conversation_id }
    expect((await askFlow('what is my secret?', more, 'pat_bob')).text).toContain('heron')
  })

  it('keeps names of two identities apart, and mixes two users of one', async () => {
    const name = named()
    await askFlow('my secret is heron', { ...name, ext: { user_id: 'alice' } })
    const other = { ...name, ext: { user_id: 'carol' } }
    expect((await askFlow('what is my secret?', other)).text).toContain('heron')
    expect((await askFlow('what is my secret?', other, 'pat_bob')).text).not.toContain('heron')
  })

  it('breaks off with the code as a string, and without done', async () => {
    const frames = framesOf(await askFlow('/error 1 boom', named()))
    expect(frames.at(-1)?.event).toBe('error')
    expect(bodyOf(frames.at(-1))).toEqual({
      code: '720701013',
      msg: 'Workflow execution failure: boom',
      debug_url: expect.any(String),
    })
  })

  it('gives each earlier message of the user a later run, all rows to the user, in no order', async () => {
    const orders = new Set<string>()
    for (let round = 0; orders.size < 2 && round < 50; round++) {
      const messages = [
        text('lost', 'assistant'),
        text('h1'),
        text('h2', 'assistant'),
        text('h3'),
        text('q'),
      ]
      const said = await askFlow('', { ...named(), additional_messages: messages })
      const { id, conversation_id } = bodyOf(framesOf(said)[0])
      const { data = [] } = await rowsOf(conversation_id)
      const row = (content: string) => data.find((each) => each.content === content)
      expect(row('lost')).toBeUndefined()
      expect(row('q')).toMatchObject({ chat_id: id, meta_data: null })
      expect(row('h2')).toMatchObject({ role: 'user', type: 'answer' })
      expect(row('h1')?.chat_id).toBe(row('h2')?.chat_id)
      expect(row('h3')?.chat_id).not.toBe(row('h1')?.chat_id)
      for (const name of ['h1', 'h3']) {
        expect(BigInt(row(name)?.chat_id ?? '')).toBeGreaterThan(BigInt(id))
      }
      orders.add(data.map(({ content }) => content).join())
    }
    expect(orders.size).toBeGreaterThan(1)
  })

  it('never stores an answer whose reader has left', async () => {
    const name = named()
    await emulator.faults('/v1/workflows/chat', { kind: 'cut', afterDeltas: 1 })
    await expect(askFlow('hi there', name)).rejects.toThrow()
    const { conversation_id } = bodyOf(framesOf(await askFlow('later', name))[0])
    const { data = [] } = await rowsOf(conversation_id)
    expect(data.map(({ content }) => content)).toEqual(['You said: later', 'later', 'hi there'])
  })

  it.each([
    ['a line of its name', 'input:first', 'You answered \\"Who?\\" with: input:first'],
    ['JSON', '{"input":"first"}', '"code":"720702002"'],
    ['a text without a colon', 'first', '"code":"720701013"'],
  ])('takes the answer of a form by lines: %s', async (_, answer, expected) => {
    const name = named()
    const frames = framesOf(await askFlow('/form Who? | input:string!', name))
    expect(frames.map(({ event }) => event).slice(-3)).toEqual([
      'conversation.message.completed',
      'conversation.chat.requires_action',
      'done',
    ])
    expect((await askFlow(answer, name)).text).toContain(expected)
  })

  it('needs a name with a Bot too, and takes any', async () => {
    const about = { workflow_id: '7400000000000000007', app_id: '', bot_id }
    const refused = await askFlow('hi', { ...about, parameters: {} })
    expect(refused.text).toContain('conversation name is requried')
    const name = named()
    await askFlow('my secret is heron', { ...about, ...name })
    expect((await askFlow('what is my secret?', { ...about, ...name })).text).toContain('heron')
  })
})

describe('Studio: conversations', () => {
  it('only hides what is deleted', async () => {
    const made = await json('POST', '/v1/conversation/create', { bot_id })
    const { data } = made as { data: { id: string } }
    await askBot('my secret is heron', {}, data.id)
    const listed = `/v1/conversations?bot_id=${bot_id}&page_num=1&page_size=50`
    expect(JSON.stringify(await json('GET', listed))).toContain(data.id)
    expect(await json('DELETE', `/v1/conversations/${data.id}`)).toEqual({
      code: 0,
      msg: '',
      BaseResp: null,
    })
    expect(JSON.stringify(await json('GET', listed))).not.toContain(data.id)
    expect(await json('GET', `/v1/conversation/retrieve?conversation_id=${data.id}`)).toMatchObject(
      {
        ConversationData: { id: data.id, creator_d: expect.any(String), connector_id: '1024' },
        code: 0,
      },
    )
    expect((await rowsOf(data.id)).data).toHaveLength(2)
    expect((await askBot('what is my secret?', {}, data.id)).text).toContain('heron')
  })

  it('lists messages from the newest, and pages the other way round', async () => {
    const { conversation_id } = bodyOf(framesOf(await askBot('u1'))[0])
    for (const each of ['u2', 'u3', 'u4']) await askBot(each, {}, conversation_id)
    const contents = async (body: object) =>
      (await rowsOf(conversation_id, body)).data?.map(({ content }) =>
        content.replace('You said: u', 'a'),
      )
    const all = ['a4', 'u4', 'a3', 'u3', 'a2', 'u2', 'a1', 'u1']
    expect(await contents({})).toEqual(all)
    expect(await contents({ order: 'asc' })).toEqual(all)
    const third = (await rowsOf(conversation_id)).data?.[3]?.id
    expect(await contents({ before_id: third })).toEqual(['a3', 'u4', 'a4'])
    expect(await contents({ after_id: third })).toEqual(['a2', 'u2', 'a1', 'u1'])
    expect(await contents({ after_id: third, limit: 2 })).toEqual(['a2', 'u2'])
  })

  it('leaves data out where there are no messages', async () => {
    const made = await json('POST', '/v1/conversation/create', { bot_id })
    const { data } = made as { data: { id: string } }
    expect(await rowsOf(data.id)).not.toHaveProperty('data')
  })
})

describe("Studio: the platform's own SDK", () => {
  const coze = () => new CozeAPI({ baseURL: emulator.url, token })

  it("reads a Bot's stream up to its end, which has no data, and a chatflow's whole", async () => {
    const asked: StreamChatData[] = []
    const reading = (async () => {
      const question = { bot_id, user_id: 'u', additional_messages: [user('hi')] }
      for await (const { event, data } of coze().chat.stream(question)) {
        asked.push({ event, data } as StreamChatData)
      }
    })()
    await expect(reading).rejects.toThrow('Could not parse message into JSON')
    expect(streamed(asked)).toBe('You said: hi')
    expect(names(asked).at(-1)).toBe('conversation.chat.completed')
    const flowed = await collect(
      coze().workflows.chat.stream({
        workflow_id,
        app_id,
        additional_messages: [user('hi')],
        ...named(),
      }),
    )
    expect(streamed(flowed)).toBe('You said: hi')
    expect(names(flowed).at(-1)).toBe('done')
  })

  it('is told why a chatflow does not begin', async () => {
    const asked = collect(
      coze().workflows.chat.stream({
        workflow_id,
        app_id,
        additional_messages: [user('hi')],
      }),
    )
    expect(await failure(asked)).toMatchObject({ code: 777777775 })
  })
})
