/**
 * A fake upstream that is cheap rather than true: it verifies nothing and renders each frame once per
 * reply, so that beside the measured server it leaves its core to the load client.
 */
import type { Socket } from 'node:net'
import { setInterval } from 'node:timers'
import { z } from 'zod'
import { renderFrames } from './frames.ts'
import type { ReplyFrames } from './frames.ts'
import { chunk, createRawServer, streamEnd, streamHead, writeJson } from './http-server.ts'
import { deltasPerSecond } from './plan.ts'
import type { Plan } from './plan.ts'
import { answerParent, listenAndTell } from './rpc.ts'

const planSchema: z.ZodType<Plan> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('paced'), deltas: z.number(), thinkMs: z.number() }),
  z.object({ kind: z.literal('burst'), deltas: z.number(), perWrite: z.number() }),
  z.object({ kind: z.literal('idle') }),
])
const chatSchema = z.object({
  conversation_id: z.string(),
  additional_messages: z.array(z.object({ content: z.string() })).min(1),
})

interface PacedStream {
  readonly socket: Socket
  readonly deltaChunk: Buffer
  readonly frames: ReplyFrames
  readonly deltas: number
  readonly startsAt: number
  readonly end: () => void
  sent: number
}

/** One slot for about each millisecond of a period; a stream sends when its slot comes round. */
const slotCount = Math.round(1000 / deltasPerSecond)
const slotMs = 1000 / deltasPerSecond / slotCount
const slots: Set<PacedStream>[] = Array.from({ length: slotCount }, () => new Set<PacedStream>())
const lateness = { maxMs: 0 }
let lastId = 0
let lastSlot = Math.floor(performance.now() / slotMs)
let nextSlot = 0

// One timer for all streams: a timer for each would cost more than what is measured.
setInterval(() => {
  const due = Math.floor(performance.now() / slotMs)
  lateness.maxMs = Math.max(lateness.maxMs, (due - lastSlot) * slotMs)
  while (lastSlot < due) {
    lastSlot += 1
    const slot = slots[lastSlot % slotCount]
    for (const stream of slot ?? []) sendNext(stream)
  }
}, 1)

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
answerParent({
  lateness() {
    const { maxMs } = lateness
    lateness.maxMs = 0
    return maxMs
  },
})

function startChat(body: string, socket: Socket): void {
  const chat = chatSchema.parse(JSON.parse(body))
  const plan = planSchema.parse(JSON.parse(chat.additional_messages.at(-1)?.content ?? ''))
  const frames = renderFrames(chat.conversation_id, newId(), newId())
  const opening = streamHead + chunk(frames.opening)
  switch (plan.kind) {
    case 'idle':
      socket.write(opening)
      return
    case 'burst':
      socket.write(opening)
      burst(socket, frames, plan)
      return
    case 'paced': {
      nextSlot = (nextSlot + 1) % slotCount
      const slot = slots[nextSlot]
      const stream: PacedStream = {
        socket,
        frames,
        deltaChunk: Buffer.from(chunk(frames.delta), 'latin1'),
        deltas: plan.deltas,
        startsAt: performance.now() + plan.thinkMs,
        sent: 0,
        end() {
          slot?.delete(stream)
          socket.off('close', stream.end)
        },
      }
      slot?.add(stream)
      socket.on('close', stream.end)
      socket.write(opening)
      sendNext(stream)
    }
  }
}

function sendNext(stream: PacedStream): void {
  if (stream.sent === stream.deltas) {
    stream.end()
    stream.socket.write(chunk(stream.frames.closing(stream.deltas)) + streamEnd)
  } else if (stream.sent > 0 || performance.now() >= stream.startsAt) {
    stream.sent += 1
    stream.socket.write(stream.deltaChunk)
  }
}

function burst(socket: Socket, frames: ReplyFrames, plan: Plan & { kind: 'burst' }): void {
  const block = Buffer.from(chunk(frames.delta.repeat(plan.perWrite)), 'latin1')
  let left = plan.deltas
  const pump = () => {
    if (left < plan.perWrite) {
      const rest = left === 0 ? '' : chunk(frames.delta.repeat(left))
      socket.write(rest + chunk(frames.closing(plan.deltas)) + streamEnd)
      return
    }
    left -= plan.perWrite
    // One burst of each stream in turn, unless its socket is full.
    if (socket.write(block)) setImmediate(pump)
    else socket.once('drain', pump)
  }
  pump()
}

/** Nineteen digits, as the platform's ids. */
function newId(): string {
  lastId += 1
  return `7400000000${String(lastId).padStart(9, '0')}`
}
