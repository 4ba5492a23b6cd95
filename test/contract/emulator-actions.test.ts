import { CozeAPI, getJWTToken } from '@coze/api'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createTestApp,
  publicPart,
  type RunningEmulator,
  startEmulator,
  type TestApp,
} from '../kit/process/emulator.ts'
import { collect, completed, created, failure, names, streamed, user } from '../kit/clients/sdk.ts'

const workflow_id = '7400000000000000001'
const app_id = '7400000000000000002'
const bot_id = '7400000000000000003'

let app: TestApp
let emulator: RunningEmulator
let directory: string

beforeAll(async () => {
  app = createTestApp()
  directory = await mkdtemp(join(tmpdir(), 'files-'))
  emulator = await startEmulator({
    apps: [publicPart(app)],
    workflows: [{ workflowId: workflow_id, appId: app_id }],
    bots: [{ botId: bot_id }],
    wordsPerSecond: 0,
    maxFileBytes: 100,
    fileTypes: ['txt', 'png'],
  })
})
afterAll(async () => {
  expect((await emulator.state()).problems).toEqual([])
  await emulator.close()
  await rm(directory, { recursive: true })
})

async function tokenOf(sessionName: string): Promise<string> {
  const { access_token } = await getJWTToken({
    baseURL: emulator.url,
    appId: app.appId,
    keyid: app.keyId,
    aud: emulator.host,
    privateKey: app.privateKeyPem,
    sessionName,
  })
  return access_token
}

async function signIn(sessionName: string): Promise<CozeAPI> {
  return new CozeAPI({ baseURL: emulator.url, token: await tokenOf(sessionName) })
}

