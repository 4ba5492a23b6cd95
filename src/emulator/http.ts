import type { IncomingMessage, ServerResponse } from 'node:http'
import { createBody } from './body.ts'
import type { Context } from './context.ts'
import type { RefusedCall } from './dialect.ts'
import { ApiError } from './call-errors.ts'
import { type Fault, findFault } from './faults.ts'
import { parseWithoutNulls } from './json.ts'

const maxBytes = 20 * 1024 * 1024

/** The parsed JSON body; undefined if there is none. @throws {ApiError} 4000 */
export async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of req as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw new ApiError(4000, 'Request parameter error: body too large')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text.trim() === '') return undefined
  try {
    return parseWithoutNulls(text)
  } catch (cause) {
    throw new ApiError(4000, 'Request parameter error: body is not JSON', { cause })
  }
}

/** Answers with JSON; does nothing once the client has gone. */
export function sendJson(res: ServerResponse, status: number, body: object): void {
  if (res.closed || res.headersSent) return
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  res.end(JSON.stringify(body))
}

/** Answers with what refuses the request; does nothing once the client has gone. */
export function sendRefusal(res: ServerResponse, { status, body, isChunked }: RefusedCall): void {
  if (res.closed || res.headersSent) return
  const isText = typeof body === 'string'
  res.writeHead(status, {
    'content-type': `${isText ? 'text/plain' : 'application/json'}; charset=utf-8`,
  })
  const text = isText ? body : JSON.stringify(body)
  if (isChunked) res.write(text)
  res.end(isChunked ? undefined : text)
}

/** The same, with the faults that can strike a JSON answer. */
export async function sendFaultyJson(
  res: ServerResponse,
  body: object,
  faults: readonly Fault[],
  { ids, gates, random }: Pick<Context, 'ids' | 'gates' | 'random'>,
): Promise<void> {
  if (findFault(faults, 'lostReply')) {
    res.destroy()
    return
  }
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  const stall = findFault(faults, 'stall')
  if (stall) await gates.enter(stall.gate).wait(gone.signal)
  if (res.closed) return

  const shared = findFault(faults, 'sharedConversation')?.conversationId
  const other = findFault(faults, 'foreignConversation') ? ids.next() : shared
  let shown: unknown = body
  if (other !== undefined) shown = withConversation(shown, other)
  if (findFault(faults, 'foreignChat')) shown = withChat(shown, ids.next())
  const text = findFault(faults, 'malformed') ? '{"code": 0, "da' : JSON.stringify(shown)

  const bytes = Buffer.from(text)
  const half = findFault(faults, 'cut')?.afterDeltas === undefined ? bytes.length : bytes.length / 2
  res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
  const out = createBody(res, faults, random)
  await out.write(bytes.subarray(0, Math.floor(half)))
  if (half < bytes.length) await out.cut()
  else out.end()
}

/** Every conversation id replaced: in rows that carry one, and as the id of a conversation itself. */
function withConversation(value: unknown, id: string): unknown {
  return mapObjects(value, (row) => ({
    ...row,
    ...('conversation_id' in row && { conversation_id: id }),
    ...('last_section_id' in row && { id }),
  }))
}

function withChat(value: unknown, id: string): unknown {
  return mapObjects(value, (row) => ({
    ...row,
    ...('chat_id' in row && { chat_id: id }),
    ...('last_error' in row && { id }),
  }))
}

function mapObjects(value: unknown, change: (row: object) => object): unknown {
  if (Array.isArray(value)) return value.map((item) => mapObjects(item, change))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, mapObjects(item, change)])
  return change(Object.fromEntries(entries))
}
