import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type ChatClientOptions,
  type ChatError,
  clearConversation,
  createChatClient,
  deleteConversation,
  fetchTransport,
  findConversation,
  listAssistants,
  listConversations,
  miniProgramTransport,
  rateAnswer,
  readViewer,
  removeRating,
  renameConversation,
  startConversation,
  uploadFile,
  webSocketTransport,
} from '../../src/client/client.ts'
import { openMiniProgram } from '../kit/clients/mini-program.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { until } from '../kit/process/until.ts'
import { startSystem, type System } from '../kit/process/system.ts'

const transports = { fetch: () => fetchTransport(), WebSocket: () => webSocketTransport() }

describe('the client', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  function open(name: string, options: Partial<ChatClientOptions> = {}) {
    const { token } = system.person(name)
    const chat = createChatClient({
      url: `${system.gateway.url}/graphql`,
      token: () => token,
      transport: fetchTransport(),
      ...options,
    })
    return { ...chat, [Symbol.dispose]: () => chat.close() }
  }

  it('shows the text as it grows, and every event once', async () => {
    using chat = open('alice')
    const reply = await chat.send('/long 12', { assistantId: 'bot' })
    const texts: string[] = []
    for await (const text of reply.text) texts.push(text)
    const { status, text, answer } = await reply.done
    expect(status).toBe('COMPLETED')
    expect(texts.at(-1)).toBe(text)
    const names: string[] = []
    for await (const event of reply.events) names.push(event.__typename)
    expect(names.at(0)).toBe('ReplyStarted')
    expect(names.filter((name) => name === 'ReplyCompleted')).toHaveLength(1)
    const { nodes } = await chat.conversation(reply.conversationId).messages()
    expect(nodes.map(({ role, text }) => [role, text])).toEqual([
      ['USER', '/long 12'],
      ['ASSISTANT', text],
    ])
    expect(nodes[1]?.id).toBe(answer?.id)
  })

  it('follows many replies over one stream', async () => {
    using chat = open('bob')
    const conversations = await Promise.all(
      [1, 2, 3].map(async () => await startConversation(chat, { assistantId: 'bot' })),
    )
    const replies = await Promise.all(
      conversations.map(async (one, index) => await one.send(`/say answer ${index}`)),
    )
    const states = await Promise.all(replies.map(async ({ done }) => await done))
    expect(states.map(({ text }) => text)).toEqual(['answer 0', 'answer 1', 'answer 2'])
    await until(() => chat.connection.snapshot().status === 'idle', 'the end of the stream')
  })

  it('stops a reply on request, and keeps the text so far', async () => {
    using chat = open('carol')
    const reply = await chat.send('/speed 50 /long 2000', { assistantId: 'bot' })
    for await (const text of reply.text) if (text.length > 100) break
    await reply.cancel()
    const { status, text } = await reply.done
    expect(status).toBe('CANCELLED')
    expect(text.length).toBeGreaterThan(100)
  })

  it('submits the outputs of tools, and the reply goes on', async () => {
    using chat = open('dora')
    const reply = await chat.send('/tool weather', { assistantId: 'bot' })
    for await (const event of reply.events) {
      if (event.__typename !== 'ReplyActionRequired') continue
      expect(reply.status).toBe('ACTION_REQUIRED')
      await reply.submitToolOutputs(
        event.toolCalls.map(({ callId }) => ({ callId, output: 'sunny' })),
      )
    }
    expect(await reply.done).toMatchObject({ status: 'COMPLETED', toolCalls: [] })
    expect((await reply.done).text).toContain('sunny')
  })

  it('answers a question with the next message', async () => {
    using chat = open('emma')
    const asked = await chat.send('/choose Which colour? | red | blue', { assistantId: 'flow' })
    const { question } = await asked.done
    expect(question?.options).toEqual(['red', 'blue'])
    const answered = await chat.conversation(asked.conversationId).send('blue')
    expect((await answered.done).text).toContain('blue')
  })

  it('uploads a file, tells how much of it was sent, and sends it with a message', async () => {
    using chat = open('fred')
    const file = new File(['Some notes.'], 'notes.txt', { type: 'text/plain' })
    const attachment = await uploadFile(chat, file, { assistantId: 'bot' })
    expect(attachment).toMatchObject({ name: 'notes.txt', mediaType: 'text/plain', byteSize: 11 })
    const attachmentIds = [attachment.id]
    const reply = await chat.send('/files', { assistantId: 'bot', attachmentIds })
    await reply.done
    const { nodes } = await chat.conversation(reply.conversationId).messages()
    expect(nodes[0]?.attachments.map(({ id }) => id)).toEqual(attachmentIds)
  })

  it('uploads the file of a mini-program by its path', async () => {
    using program = await openMiniProgram({ kind: 'wx' })
    using chat = open('gina', { transport: miniProgramTransport(program.api) })
    const path = join(await mkdtemp(join(tmpdir(), 'upload-')), 'notes.txt')
    await writeFile(path, 'Some notes.')
    const sent: number[] = []
    const attachment = await uploadFile(chat, path, {
      assistantId: 'bot',
      onProgress: ({ sentBytes, totalBytes }) => sent.push(sentBytes / totalBytes),
    })
    expect(attachment).toMatchObject({ name: 'notes.txt', byteSize: 11 })
    expect(sent.at(-1)).toBe(1)
    await rm(dirname(path), { recursive: true })
  })

  it('rates the answer, and lists, renames and deletes its conversation', async () => {
    using chat = open('hugo')
    const reply = await chat.send('/say hello', { assistantId: 'bot' })
    const { answer } = await reply.done
    const conversation = chat.conversation(reply.conversationId)
    await rateAnswer(chat, answer?.id ?? '', 'LIKE')
    expect((await conversation.messages()).nodes[1]?.rating).toBe('LIKE')
    await removeRating(chat, answer?.id ?? '')
    await renameConversation(chat, conversation.id, 'Greeting')
    expect((await listConversations(chat)).nodes).toMatchObject([{ title: 'Greeting' }])
    await clearConversation(chat, conversation.id)
    await deleteConversation(chat, conversation.id)
    expect(await findConversation(chat, conversation.id)).toBeNull()
    expect((await listAssistants(chat)).map(({ name }) => name)).toEqual(['Flow', 'Bot'])
    expect((await readViewer(chat)).isOperator).toBe(false)
  })

  it('says what refuses a message by its code', async () => {
    using chat = open('ida')
    await expect(chat.send('hello', { assistantId: 'nobody' })).rejects.toMatchObject({
      name: 'ChatError',
      code: 'NOT_FOUND',
      field: ['assistantId'],
      retryable: false,
    })
    await expect(chat.send('', { assistantId: 'bot' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    using stranger = open('ida', { token: () => 'no token' })
    await expect(stranger.send('hello')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it.each(Object.entries(transports))(
    'goes on under another token when its own expires in mid-reply, over %s',
    async (name, transport) => {
      let asked = 0
      const token = () => {
        asked += 1
        return system.tokenFor(`jan ${name}`, 3)
      }
      using chat = open('jan', { token, transport: transport() })
      const reply = await chat.send('/speed 60 /long 500', { assistantId: 'bot' })
      const texts: string[] = []
      for await (const text of reply.text) texts.push(text)
      expect((await reply.done).text.split(' ')).toHaveLength(500)
      for (const [at, text] of texts.entries()) {
        expect(text.startsWith(texts[at - 1] ?? '')).toBe(true)
      }
      // One for the position, one for the message, one for each stream.
      expect(asked).toBeGreaterThanOrEqual(4)
    },
  )

  it.each(Object.entries(transports))(
    'is served where its documents alone are accepted, over %s',
    async (_, transport) => {
      const file = fileURLToPath(new URL('../../schema/client-documents.json', import.meta.url))
      await using own = await startSystem({
        config: { persistedDocuments: { file, only: true } },
      })
      const { token } = own.person('mia')
      const chat = createChatClient({
        url: `${own.gateway.url}/graphql`,
        token: () => token,
        transport: transport(),
      })
      const notes = new File(['Some notes.'], 'notes.txt', { type: 'text/plain' })
      const { id } = await uploadFile(chat, notes, { assistantId: 'bot' })
      const conversation = await startConversation(chat, { assistantId: 'bot' })
      const reply = await conversation.send('/files', { attachmentIds: [id] })
      expect((await reply.done).status).toBe('COMPLETED')
      expect((await conversation.messages()).nodes).toHaveLength(2)
      const refused = chat.query('{ viewer { isGuest } }')
      await expect(refused).rejects.toMatchObject({ code: 'FORBIDDEN' })
      chat.close()
    },
  )

  it('notices a gateway that hangs, and goes on when it is back', async () => {
    await using own = await startSystem({ timeouts: { keepAliveMs: 500 } })
    const { token } = own.person('kim')
    const chat = createChatClient({
      url: `${own.gateway.url}/graphql`,
      token: () => token,
      transport: fetchTransport(),
    })
    const reply = await chat.send('/speed 100 /long 300', { assistantId: 'bot' })
    for await (const text of reply.text) if (text.length > 100) break
    own.gateway.signal('SIGSTOP')
    const states: string[] = []
    const stop = chat.connection.subscribe(() => states.push(chat.connection.snapshot().status))
    await until(() => states.includes('connecting'), 'the next connection')
    own.gateway.signal('SIGCONT')
    expect((await reply.done).text.split(' ')).toHaveLength(300)
    stop()
    chat.close()
  })

  it.each(Object.entries(transports))(
    'moves to the next gateway when its own drains, over %s',
    async (_, transport) => {
      await using own = await startSystem({ timeouts: { drainMs: 200, recoverMs: 3_000 } })
      await using proxy = await openCuttingProxy(() => Infinity)
      proxy.forwardTo(own.gateway.url)
      const { token } = own.person('liv')
      const chat = createChatClient({
        url: `${proxy.url}/graphql`,
        token: () => token,
        maxAttempts: 30,
        transport: transport(),
      })
      const reply = await chat.send('/speed 40 /long 200', { assistantId: 'bot' })
      for await (const text of reply.text) if (text.length > 100) break
      await own.gateway.kill('SIGTERM')
      await own.gateway.restart()
      proxy.forwardTo(own.gateway.url)
      const end = await reply.done.catch((error: ChatError) => error.code)
      const stored = await chat.query<{ reply: { text: string; status: string } }>(
        'query($id:ID!){reply(id:$id){text status}}',
        { id: reply.id },
      )
      expect(reply.state.snapshot()).toMatchObject(stored.reply)
      expect(typeof end === 'string' ? end : end.status).toMatch(/COMPLETED|SHUTDOWN|UPSTREAM/)
      chat.close()
    },
  )
})
