import { ChatError, clientError, refuse, toChatError } from './chat-error.ts'
import { type Platform, systemPlatform } from './platform.ts'
import type { UserErrorCode } from './schema.ts'
import type {
  DataResult,
  Position,
  Request,
  StreamRequest,
  Transport,
  Upload,
} from './transport.ts'

export type Variables = Readonly<Record<string, unknown>>

export interface GatewayOptions {
  /** The address of the gateway's GraphQL, such as `/graphql`. */
  readonly url: string
  readonly transport: Transport
  /** The bearer token, asked for before each request and each connection. Without one the cookie is used. */
  readonly token?: () => string | undefined | Promise<string | undefined>
  readonly headers?: Readonly<Record<string, string>>
  /** Attempts without progress before a request or the stream fails. Default 10, about a minute and a half. */
  readonly maxAttempts?: number
  /** For tests. */
  readonly platform?: Platform
}

type SentFile = Pick<Upload, 'file' | 'onProgress'>

/** What the client asks of the gateway. Operations with one result are repeated where nothing was done, or may be done twice. */
export interface Gateway {
  /** Rejects if the result has no data; errors may stand beside the data. */
  readonly execute: <Data>(
    document: string,
    variables?: Variables,
    file?: SentFile,
  ) => Promise<DataResult<Data>>
  /** The data of a query or mutation. */
  readonly query: <Data>(document: string, variables?: Variables, file?: SentFile) => Promise<Data>
  /** Calls a mutation. `selection`: what its success is asked for. Rejects with the refusal that it returns. */
  readonly mutate: <Success = unknown>(
    name: string,
    input: Variables,
    selection?: string,
    file?: SentFile,
  ) => Promise<Success>
  /**
   * Reads a stream that is opened again and again, each time after the last whole event. Resolves when it is not wanted any
   * more, and rejects when it has ended for good.
   */
  readonly stream: <Data>(reader: StreamReader<Data>) => Promise<void>
  /** Ends what is not wanted any more, and pauses. `isNewNetwork`: all connections, of which others are opened at once. */
  readonly wake: (isNewNetwork: boolean) => void
  readonly close: () => void
}

/** What reads a stream, and says where it begins. */
export interface StreamReader<Data> {
  readonly query: string
  readonly isWanted: () => boolean
  /** Returns what the stream is opened with. Called before each connection. */
  readonly start: () => Promise<readonly [variables: Variables, viewer: Position]>
  /** Called for all bytes that arrive. */
  readonly alive?: () => unknown
  readonly next: (result: DataResult<Data>, cursor: string | undefined) => void
  /** Called when the gateway says that nothing will follow. If the stream is still wanted, it is opened again. */
  readonly complete?: () => void
  /** Called when the connection is lost or refused. Returns whether there is another. */
  readonly lost: (error: ChatError) => boolean
}

/** A refusal, or what the mutation is asked for. */
type Outcome<Success> =
  | {
      readonly code: UserErrorCode
      readonly message: string
      readonly field: readonly string[] | null
      readonly retryAfterMs: number | null
    }
  | (Success & { readonly code?: undefined })

