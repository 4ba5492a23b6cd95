import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Server } from 'node:net'
import { z } from 'zod'

const askSchema = z.object({ id: z.number(), name: z.string(), input: z.unknown().optional() })
const answerSchema = z.object({
  id: z.number(),
  value: z.unknown().optional(),
  error: z.string().optional(),
})

export type Handlers = Readonly<Record<string, (input: unknown) => unknown>>

/** Answers what the parent asks over the IPC channel; names that are not in `handlers` belong to others. */
export function answerParent(handlers: Handlers): void {
  process.on('message', (message) => {
    const ask = askSchema.safeParse(message)
    if (!ask.success) return
    const { id, name, input } = ask.data
    const handle = handlers[name]
    if (handle === undefined) return
    Promise.try(handle, input).then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    )
  })
  // Nobody outlives the run, however it ends.
  process.once('disconnect', () => process.exit(0))
}

export type Ask = <T>(name: string, input: unknown, answer: z.ZodType<T>) => Promise<T>

/** Asks a child; rejects when it answers with an error or ends first. */
export function createAsk(child: ChildProcess, title: string): Ask {
  let lastId = 0
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  child.on('message', (message) => {
    const answer = answerSchema.safeParse(message)
    if (!answer.success) return
    const { id, value, error } = answer.data
    const promise = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) promise?.resolve(value)
    else promise?.reject(new Error(`${title}: ${error}`))
  })
  child.once('exit', (code, signal) => {
    const error = new Error(`${title} ended (${signal ?? code}) before it answered`)
    for (const promise of waiting.values()) promise.reject(error)
    waiting.clear()
  })
  return async (name, input, schema) => {
    const id = ++lastId
    const promise = Promise.withResolvers<unknown>()
    waiting.set(id, promise)
    child.send({ id, name, input }, (error) => error && promise.reject(error))
    return schema.parse(await promise.promise)
  }
}

/** Listens on a free port of the loopback interface and tells the parent which. */
export function listenAndTell(server: Server): void {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    const address = server.address()
    if (typeof address === 'object') process.send?.({ port: address?.port })
  })
}

/** Waits for the first message of a child, which tells the port that it listens on. */
export async function listeningPort(child: ChildProcess): Promise<number> {
  const ended = new AbortController()
  child.once('exit', () => ended.abort(new Error('a process of the benchmark did not start')))
  const [message]: unknown[] = await once(child, 'message', { signal: ended.signal })
  return z.object({ port: z.number() }).parse(message).port
}
