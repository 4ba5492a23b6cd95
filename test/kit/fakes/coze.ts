import type { CozeClient, CozeRequest, CozeStreamRequest } from '../../../src/coze/client.ts'
import type { CozeEvent } from '../../../src/coze/events.ts'
import type { TokenResolver } from '../../../src/coze/token.ts'
import { Secret } from '../../../src/lib/secret.ts'

/** An upstream that says what a test tells it to, and remembers what it was asked. */
export interface ScriptedCoze extends CozeClient {
  /** What was sent, oldest first: `{ path, query, body }` and the session whose token it carried. */
  readonly sent: readonly Sent[]
  /** The timeouts that each stream was asked for with. */
  readonly timeouts: readonly CozeStreamRequest['timeouts'][]
}

export interface Sent {
  readonly path: string
  readonly session: string
  readonly query: Readonly<Record<string, string | undefined>>
  readonly body: unknown
}

export type Batch = readonly CozeEvent[]

export function createScriptedCoze(script: {
  /** The answer's body; throws for an error. */
  readonly request?: (sent: Sent, nth: number) => Readonly<Record<string, unknown>>
  /** The stream's batches; an `Error` among them is thrown there. */
  readonly stream?: (sent: Sent, nth: number) => readonly (Batch | Error)[]
  /** The answer's body to an upload, once its content was read. */
  readonly upload?: (sent: Sent, nth: number) => Readonly<Record<string, unknown>>
}): ScriptedCoze {
  const sent: Sent[] = []
  const timeouts: CozeStreamRequest['timeouts'][] = []

  function remember(request: Pick<CozeRequest, 'path' | 'target' | 'query' | 'body'>): Sent {
    const { path, target, query = {}, body } = request
    // As the wire would carry it: what is undefined is gone.
    const wire: unknown = body === undefined ? undefined : JSON.parse(JSON.stringify(body))
    const entry = { path, session: target.token.reveal(), query, body: wire }
    sent.push(entry)
    return entry
  }
  const nth = (path: string) => sent.filter((entry) => entry.path === path).length

  return {
    sent,
    timeouts,
    async request(request, signal) {
      signal.throwIfAborted()
      const entry = remember(request)
      const body = script.request?.(entry, nth(request.path)) ?? {}
      return request.read({ body, logId: 'log-1', serverTime: undefined })
    },
    async upload({ content, ...request }, signal) {
      signal.throwIfAborted()
      const pieces: Uint8Array[] = []
      for await (const piece of content) pieces.push(piece)
      const entry = remember({ ...request, body: Buffer.concat(pieces).toString() })
      const body = script.upload?.(entry, nth(request.path)) ?? {}
      return request.read({ body, logId: 'log-1', serverTime: undefined })
    },
    async stream(request, take, signal) {
      signal.throwIfAborted()
      request.listener?.onTry()
      timeouts.push(request.timeouts)
      const entry = remember(request)
      const steps = script.stream?.(entry, nth(request.path)) ?? []
      if (!(steps[0] instanceof Error)) request.listener?.onOpen('log-1')
      for (const step of steps) {
        if (step instanceof Error) throw step
        await take(step)
        if (step.some(isEnd)) return
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

function isEnd({ type }: CozeEvent): boolean {
  return ['completed', 'cancelled', 'requires-action', 'failed', 'error'].includes(type)
}

/** Tokens that are the session's name. */
export const nameTokens: TokenResolver = {
  token: async (sessionName) => ({
    sessionName,
    target: { baseUrl: 'http://coze.test', token: new Secret(sessionName) },
  }),
  drop: () => true,
  async [Symbol.asyncDispose]() {},
}