export function createGateway({
  url,
  transport,
  token,
  headers,
  maxAttempts = 10,
  platform: { now, random, timer } = systemPlatform,
}: GatewayOptions): Gateway {
  /** The connections and pauses, which end or go on when they are called. */
  const waits = new Set<(isNewNetwork: boolean) => void>()
  let isClosed = false

  /** Calls after so many milliseconds, or when the client is woken. Returns a function that prevents both. */
  function wait(ms: number, ring: (isNewNetwork: boolean) => void): () => void {
    const stop = timer(ms, () => ring(false))
    waits.add(ring)
    return () => {
      stop()
      waits.delete(ring)
    }
  }

  async function prepare(query: string, variables?: Variables): Promise<Request> {
    if (isClosed) refuse('CLOSED')
    const bearer = await token?.()
    return {
      url,
      headers: { ...headers, ...(bearer && { authorization: `Bearer ${bearer}` }) },
      operation: { query, variables },
    }
  }

  /** Repeats work that failed, with exponential back-off and full jitter, and counts anew when the work gets on. */
  async function persist<Value>(
    mayRepeat: (error: ChatError) => boolean,
    work: (getOn: () => void) => Promise<Value>,
  ): Promise<Value> {
    let attempts = 0
    let isRefused = false
    for (;;) {
      try {
        return await work(() => {
          attempts = 0
          isRefused = false
        })
      } catch (cause) {
        const error = toChatError(cause)
        // The token may have expired on its way, and the next one is asked for.
        if (error.code === 'UNAUTHENTICATED' && !isRefused) isRefused = true
        else if (attempts < maxAttempts && mayRepeat(error)) {
          const ms = error.retryAfterMs ?? random() * Math.min(20_000, 250 * 2 ** attempts)
          attempts += 1
          await new Promise<void>((resolve) => {
            const stop = wait(ms, () => {
              stop()
              resolve()
            })
          })
        } else throw cause
      }
    }
  }

  const execute = <Data>(document: string, variables?: Variables, file?: SentFile) =>
    persist<DataResult<Data>>(
      // A file that was received twice would be two attachments.
      ({ code, retryable }) => !file && retryable && code !== 'RATE_LIMITED',
      async () => {
        const request = await prepare(document, variables)
        return file ? transport.upload({ ...request, ...file }) : transport.request(request)
      },
    )

  const query = async <Data>(document: string, variables?: Variables, file?: SentFile) =>
    (await execute<Data>(document, variables, file)).data

  async function mutate<Success>(
    name: string,
    input: Variables,
    selection = '__typename',
    file?: SentFile,
  ): Promise<Success> {
    const type = name.replace(/^./, (first) => first.toUpperCase())
    const { outcome } = await query<{ readonly outcome: Outcome<Success> }>(
      `mutation($input:${type}Input!){outcome:${name}(input:$input){...on ${type}Success{${selection}}...on UserError{code message field retryAfterMs}}}`,
      { input },
      file,
    )
    if (outcome.code) throw new ChatError(outcome)
    return outcome
  }

  const stream = <Data>(reader: StreamReader<Data>) =>
    persist(reader.lost, async (getOn) => {
      while (reader.isWanted()) {
        const [variables, viewer] = await reader.start()
        const request = { ...(await prepare(reader.query, variables)), viewer }
        if (reader.isWanted()) await connect(request, reader, getOn)
      }
    })

  /** Resolves when the connection is not wanted any more. Rejects when it was refused or is lost. */
  function connect<Data>(
    request: Required<StreamRequest>,
    { isWanted, alive, next, complete }: StreamReader<Data>,
    getOn: () => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const { keepAliveMs } = request.viewer
      const begunAt = now()
      let aliveAt = begunAt
      let retryAfterMs: number | null = null
      const end = () => {
        stop()
        stream.close()
        resolve()
      }
      const lose = (error = clientError('NETWORK', { retryAfterMs })) => {
        if (isWanted()) reject(error)
        end()
      }
      const wake = (isNewNetwork: boolean) => {
        stop()
        stop = wait(keepAliveMs / 2, wake)
        if (isNewNetwork || !isWanted()) end()
        else if (now() - aliveAt > keepAliveMs * 1.5) lose()
        else stream.ping?.()
      }
      let stop = wait(keepAliveMs / 2, wake)
      const stream = transport.subscribe<Data>(request, {
        alive() {
          aliveAt = now()
          if (aliveAt - begunAt > keepAliveMs) getOn()
          alive?.()
        },
        next(result, cursor) {
          getOn()
          next(result, cursor)
        },
        complete() {
          complete?.()
          lose()
        },
        retry: (ms) => (retryAfterMs = ms),
        end: lose,
      })
    })
  }

  function wake(isNewNetwork: boolean): void {
    // One that is called may wait again.
    Array.from(waits).forEach((ring) => ring(isNewNetwork))
  }

  return {
    execute,
    query,
    mutate,
    stream,
    wake,
    close() {
      isClosed = true
      wake(true)
    },
  }
}
