import { z } from 'zod'
import { detachRun, streamPlatformRun } from '../chat-answer.ts'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { findOwned } from './conversations.ts'
import { parseRequest } from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { findChat } from './find-chat.ts'
import { resumeRun } from '../run.ts'
import { cloudChatView } from './views.ts'

const requestSchema = z.object({
  tool_outputs: z.array(z.object({ tool_call_id: z.string(), output: z.string() })).min(1),
  stream: z.boolean().default(false),
})

/** `POST /v3/chat/submit_tool_outputs`: the chat goes on, streamed or not (docs/coze-platform.md#bot-chat). */
export async function submitToolOutputs(call: OwnedCall, context: Context): Promise<Answer> {
  const request = parseRequest(requestSchema, call.body)
  const conversation = findOwned(call.query.get('conversation_id') ?? '', call, context)
  const chat = findChat(call.query.get('chat_id'), conversation, context)
  const outputs = new Map(
    request.tool_outputs.map(({ tool_call_id: id, output }) => [id, output] as const),
  )
  const waits = chat.status === 'requires_action' && chat.toolCalls.length === outputs.size
  if (!waits || !chat.toolCalls.every(({ id }) => outputs.has(id))) {
    throw new ApiError(4000, 'Request parameter error: tool_outputs')
  }
  const run = resumeRun(context, { chat, conversation, outputs })
  if (request.stream) return streamPlatformRun(run, call, context)
  detachRun(run, call, context)
  return { data: cloudChatView(run.chat) }
}
