/**
 * A fake upstream that is cheap rather than true: it verifies nothing and renders each frame once per
 * reply, so that beside the measured server it leaves its core to the load client.
 */
import type { Socket } from 'node:net'
import { setInterval } from 'node:timers'
import { z } from 'zod'
import { planSchema } from './commands.ts'
import { renderFrames, type ReplyFrames } from './frames.ts'
import { chunk, createRawServer, streamEnd, streamHead, writeJson } from './http-server.ts'
import { deltaText, type Plan } from './plan.ts'
import { listenAndTell } from './rpc.ts'

const chatSchema = z.object({
  conversation_id: z.string(),
  additional_messages: z.array(z.object({ content: z.string() })).min(1),
})
let lastId = 0

const server = createRawServer((request, socket) => {
  if (request.path === '/v1/workflows/chat') startChat(request.body, socket)
  else if (request.path === '/api/permission/oauth2/token') {
    writeJson(socket, 200, {
      access_token: `czs_${newId()}`,
      expires_in: Math.floor(Date.now() / 1000) + 3600,
      token_type: 'Bearer',
    })
  } else if (request.path === '/v1/conversation/create') {
    const id = newId()
    const data = { id, created_at: 1735559350, meta_data: {}, last_section_id: id }
    writeJson(socket, 200, { code: 0, msg: '', data, detail: { logid: 'bench' } })
  } else writeJson(socket, 404, { code: 4200, msg: `no such path: ${request.path}` })
})
listenAndTell(server)

function startChat(body: string, socket: Socket): void {
  const chat = chatSchema.parse(JSON.parse(body))
  const plan = planSchema.parse(JSON.parse(chat.additional_messages.at(-1)?.content ?? ''))
  const frames = renderFrames(chat.conversation_id, newId(), newId())
  switch (plan.kind) {
    case 'large':
      return sendLarge(socket, chat.conversation_id, plan)
    case 'idle':
      socket.write(streamHead + chunk(frames.opening))
      return
    case 'whole': {
      const { deltas } = plan
      const whole = frames.opening + frames.delta.repeat(deltas) + frames.closing(deltas)
      socket.write(streamHead + chunk(whole) + streamEnd)
      return
    }
    case 'saturated':
      socket.write(streamHead + chunk(frames.opening))
      return saturate(socket, frames, plan)
    case 'paced':
      socket.write(streamHead + chunk(frames.opening))
      pace(socket, frames, plan)
  }
}

/** Each stream has a timer of its own, so that streams do not speak in one turn of the loop. */
function pace(socket: Socket, frames: ReplyFrames, plan: Plan & { kind: 'paced' }): void {
  const delta = Buffer.from(chunk(frames.delta), 'latin1')
  let sent = 0
  const sendNext = () => {
    if (sent < plan.deltas) {
      sent += 1
      socket.write(delta)
      return
    }
    stop()
    socket.write(chunk(frames.closing(plan.deltas)) + streamEnd)
  }
  const timer = setInterval(sendNext, plan.everyMs)
  const stop = () => {
    clearInterval(timer)
    socket.off('close', stop)
  }
  socket.on('close', stop)
  sendNext()
}

function saturate(socket: Socket, frames: ReplyFrames, plan: Plan & { kind: 'saturated' }): void {
  const block = Buffer.from(chunk(frames.delta.repeat(plan.perWrite)), 'latin1')
  let left = plan.deltas
  const pump = () => {
    if (left < plan.perWrite) {
      const rest = left === 0 ? '' : chunk(frames.delta.repeat(left))
      socket.write(rest + chunk(frames.closing(plan.deltas)) + streamEnd)
      return
    }
    left -= plan.perWrite
    if (socket.write(block)) setImmediate(pump)
    else socket.once('drain', pump)
  }
  pump()
}

function sendLarge(
  socket: Socket,
  conversationId: string,
  { deltas, length, alphabet }: Plan & { kind: 'large' },
): void {
  const words = alphabet === 'latin' ? deltaText : '每个用户的会话互不相干'
  const text = words.repeat(Math.ceil(length / words.length)).slice(0, length)
  const frames = renderFrames(conversationId, newId(), newId(), text)
  const delta = chunkOfBytes(frames.delta)
  let left = deltas
  const pump = () => {
    for (; left > 0; left -= 1) {
      if (socket.write(delta)) continue
      left -= 1
      socket.once('drain', pump)
      return
    }
    socket.write(chunkOfBytes(frames.closing(deltas)))
    socket.write(streamEnd)
  }
  socket.write(streamHead)
  socket.write(chunkOfBytes(frames.opening))
  pump()
}

/** As `chunk`, for text that is not ASCII. */
function chunkOfBytes(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ])
}

/** Nineteen digits, as the platform's ids. */
function newId(): string {
  lastId += 1
  return `7400000000${String(lastId).padStart(9, '0')}`
}
