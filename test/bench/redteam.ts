/**
 * `npm run bench:redteam`: what hostile sessions cost the others, at default limits.
 *
 * Beside each attack an honest session sends message after message. Told are the longest time for which the gateway's
 * event loop was held, the most memory that was resident, and how long the honest sends took; first without any attack.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { z } from 'zod'
import { type Plan, planText } from './plan.ts'
import { startPart } from './processes.ts'
import { callerToken } from './protocols.ts'
import { type GatewaySubject, startGateway } from './servers.ts'
import { percentile } from './statistics.ts'

/** Sends of the honest session beside each attack; a session may send 60 in a minute. */
const honestSends = 25
const deltasOfLongReply = 99_000

const sendAnswer = z.object({
  data: z.object({ sendMessage: z.object({ reply: z.object({ id: z.string() }) }) }),
})
const stalls = z.object({ longestMs: z.number() })
const memory = z.object({ rssBytes: z.number() })

/** What a hostile session knows of its own. */
interface Hostile {
  readonly token: string
  /** Replies of 1.2 MB. */
  readonly replies: readonly string[]
}

interface Attack {
  readonly name: string
  /** Begins; goes on until the signal aborts. */
  run(target: Target, signal: AbortSignal): Promise<void>
}

interface Target {
  readonly port: number
  readonly hostile: readonly Hostile[]
}

/** 96 MB, if it were answered: 27 aliases over three replies of 1.2 MB. */
const largeDocument = ({ replies }: Hostile) => ({
  query: `query ($ids: [ID!]!) { ${times(27, (n) => `a${n}: nodes(ids: $ids) { ... on Reply { text } }`)} }`,
  variables: { ids: replies },
})
/** 7 MB, which is a little less than one may be. */
const fullDocument = ({ replies }: Hostile) => ({
  query: `query ($ids: [ID!]!) { ${times(2, (n) => `a${n}: nodes(ids: $ids) { ... on Reply { text } }`)} }`,
  variables: { ids: replies },
})
const denseDocument = () => ({
  query: `{ ${times(25, (n) => `a${n}: conversations(first: 100) { edges { node { id title createdAt messages(first: 100) { edges { node { id role } } } } } }`)} }`,
})
const dearSubscription = () => ({
  query:
    'subscription { replies { cursor reply { text conversation { messages(first: 20) { edges { node { text } } } } } } }',
})

const attacks: readonly Attack[] = [
  { name: 'nobody', run: async () => undefined },
  {
    name: '60 unread documents of 96 MB',
    run: (target, signal) => hold(target, 60, largeDocument, signal),
  },
  {
    name: '60 unread documents of 7 MB',
    run: (target, signal) => hold(target, 60, fullDocument, signal),
  },
  {
    name: '8 readers of 7 MB, again and again',
    run: (target, signal) => repeat(target, 8, fullDocument, signal),
  },
  {
    name: '8 dense documents, again and again',
    run: (target, signal) => repeat(target, 8, denseDocument, signal),
  },
  {
    name: '50 readers that catch up on 1.2 MB',
    run: (target, signal) =>
      repeat(
        target,
        50,
        ({ replies }) => ({
          query:
            'subscription ($id: ID) { replies(replyId: $id) { cursor ... on ReplyDelta { kind offset text } } }',
          variables: { id: replies[0] },
        }),
        signal,
      ),
  },
  {
    name: '10 subscriptions that select pages',
    async run(target, signal) {
      const following = repeat(target, 10, dearSubscription, signal)
      while (!signal.aborted) {
        for (const { token } of target.hostile.slice(0, 4)) {
          await send(target.port, token, { kind: 'paced', deltas: 40, everyMs: 20 }).catch(
            () => undefined,
          )
        }
        await delay(1_000)
      }
      await following
    },
  },
]

await run()

