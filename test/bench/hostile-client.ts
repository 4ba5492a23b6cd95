import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { z } from 'zod'
import { type Plan, planText } from './plan.ts'

/** A hostile session. */
export interface Hostile {
  readonly token: string
  /** Its long replies. */
  readonly replies: readonly string[]
  /** The messages that these replies answer. */
  readonly messages: readonly string[]
}

export interface Target {
  readonly port: number
  readonly hostile: readonly Hostile[]
}

export interface Asked {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
}

const sent = z.object({
  data: z.object({
    sendMessage: z.object({
      reply: z.object({ id: z.string(), message: z.object({ id: z.string() }) }),
    }),
  }),
})

const sending = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { ... on SendMessageSuccess { reply { id message { id } } } }
}`

/** Sends what the fake upstream is to answer. `padding`: code units by which the message is longer. */
export async function send(
  port: number,
  token: string,
  plan: Plan,
  { padding = 0 } = {},
): Promise<{ readonly reply: string; readonly message: string }> {
  const text = planText(plan) + ' '.repeat(padding)
  const body = await ask(port, token, { query: sending, variables: { input: { text } } })
  const { success, data } = sent.safeParse(JSON.parse(body))
  if (!success) throw new RefusedError(body)
  const { reply } = data.data.sendMessage
  return { reply: reply.id, message: reply.message.id }
}

const refused = z.object({
  errors: z.tuple([z.object({ extensions: z.object({ retryAfterMs: z.number() }) })]),
})

/** As `send`, again and again while the session has asked for too much. */
export async function sendPatiently(...sending: Parameters<typeof send>): ReturnType<typeof send> {
  for (;;) {
    try {
      return await send(...sending)
    } catch (error) {
      if (!(error instanceof RefusedError) || error.retryAfterMs === undefined) throw error
      await delay(error.retryAfterMs)
    }
  }
}

class RefusedError extends Error {
  override readonly name = 'RefusedError'
  /** Undefined: it would be refused again. */
  readonly retryAfterMs: number | undefined
  constructor(body: string) {
    super(`a message was not accepted: ${body}`)
    const { data } = refused.safeParse(JSON.parse(body))
    this.retryAfterMs = data?.errors[0].extensions.retryAfterMs
  }
}

export async function isCompleted(port: number, token: string, id: string): Promise<boolean> {
  const query = 'query ($id: ID!) { reply(id: $id) { status failure { code } } }'
  const body = await ask(port, token, { query, variables: { id } })
  if (body.includes('"FAILED"')) throw new Error(`a reply failed: ${body}`)
  return body.includes('"COMPLETED"')
}

export async function ask(port: number, token: string, asked: Asked): Promise<string> {
  const { body } = await request(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(asked),
  })
  return await body.text()
}

/** Opens so many connections, writes to each, and reads nothing. */
export async function hold(
  target: Target,
  count: number,
  writing: (hostile: Hostile) => string,
  signal: AbortSignal,
): Promise<void> {
  const sockets = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const socket = await open(target.port)
      socket.pause()
      socket.write(writing(hostileOf(target, n)))
      return socket
    }),
  )
  if (!signal.aborted) await once(signal, 'abort')
  for (const socket of sockets) socket.destroy()
}

/** As `hold`, as so many streams of one HTTP/2 connection for each session. */
export async function holdHttp2(
  { port, hostile }: Target,
  count: number,
  document: (hostile: Hostile) => Asked,
  signal: AbortSignal,
): Promise<void> {
  const sessions = hostile.map((one) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    session.on('error', () => undefined)
    for (let n = 0; n < count / hostile.length; n += 1) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/graphql',
        'content-type': 'application/json',
        authorization: `Bearer ${one.token}`,
      })
      stream.on('error', () => undefined)
      stream.pause()
      stream.end(JSON.stringify(document(one)))
    }
    return session
  })
  if (!signal.aborted) await once(signal, 'abort')
  for (const session of sessions) session.destroy()
}

/** Asks on so many streams of one HTTP/2 connection for each session, reads what comes, and asks again. */
export async function repeatHttp2(
  { port, hostile }: Target,
  count: number,
  document: (hostile: Hostile) => Asked,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    hostile.map(async (one) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`)
      session.on('error', () => undefined)
      const body = JSON.stringify(document(one))
      const asking = Array.from({ length: count }, async () => {
        while (!signal.aborted && !session.destroyed) {
          const stream = session.request({
            ':method': 'POST',
            ':path': '/graphql',
            'content-type': 'application/json',
            authorization: `Bearer ${one.token}`,
          })
          stream.on('error', () => undefined).resume()
          stream.end(body)
          await new Promise<void>((resolve) => stream.on('close', () => resolve()))
        }
      })
      await Promise.all(asking)
      session.destroy()
    }),
  )
}

/** Asks on so many connections, reads as fast as it can, and asks again when the answer has ended. */
export async function repeat(
  target: Target,
  count: number,
  document: (hostile: Hostile) => Asked,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const hostile = hostileOf(target, n)
      while (!signal.aborted) {
        const socket = await open(target.port)
        const closed = closing(socket)
        socket.resume()
        socket.write(httpRequest(hostile, document(hostile), 'connection: close\r\n'))
        const leave = () => socket.destroy()
        signal.addEventListener('abort', leave)
        await closed
        signal.removeEventListener('abort', leave)
        // One that is refused asks again, but not at once.
        if (socket.bytesRead < 10_000) await delay(50)
      }
    }),
  )
}

/** Writes the same bytes on one connection again and again, and reads what comes. */
export async function pour(target: Target, bytes: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = await open(target.port)
    const closed = closing(socket)
    const go = () => {
      while (!socket.destroyed && socket.write(bytes)) continue
    }
    const leave = () => socket.destroy()
    signal.addEventListener('abort', leave)
    socket.on('drain', go).resume()
    go()
    await closed
    signal.removeEventListener('abort', leave)
  }
}

/** Writes so many requests on one connection, and as many again when all of them are answered. */
export async function pourByFew(
  target: Target,
  request: string,
  atOnce: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const socket = await open(target.port)
    const closed = closing(socket)
    const leave = () => socket.destroy()
    signal.addEventListener('abort', leave)
    let missing = 0
    let rest = ''
    const ask = () => {
      missing = atOnce
      socket.write(request.repeat(atOnce))
    }
    socket.setEncoding('latin1').on('data', (text: string) => {
      const heads = (rest + text).split(statusLine)
      missing -= heads.length - 1
      rest = heads.at(-1)?.slice(1 - statusLine.length) ?? ''
      if (missing <= 0) ask()
    })
    ask()
    await closed
    signal.removeEventListener('abort', leave)
  }
}

const statusLine = 'HTTP/1.1 '

/** Unlike `once`, however it comes to its end. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on('close', () => resolve()))
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

export function httpRequest({ token }: Hostile, asked: Asked, more = ''): string {
  const body = JSON.stringify(asked)
  return `POST /graphql HTTP/1.1\r\nhost: x\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n${more}authorization: Bearer ${token}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function hostileOf({ hostile }: Target, n: number): Hostile {
  const one = hostile[n % hostile.length]
  if (!one) throw new TypeError('nobody is hostile')
  return one
}
