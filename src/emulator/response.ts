import type { ServerResponse } from 'node:http'
import { type Fault, findFault } from './faults.ts'
import type { Ids, RandomBytes } from './ids.ts'
import type { Holds } from './synchronization.ts'

/** A response that refuses a call: a JSON body, or a text. */
export interface ErrorResponse {
  readonly status: number
  readonly body: object | string
  /** Whether the head leaves the length open. Default false. */
  readonly isChunked?: boolean
}

/** Sends JSON. Does nothing once the client has gone. */
export function sendJson(res: ServerResponse, status: number, body: object): void {
  sendError(res, { status, body })
}

/** Sends a refusal. Does nothing once the client has gone. */
export function sendError(res: ServerResponse, { status, body, isChunked }: ErrorResponse): void {
  if (res.closed || res.headersSent) return
  const isText = typeof body === 'string'
  res.writeHead(status, {
    'content-type': `${isText ? 'text/plain' : 'application/json'}; charset=utf-8`,
  })
  const text = isText ? body : JSON.stringify(body)
  if (isChunked) res.write(text)
  res.end(isChunked ? undefined : text)
}

/** Sends the JSON of a success with the faults that a JSON body can have. */
export async function sendResult(
  res: ServerResponse,
  body: object,
  faults: readonly Fault[],
  {
    ids,
    holds,
    random,
  }: { readonly ids: Ids; readonly holds: Holds; readonly random: RandomBytes },
): Promise<void> {
  if (findFault(faults, 'lostReply')) {
    res.destroy()
    return
  }
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  const stall = findFault(faults, 'stall')
  if (stall) await holds.add(stall.name).wait(gone.signal)
  if (res.closed) return

  const shared = findFault(faults, 'sharedConversation')?.conversationId
  const other = findFault(faults, 'foreignConversation') ? ids.next() : shared
  let shown: unknown = body
  if (other !== undefined) shown = withConversation(shown, other)
  if (findFault(faults, 'foreignChat')) shown = withChat(shown, ids.next())
  if (findFault(faults, 'textTimes')) shown = mapObjects(shown, withTextTimes)
  if (findFault(faults, 'emptyAction')) shown = mapObjects(shown, withEmptyAction)
  const text = findFault(faults, 'malformed') ? '{"code": 0, "da' : JSON.stringify(shown)

  const bytes = Buffer.from(text)
  const half = findFault(faults, 'cut')?.afterDeltas === undefined ? bytes.length : bytes.length / 2
  res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
  const out = createBody(res, faults, random)
  await out.write(bytes.subarray(0, Math.floor(half)))
  if (half < bytes.length) await out.cut()
  else out.end()
}

/** Replaces every conversation id: in rows that carry one, and as the id of a conversation itself. */
function withConversation(value: unknown, id: string): unknown {
  return mapObjects(value, (row) => ({
    ...row,
    ...('conversation_id' in row && { conversation_id: id }),
    ...('last_section_id' in row && { id }),
  }))
}

/** Replaces every chat id: in rows that carry one, and as the id of a chat itself. */
function withChat(value: unknown, id: string): unknown {
  return mapObjects(value, (row) => ({
    ...row,
    ...('chat_id' in row && { chat_id: id }),
    ...('last_error' in row && { id }),
  }))
}

/** A row whose times are texts. */
export function withTextTimes(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]: [string, unknown]) => [
      key,
      key.endsWith('_at') && typeof value === 'number' ? String(value) : value,
    ]),
  )
}

/** A chat with an empty `required_action`, unless it has one. Other rows stay as they are. */
export function withEmptyAction(row: object): object {
  return 'last_error' in row && !('required_action' in row && row.required_action)
    ? { ...row, required_action: { type: '', submit_tool_outputs: { tool_calls: [] } } }
    : row
}

function mapObjects(value: unknown, change: (row: object) => object): unknown {
  if (Array.isArray(value)) return value.map((item) => mapObjects(item, change))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, mapObjects(item, change)])
  return change(Object.fromEntries(entries))
}

/** A response body whose bytes the faults `split` and `cut` divide and end. */
export interface Body {
  /** Waits while the socket is full. Does nothing once the client has gone. */
  write(bytes: Buffer): Promise<void>
  end(): void
  /** Breaks the connection behind what was written. */
  cut(): Promise<void>
}

export function createBody(
  res: ServerResponse,
  faults: readonly Fault[],
  random: RandomBytes,
): Body {
  const split = findFault(faults, 'split')
  const limit = findFault(faults, 'cut')?.afterBytes
  let sent = 0
  let flushed = Promise.resolve()
  let isCut = false

  async function cut() {
    isCut = true
    // What is still on its way through node:http would be lost with the socket.
    await flushed
    res.socket?.destroySoon()
  }

  return {
    async write(bytes) {
      const part = limit === undefined ? bytes : bytes.subarray(0, Math.max(0, limit - sent))
      for (const piece of split ? pieces(part, split.bytes, random) : [part]) {
        if (isCut || res.closed || res.destroyed) return
        const { promise, resolve } = Promise.withResolvers<void>()
        const hasRoom = res.write(piece, () => resolve())
        flushed = promise
        if (!hasRoom) await drained(res)
      }
      sent += part.length
      if (limit !== undefined && sent >= limit) await cut()
    },
    end() {
      if (!isCut) res.end()
    },
    cut,
  }
}

function* pieces(bytes: Buffer, size: number, random: RandomBytes): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const next = at + (size === 0 ? 1 + (random(1).readUInt8() % 16) : size)
    yield bytes.subarray(at, next)
    at = next
  }
}

async function drained(res: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  res.once('drain', resolve)
  res.once('close', resolve)
  if (res.closed) resolve()
  await promise
  res.off('drain', resolve)
  res.off('close', resolve)
}