/** For calls that the SDK does not have. */
async function call(sessionName: string, method: 'POST' | 'DELETE', path: string, body?: object) {
  const answer = await request(emulator.url + path, {
    method,
    headers: { authorization: `Bearer ${await tokenOf(sessionName)}` },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await answer.body.json()) as { code: number }
}

const askBot = async (coze: CozeAPI, text: string, more: object = {}) =>
  collect(coze.chat.stream({ bot_id, user_id: 'u', additional_messages: [user(text)], ...more }))

const askWorkflow = async (coze: CozeAPI, text: string, more: object = {}) =>
  collect(
    coze.workflows.chat.stream({
      workflow_id,
      app_id,
      additional_messages: [user(text)],
      ...more,
    }),
  )

/** The SDK names a file after its path. */
async function note(text: string, name = 'notes.txt') {
  const path = join(directory, name)
  await writeFile(path, text)
  return createReadStream(path)
}

describe("a Bot's tool call", () => {
  async function openCall(text = '/tool weather,time {"of":"Rome"}') {
    const coze = await signIn('alice')
    const { id: chat_id, conversation_id } = created(await askBot(coze, text))
    const chat = await coze.chat.retrieve(conversation_id, chat_id)
    const calls = chat.required_action?.submit_tool_outputs.tool_calls ?? []
    const submit = (stream: boolean, outputs: readonly string[]) =>
      coze.chat.submitToolOutputs({
        conversation_id,
        chat_id,
        stream,
        tool_outputs: outputs.map((output, at) => ({
          tool_call_id: calls[at]?.id ?? 'unknown',
          output,
        })),
      })
    return { coze, chat, chat_id, conversation_id, calls, submit }
  }

  it('is answered by its outputs, and the same chat goes on', async () => {
    const { coze, chat, chat_id, conversation_id, calls, submit } = await openCall()
    expect(chat.status).toBe('requires_action')
    expect(calls).toMatchObject([
      { type: 'function', function: { name: 'weather', arguments: '{"of":"Rome"}' } },
      { type: 'function', function: { name: 'time' } },
    ])
    const events = await collect(submit(true, ['sunny', 'noon']))
    expect(names(events)).toEqual([
      'conversation.chat.in_progress',
      'conversation.message.completed',
      'conversation.message.delta',
      'conversation.message.completed',
      'conversation.chat.completed',
      'done',
    ])
    expect(created(events)).toMatchObject({ id: chat_id, conversation_id })
    expect(streamed(events)).toBe('weather said: sunny\ntime said: noon')
    expect(completed(events, 'tool_response')).toEqual(['sunny', 'noon'])
    expect(await coze.chat.retrieve(conversation_id, chat_id)).toMatchObject({
      status: 'completed',
    })
  })

  it('may be followed by another', async () => {
    const { submit } = await openCall('/tool weather')
    const events = await collect(submit(true, ['/tool time']))
    expect(names(events).slice(-2)).toEqual(['conversation.chat.requires_action', 'done'])
  })

  it('is refused for other outputs than it asked for, and once it is answered', async () => {
    const { coze, chat_id, conversation_id, submit } = await openCall()
    expect(await failure(collect(submit(true, ['sunny'])))).toMatchObject({ code: 4000 })
    expect(await failure(collect(submit(true, ['a', 'b', 'c'])))).toMatchObject({ code: 4000 })
    await collect(submit(true, ['sunny', 'noon']))
    expect(await failure(collect(submit(true, ['sunny', 'noon'])))).toMatchObject({ code: 4000 })
    const missing = coze.chat.submitToolOutputs({
      conversation_id,
      chat_id: '1',
      stream: true,
      tool_outputs: [{ tool_call_id: 'x', output: 'x' }],
    })
    expect(await failure(collect(missing))).toMatchObject({ code: 4001 })
    const mallory = await signIn('mallory')
    await expect(mallory.chat.retrieve(conversation_id, chat_id)).rejects.toMatchObject({
      code: 4002,
    })
  })

  it('can be cancelled', async () => {
    const { coze, chat_id, conversation_id } = await openCall()
    const cancelled = await coze.chat.cancel(conversation_id, chat_id)
    expect(cancelled).toMatchObject({ status: 'canceled' })
    expect(cancelled.required_action).toBeUndefined()
  })

  it('may be a question to the user', async () => {
    const { calls, submit } = await openCall('/ask Tea or coffee?')
    expect(calls).toMatchObject([{ type: 'reply_message' }])
    expect(streamed(await collect(submit(true, ['tea'])))).toBe(
      'You answered "Tea or coffee?" with: tea',
    )
  })
})

describe("a Bot's own plugins and notes", () => {
  it('show as messages before the answer, and wait for nobody', async () => {
    const coze = await signIn('alice-plugins')
    const text = '/verbose knowledge_recall\n/plugin weather {"of":"Rome"}\n/say sunny'
    const events = await askBot(coze, text)
    expect(completed(events, 'verbose')[0]).toContain('"msg_type":"knowledge_recall"')
    const [call = ''] = completed(events, 'function_call')
    expect(JSON.parse(call)).toMatchObject({
      name: 'weather',
      arguments: { of: 'Rome' },
      plugin_name: 'weather',
    })
    expect(completed(events, 'tool_response')).toEqual(['{"result":"weather is done"}'])
    expect(streamed(events)).toBe('sunny')
    expect(names(events).slice(-2)).toEqual(['conversation.chat.completed', 'done'])
  })

  it('are not seen in a Workflow', async () => {
    const events = await askWorkflow(await signIn('alice-nodes'), '/plugin weather\n/say sunny')
    expect(completed(events, 'function_call')).toEqual([])
    expect(streamed(events)).toBe('sunny')
  })
})

describe('cards and speech', () => {
  const contents = async (text: string) => {
    const events = await askWorkflow(await signIn(text), text)
    expect(names(events)).not.toContain('conversation.message.delta')
    return JSON.parse(completed(events)[0] ?? '') as { x_properties: Record<string, string> }
  }

  it("are a Workflow's question with options and its input form", async () => {
    const question = await contents('/choose Which? | tea | coffee')
    expect(JSON.parse(question.x_properties['workflow_card_info'] ?? '')).toEqual({
      card_type: 'QUESTION',
      question_card_data: { Title: 'Which?', Options: [{ name: 'tea' }, { name: 'coffee' }] },
    })
    const form = await contents('/form Where? | street:string!')
    expect(JSON.parse(form.x_properties['workflow_card_info'] ?? '')).toEqual({
      card_type: 'INPUT',
      input_card_data: [{ name: 'street', type: 'string', required: true }],
    })
  })

  it('are text where there are no cards', async () => {
    const coze = await signIn('alice')
    const plain = await askBot(coze, '/choose Which? | tea | coffee')
    expect(streamed(plain)).toBe('Which?\n- tea\n- coffee')
    const card = await askBot(coze, '/choose Which? | tea', { enable_card: true })
    expect(completed(card)[0]).toContain('QUESTION')
  })

  it('may come beside the answer, speech after its end', async () => {
    const events = await askBot(await signIn('alice'), '/card look\n/object this\n/audio hello')
    expect(completed(events)[0]).toContain('"response_type":"card"')
    expect(completed(events)[1]).toContain('"type":"image"')
    expect(names(events).slice(-4)).toEqual([
      'conversation.audio.delta',
      'conversation.chat.completed',
      'conversation.audio.delta',
      'done',
    ])
  })
})

describe('files', () => {
  it('are uploaded, looked up, and told of in messages and parameters', async () => {
    const coze = await signIn('alice')
    const file = await coze.files.upload({ file: await note('hello') })
    expect(file).toMatchObject({ bytes: 5, file_name: 'notes.txt' })
    expect(await coze.files.retrieve(file.id)).toMatchObject({ id: file.id, bytes: 5 })
    const content = JSON.stringify([
      { type: 'text', text: '/files' },
      { type: 'file', file_id: file.id },
    ])
    const message = { ...user(''), content, content_type: 'object_string' as const }
    const events = await collect(
      coze.chat.stream({ bot_id, user_id: 'u', additional_messages: [message] }),
    )
    expect(streamed(events)).toBe('notes.txt (5 bytes)')
    const parameters = { doc: [JSON.stringify({ file_id: file.id })], city: 'Rome' }
    expect(streamed(await askWorkflow(coze, '/files', { parameters }))).toBe('notes.txt (5 bytes)')
    expect(streamed(await askWorkflow(coze, '/params', { parameters }))).toContain('city=Rome')
    const url = 'https://images.example.com/cat.png'
    expect(streamed(await askWorkflow(coze, '/files', { parameters: { doc: [url] } }))).toBe(url)
    const image = JSON.stringify([
      { type: 'text', text: '/files' },
      { type: 'image', file_url: url },
    ])
    const seen = await collect(
      coze.chat.stream({
        bot_id,
        user_id: 'u',
        additional_messages: [{ ...message, content: image }],
      }),
    )
    expect(streamed(seen)).toBe(url)
    const unknown = { doc: JSON.stringify({ file_id: '1' }) }
    expect(await failure(askWorkflow(coze, '/files', { parameters: unknown }))).toMatchObject({
      code: 4000,
    })
  })

  it.each([
    ['an empty one', '', 'notes.txt', 4300],
    ['a large one', 'x'.repeat(101), 'notes.txt', 4302],
    ['a type that is not taken', 'x', 'x.exe', 4303],
  ])('are refused: %s', async (_what, text, name, code) => {
    const coze = await signIn('alice')
    const file = await note(text, name)
    await expect(coze.files.upload({ file })).rejects.toMatchObject({ code })
  })

  it('are refused: two at once, and what is no form', async () => {
    const form = new FormData()
    form.append('file', new Blob(['a']), 'a.txt')
    form.append('more', new Blob(['b']), 'b.txt')
    const post = async (body: FormData | string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${emulator.url}/v1/files/upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await tokenOf('alice')}`, ...headers },
        body,
      })
      return answer.json()
    }
    expect(await post(form)).toMatchObject({ code: 4301 })
    const noBoundary = { 'content-type': 'multipart/form-data' }
    expect(await post('file', noBoundary)).toMatchObject({ code: 4304 })
  })
})

describe('a plan', () => {
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

describe('variables, meta data and feedback', () => {
  it('keeps variables by session, user and app or Bot', async () => {
    const alice = await signIn('alice-variables')
    await askBot(alice, '/keep colour red')
    expect(streamed(await askBot(alice, '/kept colour'))).toBe('red')
    const owner = { bot_id, connector_uid: 'u' }
    const read = async (coze: CozeAPI, more: object = {}) =>
      (await coze.variables.retrieve({ ...owner, keywords: [], ...more })).items
    expect(await read(alice)).toMatchObject([{ keyword: 'colour', value: 'red' }])
    await alice.variables.update({ ...owner, data: [{ keyword: 'colour', value: '' }] })
    expect(streamed(await askBot(alice, '/kept colour'))).toBe('')
    expect(await read(alice, { connector_uid: 'other' })).toEqual([])
    expect(await read(await signIn('bob-variables'))).toEqual([])
    await expect(
      alice.variables.retrieve({ connector_uid: 'u', keywords: [] }),
    ).rejects.toMatchObject({ code: 4000 })
  })

  it('tells of custom variables, ext and meta data', async () => {
    const coze = await signIn('alice')
    const vars = await askBot(coze, '/vars', { custom_variables: { tone: 'kind' } })
    expect(streamed(vars)).toBe('tone=kind')
    expect(streamed(await askWorkflow(coze, '/vars', { ext: { user_id: 'u' } }))).toBe('user_id=u')
    const meta = { ...user('/meta'), meta_data: { ticket: '7' } }
    expect(streamed(await askBot(coze, '', { additional_messages: [meta] }))).toBe('ticket=7')
  })

  it('takes feedback on answers, and back', async () => {
    const coze = await signIn('alice-feedback')
    const { id: chatId, conversation_id } = created(await askBot(coze, 'hello'))
    const rows = await coze.chat.messages.list(conversation_id, chatId)
    const answer = rows.find(({ type }) => type === 'answer')
    const path = `/v1/conversations/${conversation_id}/messages/${answer?.id}/feedback`
    const feedback = async () =>
      (await emulator.state()).conversations
        .find(({ id }) => id === conversation_id)
        ?.messages.find(({ type }) => type === 'answer')?.feedback
    const like = { feedback_type: 'like', reason_types: ['quick'], comment: 'thanks' }
    expect(await call('alice-feedback', 'POST', path, like)).toMatchObject({ code: 0 })
    expect(await feedback()).toEqual({ type: 'like', reasons: ['quick'], comment: 'thanks' })
    expect(await call('alice-feedback', 'DELETE', path)).toMatchObject({ code: 0 })
    expect(await feedback()).toBeUndefined()
    const long = { ...like, comment: 'x'.repeat(251) }
    expect(await call('alice-feedback', 'POST', path, long)).toMatchObject({ code: 4000 })
    expect(await call('mallory', 'POST', path, like)).toMatchObject({ code: 4002 })
    const missing = path.replace(answer?.id ?? '', '1')
    expect(await call('alice-feedback', 'POST', missing, like)).toMatchObject({ code: 4005 })
  })
})
