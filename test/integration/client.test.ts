import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChatClientOptions, createChatClient } from '../../src/client/client.ts'
import { until } from '../kit/process/until.ts'
import { startSystem, type System } from '../kit/process/system.ts'

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
      [1, 2, 3].map(async () => await chat.startConversation({ assistantId: 'bot' })),
    )
    const replies = await Promise.all(
      conversations.map(async (one, index) => await one.send(`/say answer ${index}`)),
    )
    const states = await Promise.all(replies.map(async ({ done }) => await done))
    expect(states.map(({ text }) => text)).toEqual(['answer 0', 'answer 1', 'answer 2'])
    await until(() => chat.connection.snapshot().status === 'idle', 'the end of the stream')
  })
})