async function run(): Promise<void> {
  const secret = randomBytes(32).toString('hex')
  await using upstream = await startPart('others', 'upstream.ts', [])
  print(
    `${'beside'.padEnd(38)} loop held  resident  send p50  send max  (ms, MB; ${honestSends} sends each)`,
  )
  for (const [index, attack] of attacks.entries()) {
    await using gateway = await startGateway(`http://127.0.0.1:${upstream.port}`, secret)
    const hostile = await Promise.all(
      Array.from({ length: 8 }, (_, n) => prepare(gateway.port, callerToken(100 + n, secret))),
    )
    print(await measure(attack, gateway, hostile, callerToken(index, secret)))
  }
}

async function measure(
  attack: Attack,
  gateway: GatewaySubject,
  hostile: readonly Hostile[],
  honest: string,
): Promise<string> {
  const { port } = gateway
  const ending = new AbortController()
  await send(port, honest, { kind: 'whole', deltas: 10 })
  await gateway.ask('stallsStart', undefined, z.unknown())
  const attacking = attack.run({ port, hostile }, ending.signal)
  const took: number[] = []
  let resident = 0
  for (let n = 0; n < honestSends; n += 1) {
    const startedAt = performance.now()
    await send(port, honest, { kind: 'whole', deltas: 10 })
    took.push(performance.now() - startedAt)
    resident = Math.max(resident, (await gateway.ask('memory', undefined, memory)).rssBytes)
    await delay(100)
  }
  const { longestMs } = await gateway.ask('stallsStop', undefined, stalls)
  ending.abort()
  await attacking
  const figures = [longestMs, resident / 1e6, percentile(took, 50), Math.max(...took)]
  return `${attack.name.padEnd(38)} ${figures.map((figure) => figure.toFixed(1).padStart(9)).join(' ')}`
}

/** A session with three long replies. */
async function prepare(port: number, token: string): Promise<Hostile> {
  const plan: Plan = { kind: 'saturated', deltas: deltasOfLongReply, perWrite: 250 }
  const replies: string[] = []
  for (let n = 0; n < 3; n += 1) {
    const id = await send(port, token, plan)
    while (!(await isCompleted(port, token, id))) await delay(50)
    replies.push(id)
  }
  return { token, replies }
}

async function isCompleted(port: number, token: string, id: string): Promise<boolean> {
  const query = 'query ($id: ID!) { reply(id: $id) { status failure { code } } }'
  const body = await ask(port, token, { query, variables: { id } })
  if (body.includes('"FAILED"')) throw new Error(`a long reply failed: ${body}`)
  return body.includes('"COMPLETED"')
}

async function send(port: number, token: string, plan: Plan): Promise<string> {
  const query =
    'mutation ($text: String!) { sendMessage(input: { text: $text }) { ... on SendMessageSuccess { reply { id } } } }'
  const body = await ask(port, token, { query, variables: { text: planText(plan) } })
  return sendAnswer.parse(JSON.parse(body)).data.sendMessage.reply.id
}

async function ask(port: number, token: string, asked: object): Promise<string> {
  const { body } = await request(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(asked),
  })
  return await body.text()
}

/** Asks on so many connections, and never reads. */
async function hold(
  target: Target,
  count: number,
  document: (hostile: Hostile) => object,
  signal: AbortSignal,
): Promise<void> {
  const sockets = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const hostile = target.hostile[n % target.hostile.length]
      if (!hostile) throw new TypeError('nobody is hostile')
      const socket = await open(target.port)
      socket.pause()
      write(socket, hostile, document(hostile))
      return socket
    }),
  )
  if (!signal.aborted) await once(signal, 'abort')
  for (const socket of sockets) socket.destroy()
}

/** Asks on so many connections, reads as fast as it can, and asks again when the answer has ended. */
async function repeat(
  target: Target,
  count: number,
  document: (hostile: Hostile) => object,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const hostile = target.hostile[n % target.hostile.length]
      if (!hostile) throw new TypeError('nobody is hostile')
      while (!signal.aborted) {
        const socket = await open(target.port)
        const closed = once(socket, 'close')
        socket.resume()
        write(socket, hostile, document(hostile), 'connection: close\r\n')
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

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

function write(socket: Socket, { token }: Hostile, asked: object, more = ''): void {
  const body = JSON.stringify(asked)
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: x\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n${more}authorization: Bearer ${token}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

function times(count: number, text: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => text(n)).join(' ')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
