import type { Target } from './commands.ts'
import { type Connection, openConnection } from './connection.ts'
import { deltaText, type Plan } from './plan.ts'
import { type Caller, callerToken, protocols, type Tally } from './protocols.ts'

export interface ReplyResult {
  /** From the first byte of the first request to the first delta. */
  readonly firstDeltaMs: number
  readonly tally: Tally
}

/** The connections of one user: to where messages are sent, and to where replies are read. */
export interface UserConnections extends Disposable {
  readonly sending: Connection
  readonly reading: Connection
}

/** A client of one server, speaking for as many callers as asked for. */
export interface ReplyClient {
  connect(): Promise<UserConnections>
  /**
   * Asks, reads the whole reply and checks that every character arrived.
   * @throws when anything is missing, doubled or out of order.
   */
  reply(
    connections: UserConnections,
    session: number,
    plan: Exclude<Plan, { kind: 'idle' }>,
  ): Promise<ReplyResult>
  /** Opens the stream of all replies of a session, and returns a client that reads its replies there. */
  follow(session: number): Promise<Follower>
  /** Opens a stream on which nothing will come; resolves when the server has begun to answer. */
  idle(connections: UserConnections, session: number): Promise<void>
}

/** One caller, whose replies come on a stream that is open. Disposing closes its connections. */
export interface Follower extends Disposable {
  /** As {@link ReplyClient.reply}. */
  reply(plan: Exclude<Plan, { kind: 'idle' }>): Promise<ReplyResult>
}

export function createReplyClient({ server, port, readPort }: Target, secret: string): ReplyClient {
  const protocol = protocols[server]
  const space = Buffer.alloc(256 * 1024)
  const callers = new Map<number, Caller>()

  function callerOf(session: number): Caller {
    let caller = callers.get(session)
    if (caller === undefined) {
      const token = server === 'gateway' ? callerToken(session, secret) : ''
      callers.set(session, (caller = { session, token }))
    }
    return caller
  }

  return {
    async connect() {
      const sending = await openConnection(port, space)
      const reading = readPort === undefined ? sending : await openConnection(readPort, space)
      return {
        sending,
        reading,
        [Symbol.dispose]() {
          sending[Symbol.dispose]()
          reading[Symbol.dispose]()
        },
      }
    },
    async reply({ sending, reading }, session, plan) {
      const caller = callerOf(session)
      const tally = createTally()
      const read = createFrameReader((text, at, end) => protocol.frame(text, at, end, tally))
      let firstDeltaAt = 0
      const onText = (text: string) => {
        read(text)
        if (firstDeltaAt === 0 && tally.characters > 0) firstDeltaAt = performance.now()
      }
      const startedAt = performance.now()
      const replyId = protocol.send ? await ask(sending, protocol.send(caller, plan)) : ''
      await stream(reading, protocol.read(caller, plan, replyId), onText)
      verify(tally, plan.deltas)
      return { firstDeltaMs: firstDeltaAt - startedAt, tally }
    },
    async follow(session) {
      const { send, follow } = protocol
      if (!send || !follow) throw new TypeError(`${server} has no stream of all replies`)
      const caller = callerOf(session)
      using stack = new DisposableStack()
      const [sending, reading] = [
        stack.use(await openConnection(port, space)),
        stack.use(await openConnection(readPort ?? port, space)),
      ]
      let tally = createTally()
      let firstDeltaAt = 0
      let ended = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      const read = createFrameReader((text, at, end) => protocol.frame(text, at, end, tally))
      const reject = (error: unknown) => {
        begun.reject(error)
        ended.reject(error)
      }
      stream(reading, follow(caller), (text) => {
        begun.resolve()
        read(text)
        if (firstDeltaAt === 0 && tally.characters > 0) firstDeltaAt = performance.now()
        if (tally.ended) ended.resolve()
      }).then(() => reject(new Error('ended early')), reject)
      await begun.promise
      const owned = stack.move()
      return {
        async reply(plan) {
          tally = createTally()
          firstDeltaAt = 0
          ended = Promise.withResolvers<void>()
          const startedAt = performance.now()
          await Promise.all([ask(sending, send(caller, plan)), ended.promise])
          verify(tally, plan.deltas)
          return { firstDeltaMs: firstDeltaAt - startedAt, tally }
        },
        [Symbol.dispose]: () => owned.dispose(),
      }
    },
    async idle({ reading }, session) {
      const begun = Promise.withResolvers<void>()
      const request = protocol.idle(callerOf(session))
      const ended = reading.send(request, () => begun.resolve())
      await Promise.race([begun.promise, ended.then(() => begun.reject(new Error('ended early')))])
    },
  }
}

function createTally(): Tally {
  return { events: 0, characters: 0, completedCharacters: undefined, ended: false }
}

/** Cuts an event stream into frames, wherever it was split. */
function createFrameReader(
  frame: (text: string, at: number, end: number) => void,
): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const text = rest + chunk
    let at = 0
    let end = text.indexOf('\n\n', Math.max(0, rest.length - 1))
    while (end !== -1) {
      frame(text, at, end)
      at = end + 2
      end = text.indexOf('\n\n', at)
    }
    rest = text.slice(at)
  }
}

async function stream(
  connection: Connection,
  request: string,
  onText: (text: string) => void,
): Promise<void> {
  const status = await connection.send(request, onText)
  if (status !== 200) throw new Error(`a stream was answered with ${status}`)
}

/** The id of the reply in the answer to a message. */
async function ask(connection: Connection, request: string): Promise<string> {
  let body = ''
  const status = await connection.send(request, (text) => {
    body += text
  })
  const id = /"(?:reply|sendMessage)":\{"id":"([^"]+)"/.exec(body)?.[1]
  if (id === undefined) throw new Error(`a message was answered with ${status} ${body}`)
  return id
}

/** A benchmark that loses text measures nothing. */
function verify(tally: Tally, deltas: number): void {
  const expected = deltas * deltaText.length
  const { characters, completedCharacters = expected, ended } = tally
  if (!ended || characters !== expected || completedCharacters !== expected) {
    throw new Error(`expected ${expected} characters, got ${JSON.stringify(tally)}`)
  }
}
