import { describe, expect, it } from 'vitest'
import {
  cancelBotChat,
  listBotChatMessages,
  retrieveBotChat,
  streamBotChat,
  streamToolOutputs,
} from '../../../src/coze/bot-chat.ts'
import {
  createConversation,
  getOrCreateAppConversation,
  listMessages,
  retrieveConversation,
} from '../../../src/coze/conversations.ts'
import { readObjectString } from '../../../src/coze/message-content.ts'
import { streamWorkflowChat } from '../../../src/coze/workflow-chat.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { streamTimeouts } from '../../kit/fakes/coze-options.ts'
import { stub } from './stub-client.ts'
import { chat, chatId, conversationId, ids, message, messageId } from './wire-samples.ts'

const target = { baseUrl: 'https://api.coze.com', token: new Secret('t') }
const { signal } = new AbortController()

const timeouts = streamTimeouts
const ignored = () => undefined

const messages = [
  { role: 'assistant', text: 'Hello' },
  { role: 'user', text: 'Hi', metaData: { reply: 'r' } },
] as const
const entered = [
  { role: 'assistant', type: 'answer', content: 'Hello', content_type: 'text' },
  {
    role: 'user',
    type: 'question',
    content: 'Hi',
    content_type: 'text',
    meta_data: { reply: 'r' },
  },
]

describe('chats', () => {
  it('ask a Workflow of an app, with everything keyed', async () => {
    const { client, asked } = stub()
    const request = {
      workflowId: 'w',
      owner: { appId: 'a' },
      conversationId,
      messages,
      userId: 'name',
      parameters: { CONVERSATION_NAME: 'n' },
      sessionName: 'name',
      connectorId: '1024',
      timeouts,
    }
    await streamWorkflowChat(client, target, request, ignored, signal)
    expect(asked).toEqual([
      {
        path: '/v1/workflows/chat',
        body: {
          workflow_id: 'w',
          app_id: 'a',
          conversation_id: conversationId,
          additional_messages: entered,
          parameters: { CONVERSATION_NAME: 'n' },
          ext: { user_id: 'name' },
          session_name: 'name',
          connector_id: '1024',
        },
      },
    ])
  })

  it('ask a Workflow of a bot, with no more than it needs', async () => {
    const { client, asked } = stub()
    const request = {
      workflowId: 'w',
      owner: { botId: 'b' },
      messages: [],
      userId: 'name',
      timeouts,
    }
    await streamWorkflowChat(client, target, request, ignored, signal)
    expect(asked).toEqual([
      {
        path: '/v1/workflows/chat',
        body: {
          workflow_id: 'w',
          bot_id: 'b',
          additional_messages: [],
          parameters: {},
          ext: { user_id: 'name' },
        },
      },
    ])
  })

  it('ask a Bot, with the conversation in the query string', async () => {
    const { client, asked } = stub()
    const request = {
      botId: 'b',
      conversationId,
      userId: 'name',
      messages,
      customVariables: { a: '1' },
      metaData: { reply: 'r' },
      timeouts,
    }
    await streamBotChat(client, target, request, ignored, signal)
    expect(asked).toEqual([
      {
        path: '/v3/chat',
        query: { conversation_id: conversationId },
        body: {
          bot_id: 'b',
          user_id: 'name',
          stream: true,
          auto_save_history: true,
          additional_messages: entered,
          custom_variables: { a: '1' },
          meta_data: { reply: 'r' },
        },
      },
    ])
  })
})

describe('messages with files', () => {
  it('are a list of parts as text, the text among them even if it is empty', async () => {
    const { client, asked } = stub()
    const files = [
      { type: 'image', fileId: 'f1' },
      { type: 'file', fileId: 'f2' },
      { type: 'audio', fileId: 'f3' },
    ] as const
    const sent = [
      { role: 'user', text: 'Look', files },
      { role: 'user', text: '', files: files.slice(0, 1) },
      { role: 'user', text: 'Hi', files: [] },
    ] as const
    const request = { botId: 'b', conversationId, userId: 'name', messages: sent, timeouts }
    await streamBotChat(client, target, request, ignored, signal)
    const [call] = asked as [{ body: { additional_messages: Record<string, string>[] } }]
    const entered = call.body.additional_messages
    expect(entered.map((message) => message['content_type'])).toEqual([
      'object_string',
      'object_string',
      'text',
    ])
    expect(JSON.parse(entered[0]?.['content'] ?? '')).toEqual([
      { type: 'text', text: 'Look' },
      { type: 'image', file_id: 'f1' },
      { type: 'file', file_id: 'f2' },
      { type: 'audio', file_id: 'f3' },
    ])
    expect(JSON.parse(entered[1]?.['content'] ?? '')).toHaveLength(2)
    expect(readObjectString(entered[0]?.['content'] ?? '')).toEqual({ text: 'Look', hasMore: true })
  })

  it.each(['', '{}', '[1]', '[{"type":"image"}]', '[{"type":"text","text":5}]'])(
    'have no text when they are %j',
    (content) => {
      expect(readObjectString(content)).toEqual({ text: '', hasMore: true })
    },
  )
})

