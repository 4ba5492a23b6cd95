import { openConnection } from './connection.ts'
import type { Connection } from './connection.ts'
import { deltaText } from './plan.ts'
import type { Plan } from './plan.ts'
import { callerToken, chatRequest, repliesRequest, sendMessageRequest } from './requests.ts'
import { cozeDialect, createFrameReader, createTally, graphqlDialect } from './tally.ts'
import type { Tally } from './tally.ts'

export type ServerKind = 'passthrough' | 'gateway'

export interface ReplyResult {
  /** From the first byte of the (first) request to the first delta. */
  readonly firstDeltaMs: number
  readonly tally: Tally
}

/** A client of one server, speaking for as many callers as asked for. */
export interface ReplyClient {
  connect(): Promise<Connection>
  /** Asks, reads the whole reply and checks that every delta arrived. `onText` hears of each piece. */
  reply(
    connection: Connection,
    session: number,
    plan: Plan & { readonly deltas: number },
    onText: (characters: number) => void,
  ): Promise<ReplyResult>
  /** Opens a stream on which nothing will come; resolves when the server has begun to answer. */
  idle(connection: Connection, session: number): Promise<void>
}

export function createReplyClient(kind: ServerKind, port: number, secret: string): ReplyClient {
  const space = Buffer.alloc(256 * 1024)
  const tokens = new Map<number, string>()

  return {
    connect: () => openConnection(port, space),
    async reply(connection, session, plan, onText) {
      const tally = createTally()
      const read = createFrameReader(kind === 'gateway' ? graphqlDialect : cozeDialect, tally)
      const token = tokenOf(session)
      let firstDeltaAt = 0
      const onChunk = (text: string) => {
        const before = tally.characters
        read(text)
        if (before === 0 && tally.characters > 0) firstDeltaAt = performance.now()
        onText(tally.characters - before)
      }
      const startedAt = performance.now()
      if (kind === 'passthrough') await stream(connection, chatRequest(session, plan), onChunk)
      else {
        const replyId = await sendMessage(connection, sendMessageRequest(token, plan))
        await stream(connection, repliesRequest(token, replyId), onChunk)
      }
      verify(tally, plan.deltas)
      return { firstDeltaMs: firstDeltaAt - startedAt, tally }
    },
    async idle(connection, session) {
      const begun = Promise.withResolvers<void>()
      const request =
        kind === 'passthrough'
          ? chatRequest(session, { kind: 'idle' })
          : repliesRequest(tokenOf(session))
      const ended = stream(connection, request, () => begun.resolve())
      await Promise.race([begun.promise, ended.then(() => begun.reject(new Error('ended early')))])
    },
  }

  function tokenOf(session: number): string {
    if (kind === 'passthrough') return ''
    let token = tokens.get(session)
    if (token === undefined) tokens.set(session, (token = callerToken(session, secret)))
    return token
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

async function sendMessage(connection: Connection, request: string): Promise<string> {
  let body = ''
  const status = await connection.send(request, (text) => {
    body += text
  })
  const id = /"reply":\{"id":"([^"]+)"/.exec(body)?.[1]
  if (id === undefined) throw new Error(`sendMessage was answered with ${status} ${body}`)
  return id
}

/** A benchmark that loses text measures nothing. */
function verify(tally: Tally, deltas: number): void {
  const expected = deltas * deltaText.length
  const { characters, completedCharacters, ended } = tally
  if (!ended || characters !== expected || completedCharacters !== expected)
    throw new Error(`expected ${expected} characters, got ${JSON.stringify(tally)}`)
}
