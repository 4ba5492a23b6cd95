import type { CozeAPI } from '@coze/api'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  askBot,
  askWorkflow,
  app_id,
  bot_id,
  collect,
  created,
  exchangeJwt,
  failure,
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

const signIn = async (sessionName: string) => signInTo(emulator, app, sessionName)
const tokenOf = async (sessionName: string) =>
  (await exchangeJwt(emulator, app, sessionName)).access_token

/** For calls that the SDK does not have. */
async function call(sessionName: string, method: 'POST' | 'DELETE', path: string, body?: object) {
  const answer = await request(emulator.url + path, {
    method,
    headers: { authorization: `Bearer ${await tokenOf(sessionName)}` },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await answer.body.json()) as { code: number }
}

/** The SDK names a file after its path. */
async function note(text: string, name = 'notes.txt') {
  const path = join(directory, name)
  await writeFile(path, text)
  return createReadStream(path)
}

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
    await askBot(alice, 'and now?', { conversation_id: first })
    expect(await alice.conversations.retrieve(first)).toMatchObject({ name: 'hello there' })
    const { id } = await alice.conversations.create({ bot_id, name: 'mine' } as object)
    await askBot(alice, 'hello there', { conversation_id: id })
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

    const chat = created(await askBot(alice, 'e', { conversation_id: id }))
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