describe('tool outputs', () => {
  it('go on with the chat that asked, as a stream', async () => {
    const { client, asked } = stub()
    const outputs = [{ toolCallId: 'call-1', output: '{"a":1}' }]
    await streamToolOutputs(
      client,
      target,
      { ...ids, outputs, connectorId: '999', timeouts },
      ignored,
      signal,
    )
    expect(asked).toEqual([
      {
        path: '/v3/chat/submit_tool_outputs',
        query: { conversation_id: conversationId, chat_id: chatId },
        body: {
          tool_outputs: [{ tool_call_id: 'call-1', output: '{"a":1}' }],
          stream: true,
          connector_id: '999',
        },
      },
    ])
  })
})

describe('a chat looked up', () => {
  const query = { conversation_id: conversationId, chat_id: chatId }

  it.each([
    ['in_progress', 'in-progress'],
    ['completed', 'completed'],
    ['requires_action', 'requires-action'],
    ['required_action', 'requires-action'],
    ['canceled', 'cancelled'],
    ['cancelled', 'cancelled'],
    ['conversation.chat.cancelled', 'cancelled'],
  ])('is %s on the wire and %s here', async (status, expected) => {
    const { client, asked } = stub({ data: chat(status) })
    const found = await retrieveBotChat(client, target, ids, signal)
    expect(found).toMatchObject({ ...ids, status: expected, error: undefined, toolCalls: [] })
    expect(asked).toEqual([{ method: 'GET', path: '/v3/chat/retrieve', query }])
  })

  it('keeps the code of its failure', async () => {
    const { client } = stub({ data: chat('failed', { last_error: { code: 4011, msg: 'x' } }) })
    const { error } = await retrieveBotChat(client, target, ids, signal)
    expect(error).toMatchObject({ kind: 'quota', upstreamCode: '4011', accepted: 'yes' })
  })

  it.each([
    ['no data', {}],
    ['an unknown status', { data: chat('dreaming') }],
    ['no chat id', { data: chat('completed', { id: '0' }) }],
    ['no conversation id', { data: chat('completed', { conversation_id: '' }) }],
  ])('T14 is refused with %s', async (_what, body) => {
    const found = retrieveBotChat(stub(body).client, target, ids, signal)
    await expect(found).rejects.toMatchObject({ kind: 'protocol', logId: 'log' })
  })

  it('tells what it waits for, and only while it waits', async () => {
    const call = { id: 'call-1', type: 'function', function: { name: 'lookup' } }
    const required_action = { submit_tool_outputs: { tool_calls: [call] } }
    const found = async (status: string) => {
      const { client } = stub({ data: chat(status, { required_action }) })
      return (await retrieveBotChat(client, target, ids, signal)).toolCalls
    }
    expect(await found('requires_action')).toMatchObject([{ id: 'call-1', name: 'lookup' }])
    expect(await found('completed')).toEqual([])
  })

  it('is cancelled by its ids', async () => {
    const { client, asked } = stub({ data: chat('canceled') })
    expect(await cancelBotChat(client, target, ids, signal)).toMatchObject({ status: 'cancelled' })
    const studio = stub({ ChatV3ChatDetail: chat('conversation.chat.cancelled'), BaseResp: null })
    expect(await cancelBotChat(studio.client, target, ids, signal)).toMatchObject({
      status: 'cancelled',
    })
    expect(asked).toEqual([{ method: 'POST', path: '/v3/chat/cancel', body: query }])
  })

  it('has its messages', async () => {
    const row = message('text', { meta_data: { reply: 'r', odd: 1 } })
    const { client, asked } = stub({ data: [row] })
    expect(await listBotChatMessages(client, target, ids, signal)).toEqual([
      {
        id: messageId,
        conversationId,
        chatId,
        role: 'assistant',
        type: 'answer',
        contentType: 'text',
        text: 'text',
        metaData: { reply: 'r' },
        usage: null,
        createdAt: null,
      },
    ])
    expect(asked).toEqual([{ method: 'GET', path: '/v3/chat/message/list', query }])
  })
})

