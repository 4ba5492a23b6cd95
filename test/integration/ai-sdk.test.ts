import { Chat } from '@ai-sdk/react'
import { lastAssistantMessageIsCompleteWithToolCalls, type UIMessage } from 'ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createChatTransport } from '../../src/ai-sdk/ai-sdk.ts'
import {
  type ChatClient,
  createChatClient,
  fetchTransport,
  listConversations,
} from '../../src/client/client.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const shownOf = (message: UIMessage | undefined) =>
  (message?.parts ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')

describe("the AI SDK's chat over the gateway", () => {
  let system: System
  let alice: ChatClient
  beforeAll(async () => {
    system = await startSystem({ emulator: { wordsPerSecond: 100 } })
    alice = clientOf('alice')
  }, 120_000)
  afterAll(async () => {
    alice.close()
    await system[Symbol.asyncDispose]()
  })

  const clientOf = (name: string) =>
    createChatClient({
      url: `${system.gateway.url}/graphql`,
      token: () => system.person(name).token,
      transport: fetchTransport(),
    })
  const open = (id: string, client = alice, assistantId = 'bot') =>
    new Chat<UIMessage>({ id, transport: createChatTransport(client, { assistantId }) })

  it('shows the answer while it grows, and ends ready', async () => {
    const chat = open('grows')
    const lengths = new Set<number>()
    chat['~registerMessagesCallback'](() => lengths.add(shownOf(chat.messages.at(-1)).length))
    await chat.sendMessage({ text: '/long 40' })
    expect(shownOf(chat.messages.at(-1))).toMatch(/^.*\b40\b/)
    expect(lengths.size).toBeGreaterThan(5)
    expect({ status: chat.status, error: chat.error }).toEqual({
      status: 'ready',
      error: undefined,
    })
  })

  it('shows reasoning in a part of its own', async () => {
    const chat = open('reasons')
    await chat.sendMessage({ text: '/think so so\n/say done' })
    const parts = chat.messages
      .at(-1)
      ?.parts.flatMap((part) => ('text' in part ? [[part.type, part.text]] : []))
    expect(parts).toEqual([
      ['reasoning', 'so so'],
      ['text', 'done'],
    ])
  })

  it('goes on with the running reply after a reload, from its beginning', async () => {
    const before = open('reloads')
    const sent = before.sendMessage({
      text: '/slow 20\n/say a b c d e f g h i j k l m n o p q r s t u v w x y z',
    })
    await until(() => shownOf(before.messages[1]).includes('c'), 'the first words')
    using client = disposable(clientOf('alice'))
    const transport = createChatTransport(client.chat, { assistantId: 'bot' })
    const messages = await transport.loadMessages('reloads')
    expect(messages.map(({ role }) => role)).toEqual(['user'])
    const after = new Chat<UIMessage>({ id: 'reloads', messages, transport })
    await after.resumeStream()
    expect(shownOf(after.messages.at(-1))).toBe(
      'a b c d e f g h i j k l m n o p q r s t u v w x y z',
    )
    await sent
    expect(after.messages).toHaveLength(2)
    expect(await transport.reconnectToStream({ chatId: 'reloads' })).toBeNull()
    expect((await transport.loadMessages('reloads')).map(shownOf)).toHaveLength(2)
  })

  it('stops the reply on the platform, and keeps what was shown', async () => {
    const chat = open('stops')
    const sent = chat.sendMessage({ text: '/slow 10\n/long 500' })
    await until(() => shownOf(chat.messages[1]).length > 5, 'the first words')
    await chat.stop()
    await sent
    const { id = '' } = chat.messages.at(-1) ?? {}
    await expect((await alice.follow(id)).done).resolves.toMatchObject({ status: 'CANCELLED' })
    expect(chat.status).toBe('ready')
    expect(shownOf(chat.messages.at(-1)).length).toBeGreaterThan(5)
  })

  it('stops a reply that it has resumed', async () => {
    const chat = open('stops later')
    const sent = chat.sendMessage({ text: '/slow 10\n/long 500' })
    await until(() => shownOf(chat.messages[1]).length > 5, 'the first words')
    const again = open('stops later')
    const resumed = again.resumeStream()
    await until(() => shownOf(again.messages[0]).length > 5, 'the words so far')
    await again.stop()
    await Promise.all([resumed, sent])
    const { id = '' } = again.messages[0] ?? {}
    await expect((await alice.follow(id)).done).resolves.toMatchObject({ status: 'CANCELLED' })
  })

  it('regenerates by sending the message again', async () => {
    const chat = open('regenerates')
    await chat.sendMessage({ text: '/say once' })
    const [, first] = chat.messages
    await chat.regenerate()
    expect(chat.messages.map(shownOf)).toEqual(['/say once', 'once'])
    expect(chat.messages[1]?.id).not.toBe(first?.id)
  })

  it('calls a tool, and goes on in the same message with its output', async () => {
    const chat = new Chat<UIMessage>({
      id: 'calls',
      transport: createChatTransport(alice, { assistantId: 'bot' }),
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
      onToolCall({ toolCall }) {
        const { toolName: tool, toolCallId, input } = toolCall
        void chat.addToolOutput({ tool, toolCallId, output: `${JSON.stringify(input)} is 21` })
      },
    })
    await chat.sendMessage({ text: '/say Let me see.\n/tool weather {"city":"Xi\'an"}' })
    await until(
      () => chat.status === 'ready' && shownOf(chat.messages.at(-1)).includes('21'),
      'the rest',
    )
    expect(chat.messages).toHaveLength(2)
    const types = chat.messages.at(-1)?.parts.map(({ type }) => type)
    expect(types).toContain('dynamic-tool')
    const [conversation] = (await listConversations(alice, { first: 1 })).nodes
    const stored = await alice.conversation(conversation?.id ?? '').messages()
    expect(shownOf(chat.messages.at(-1)).replaceAll(/\s/g, '')).toBe(
      stored.nodes.at(-1)?.text.replaceAll(/\s/g, ''),
    )
  })

  it('sends a file along', async () => {
    const chat = open('files')
    const url = `data:text/plain;base64,${btoa('Some notes.')}`
    const file = { type: 'file', mediaType: 'text/plain', filename: 'notes.txt', url } as const
    await chat.sendMessage({ text: '/files', files: [file] })
    expect(shownOf(chat.messages.at(-1))).toContain('notes.txt')
  })

  it('shows a failed reply as an error', async () => {
    const chat = open('fails')
    await chat.sendMessage({ text: '/fail 5000 broken' })
    expect(chat.status).toBe('error')
    expect(chat.error?.message).not.toBe('')
  })

  it('has a conversation of its own for each session, also under the same id of a chat', async () => {
    using bob = disposable(clientOf('bob'))
    const [his, hers] = [open('shared', bob.chat), open('shared')]
    await hers.sendMessage({ text: 'my secret is swordfish' })
    await his.sendMessage({ text: 'what is my secret?' })
    expect(shownOf(his.messages.at(-1))).not.toContain('swordfish')
    const transport = createChatTransport(bob.chat, { assistantId: 'bot' })
    expect((await transport.loadMessages('shared')).map(shownOf).join()).not.toContain('swordfish')
  })
})

const disposable = (chat: ChatClient) => ({ chat, [Symbol.dispose]: () => chat.close() })
