/** What teams write: Express and the platform's own SDK. It has no log, no GraphQL and no sign-in. */
import { createServer } from 'node:http'
import { ChatEventType, CozeAPI, RoleType } from '@coze/api'
import express from 'express'
import { z } from 'zod'
import { listenAndTell } from '../rpc.ts'

const coze = new CozeAPI({ token: 'pat_bench', baseURL: z.string().parse(process.argv[2]) })
const chatSchema = z.object({ conversationId: z.string(), text: z.string() })

const app = express()
app.use(express.json())
app.post('/chat', async (request, response) => {
  const { conversationId, text } = chatSchema.parse(request.body)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.write(':\n\n')
  const stream = coze.workflows.chat.stream({
    workflow_id: '7300000000000000001',
    app_id: '7300000000000000002',
    conversation_id: conversationId,
    additional_messages: [{ role: RoleType.User, content: text, content_type: 'text' }],
  })
  let full = ''
  for await (const part of stream) {
    if (part.event !== ChatEventType.CONVERSATION_MESSAGE_DELTA) continue
    full += part.data.content
    response.write(`data: ${JSON.stringify({ delta: part.data.content })}\n\n`)
  }
  response.end(`data: ${JSON.stringify({ full })}\n\n`)
})
listenAndTell(createServer(app))