describe('conversations', () => {
  const path = '/v1/conversation/create'
  const data = { id: conversationId, name: '' }

  it('are created for a bot', async () => {
    const { client, asked } = stub({ data })
    const created = await createConversation(client, target, { botId: 'b' }, signal)
    expect(created).toEqual({ id: conversationId, logId: 'log' })
    expect(asked).toEqual([{ method: 'POST', path, body: { bot_id: 'b' } }])
  })

  it('are found or created by name for an app', async () => {
    const { client, asked } = stub({ data })
    const request = { appId: 'a', workflowId: 'w', name: 'n' }
    const created = await getOrCreateAppConversation(client, target, request, signal)
    expect(created).toEqual({ id: conversationId, logId: 'log' })
    const body = {
      app_id: 'a',
      workflow_id: 'w',
      conversation_name: 'n',
      connector_id: '1024',
      get_or_create: true,
      draft_mode: false,
    }
    expect(asked).toEqual([{ method: 'POST', path, body }])
  })

  it('are looked up by id', async () => {
    const { client, asked } = stub({ data })
    expect(await retrieveConversation(client, target, conversationId, signal)).toEqual({
      id: conversationId,
      logId: 'log',
    })
    const query = { conversation_id: conversationId }
    expect(asked).toEqual([{ method: 'GET', path: '/v1/conversation/retrieve', query }])
  })

  it.each(['', '0', 5, undefined])('T14 are never bound to the id %j', async (id) => {
    const { client } = stub({ data: { id } })
    const created = createConversation(client, target, {}, signal)
    await expect(created).rejects.toMatchObject({ kind: 'protocol', logId: 'log' })
  })

  it('list the messages of one chat, newest first; inserted ones have none', async () => {
    const { client, asked } = stub({ data: [message('a'), message('b', { chat_id: '' })] })
    const request = { conversationId, chatId }
    const rows = await listMessages(client, target, request, signal)
    expect(rows?.map((row) => [row.text, row.chatId])).toEqual([
      ['a', chatId],
      ['b', undefined],
    ])
    expect(asked).toEqual([
      {
        method: 'POST',
        path: '/v1/conversation/message/list',
        query: { conversation_id: conversationId },
        body: { order: 'desc', chat_id: chatId, limit: 50 },
      },
    ])
  })

  it('list what is older than a message', async () => {
    const { client, asked } = stub({ data: [] })
    const older = { by: 'before_id', than: messageId } as const
    await listMessages(client, target, { conversationId, older, limit: 7 }, signal)
    expect(asked).toMatchObject([{ body: { order: 'desc', before_id: messageId, limit: 7 } }])
  })

  it.each([
    [1_716_809_829, 1_716_809_829_000],
    ['1716809829', 1_716_809_829_000],
    ['', null],
    ['soon', null],
    [0, null],
    [undefined, null],
  ])('know when a message was written: %j', async (created_at, createdAt) => {
    const { client } = stub({ data: [message('a', { created_at })] })
    expect(await listMessages(client, target, { conversationId }, signal)).toMatchObject([
      { createdAt },
    ])
  })

  it('are listed where Studio lists them, their usage among what it says of an answer', async () => {
    const meta_data = { input_tokens: '11', output_tokens: '7', token: '18', time_cost: '0.0' }
    const { client } = stub({ Messages: [message('a', { meta_data })], code: 0, BaseResp: null })
    expect(await listBotChatMessages(client, target, ids, signal)).toMatchObject([
      { text: 'a', usage: { inputTokens: 11, outputTokens: 7, totalTokens: 18 } },
    ])
  })

  it('are looked up where Studio tells them', async () => {
    const { client } = stub({ ConversationData: { id: conversationId, creator_d: '1' }, code: 0 })
    expect(await retrieveConversation(client, target, conversationId, signal)).toMatchObject({
      id: conversationId,
    })
  })

  it('have roles that are only told apart where they are known', async () => {
    const rows = ['user', 'assistant', 'tool', undefined].map((role) => message('a', { role }))
    const listed = await listMessages(
      stub({ data: rows }).client,
      target,
      { conversationId },
      signal,
    )
    expect(listed?.map(({ role }) => role)).toEqual(['user', 'assistant', 'other', 'other'])
  })

  it('have no rows where the answer holds no list, and nothing malformed for a row', async () => {
    const list = (data: unknown) =>
      listMessages(stub({ data }).client, target, { conversationId }, signal)
    expect(await list(null)).toBeUndefined()
    expect(await list(undefined)).toBeUndefined()
    expect(await list([])).toEqual([])
    for (const data of [
      {},
      [5],
      [message('a', { id: '' })],
      [message('a', { conversation_id: 0 })],
    ]) {
      await expect(list(data)).rejects.toMatchObject({ kind: 'protocol' })
    }
  })
})
