/** Events as the platform writes them (docs/coze-platform.md#events-of-a-workflow). */

export const chatId = '7468123412341239999'
export const conversationId = '7468123412341234567'
export const messageId = '7468123412341230001'
export const ids = { chatId, conversationId }

type Fields = Readonly<Record<string, unknown>>

export const chat = (status: string, more: Fields = {}) => ({
  id: chatId,
  conversation_id: conversationId,
  created_at: 1_735_115_982,
  last_error: { code: 0, msg: '' },
  status,
  usage: { token_count: 0, output_count: 0, input_count: 0 },
  section_id: conversationId,
  ...more,
})

export const message = (content: string, more: Fields = {}) => ({
  id: messageId,
  conversation_id: conversationId,
  role: 'assistant',
  type: 'answer',
  content,
  content_type: 'text',
  chat_id: chatId,
  section_id: conversationId,
  ...more,
})

/** A frame of the Workflow dialect, with spaces; the Bot's has none. */
export const frame = (event: string, data: unknown, space = ' ') =>
  `event:${space}${event}\ndata:${space}${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

export const created = frame('conversation.chat.created', chat('created'))
export const delta = (content: string, more?: Fields) =>
  frame('conversation.message.delta', message(content, more))
export const completed = frame(
  'conversation.chat.completed',
  chat('completed', { usage: { token_count: 30, output_count: 20, input_count: 10 } }),
)
export const done = frame('done', { debug_url: 'https://www.coze.cn/work_flow?execute_id=1' })
export const run = (...contents: readonly string[]) =>
  [created, ...contents.map((content) => delta(content)), completed, done].join('')
