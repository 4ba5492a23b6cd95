import { deltaText } from './plan.ts'

export interface ReplyFrames {
  /** chat.created and chat.in_progress. */
  readonly opening: string
  readonly delta: string
  /** message.completed (answer and verbose), chat.completed and done, for an answer of `deltas` deltas. */
  closing(deltas: number): string
}

/** The events of one workflow chat in the upstream's dialect (docs/coze-platform.md#events-of-a-workflow), rendered once per reply. */
export function renderFrames(
  conversationId: string,
  chatId: string,
  messageId: string,
  text = deltaText,
): ReplyFrames {
  const ids = `"chat_id":"${chatId}","section_id":"${conversationId}"`
  const message = (type: string, content: string) =>
    `{"id":"${messageId}","conversation_id":"${conversationId}","role":"assistant",` +
    `"type":"${type}","content":${content},"content_type":"text",${ids}`
  const chat = (status: string, usage: string) =>
    `{"id":"${chatId}","conversation_id":"${conversationId}","created_at":1735559350,` +
    `"last_error":{"code":0,"msg":""},"status":"${status}","usage":${usage},` +
    `"section_id":"${conversationId}"}`
  const none = '{"token_count":0,"output_count":0,"input_count":0}'
  const verbose = JSON.stringify(
    '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0,\\"FinData\\":\\"\\"}","from_module":null,"from_unit":null}',
  )
  return {
    opening:
      frame('conversation.chat.created', chat('created', none)) +
      frame('conversation.chat.in_progress', chat('in_progress', none)),
    delta: frame('conversation.message.delta', `${message('answer', `"${text}"`)}}`),
    closing: (deltas) =>
      frame(
        'conversation.message.completed',
        `${message('answer', `"${text.repeat(deltas)}"`)},"created_at":1735559351}`,
      ) +
      frame(
        'conversation.message.completed',
        `${message('verbose', verbose)},"created_at":1735559351,"updated_at":1735559351}`,
      ) +
      frame(
        'conversation.chat.completed',
        chat('completed', '{"token_count":30,"output_count":20,"input_count":10}'),
      ) +
      frame('done', '{"debug_url":"https://www.coze.cn/work_flow?execute_id=1"}'),
  }
}

function frame(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`
}
