import { ChatError, responseError } from './chat-error.ts'
import type { UserErrorCode } from './schema.ts'
import type { Platform } from './platform.ts'
import {
  type DataResult,
  hasData,
  type Request,
  type Result,
  type Transport,
  type Upload,
} from './transport.ts'

type Variables = Readonly<Record<string, unknown>>

/** What everything of one client shares. */
export interface Surroundings {
  readonly url: string
  readonly transport: Transport
  readonly platform: Platform
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  /** Attempts without progress before the client gives up. */
  readonly maxAttempts: number
}

/** Operations with one result each. They are repeated where nothing was done, or may be done twice. */
export interface Requests {
  /** Rejects if the result has no data; errors may stand beside the data. */
  readonly execute: <Data>(document: string, variables?: Variables) => Promise<DataResult<Data>>
  /** Calls a mutation; `selection` is what its success is asked for. */
  readonly mutate: <Success>(name: string, selection: string, input: Variables) => Promise<Success>
  readonly upload: <Success>(
    name: string,
    selection: string,
    input: Variables,
    file: Pick<Upload, 'file' | 'onProgress'>,
  ) => Promise<Success>
  readonly close: () => void
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

/** Exponential back-off with full jitter, in ms. */
export function backoffMs(attempt: number, random: () => number): number {
  return random() * Math.min(20_000, 250 * 2 ** attempt)
}

const notDone: readonly string[] = ['NETWORK', 'DRAINING', 'UNAVAILABLE']

export function createRequests(options: Surroundings): Requests {
  const { url, transport, platform, headers, maxAttempts } = options
  let isClosed = false

  async function repeat<Data>(
    document: string,
    variables: Variables,
    attempts: number,
    ask: (request: Request) => Promise<Result<Data>>,
  ): Promise<DataResult<Data>> {
    let isRefused = false
    for (let attempt = 0; ;) {
      try {
        if (isClosed) throw new ChatError({ code: 'CLOSED', message: 'The client is closed.' })
        const operation = { query: document, variables }
        const result = await ask({ url, headers: await headers(), operation })
        if (hasData(result)) return result
        throw responseError(result.errors)
      } catch (error) {
        if (!(error instanceof ChatError)) throw error
        const { code, retryAfterMs } = error
        // The token may have expired on its way, and the next one is asked for.
        if (code === 'UNAUTHENTICATED' && !isRefused) isRefused = true
        else if (attempt < attempts && notDone.includes(code)) {
          const ms = retryAfterMs ?? backoffMs(attempt, platform.random)
          attempt += 1
          await new Promise<void>((resolve) => void platform.timer(ms, resolve))
        } else throw error
      }
    }
  }

  async function mutation<Success>(
    name: string,
    selection: string,
    input: Variables,
    attempts: number,
    ask: (request: Request) => Promise<Result<Readonly<Record<string, Outcome<Success>>>>>,
  ): Promise<Success> {
    const type = name.charAt(0).toUpperCase() + name.slice(1)
    const document = `mutation($input:${type}Input!){${name}(input:$input){...on ${type}Success{${selection}}...on UserError{code message field retryAfterMs}}}`
    const { data } = await repeat(document, { input }, attempts, ask)
    const outcome = data[name]
    if (!outcome) throw responseError(undefined)
    if (outcome.code !== undefined) throw new ChatError(outcome)
    return outcome
  }

  return {
    execute: async (document, variables = {}) =>
      await repeat(document, variables, maxAttempts, (request) => transport.request(request)),
    mutate: async (name, selection, input) =>
      await mutation(name, selection, input, maxAttempts, (request) => transport.request(request)),
    // A file that was received twice would be two attachments.
    upload: async (name, selection, input, file) =>
      await mutation(name, selection, { ...input, file: null }, 0, (request) =>
        transport.upload({ ...request, ...file }),
      ),
    close: () => (isClosed = true),
  }
}
