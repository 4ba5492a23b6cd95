import type { Clock } from '../lib/clock.ts'
import { createJsonBody, type CozeAnswer, type JsonBody, readHead } from './envelope.ts'
import { CozeError } from './errors.ts'
import type { Turns } from '../lib/turns.ts'
import { openLifetime } from './lifetime.ts'
import { connectionError, connectTimeout, type Send, type WireRequest } from './wire.ts'

/** Bytes of an answer that is read without waiting: a millisecond of work at most. */
const freeBytes = 65_536

/** Sends once and reads the JSON answer. Failures are {@link CozeError}, or the signal's reason. */
export async function callJson(
  request: WireRequest,
  options: {
    readonly send: Send
    readonly clock: Clock
    readonly connectMs: number
    readonly callMs: number
    /** How long a connection that was kept alive may say nothing, in ms. Undefined: as long as any other. */
    readonly silenceMs: number | undefined
    readonly maxBytes: number
    /** Long answers take turns before they are read. */
    readonly turns: Turns
  },
  signal: AbortSignal,
): Promise<CozeAnswer> {
  signal.throwIfAborted()
  const { send, clock, callMs, silenceMs } = options
  const { promise, resolve, reject } = Promise.withResolvers<CozeAnswer>()
  let sentAt: number | undefined
  let isSilent = false
  let body: JsonBody | undefined
  let logId: string | undefined

  const fail = (reason: Error) => {
    reject(reason)
    exchange.abort(reason)
  }
  const attempt = (step: () => void) => {
    try {
      step()
    } catch (error) {
      fail(asError(error))
    }
  }
  using lifetime = openLifetime({ clock, fail }, signal)
  lifetime.enter(options.connectMs, notConnected)
  const exchange = send(request, {
    onSent(isReused) {
      sentAt = clock.monotonic()
      isSilent = isReused && silenceMs !== undefined
      if (isReused && silenceMs !== undefined) lifetime.enter(silenceMs, silentConnection)
      else lifetime.enter(callMs, notAnswered)
    },
    onHead(status, headers) {
      if (isSilent && sentAt !== undefined) {
        isSilent = false
        lifetime.enter(Math.max(0, sentAt + callMs - clock.monotonic()), notAnswered)
      }
      const head = readHead(status, headers, clock.now())
      logId = head.logId
      body = createJsonBody(head, options.maxBytes)
    },
    onData: (chunk) => attempt(() => body?.push(chunk)),
    onEnd: () => void finish(),
    onError: (error) => {
      const answered = body !== undefined
      reject(connectionError(error, { sent: sentAt !== undefined, answered, logId }))
    },
  })
  return await promise

  async function finish(): Promise<void> {
    const turn = body && body.bytes > freeBytes ? options.turns.take(body.bytes) : undefined
    if (turn) await turn
    attempt(() => body && resolve(body.finish()))
  }

  function notAnswered(): CozeError {
    const details = { accepted: 'unknown', systemCode: 'ANSWER_TIMEOUT', logId } as const
    return new CozeError('timeout', 'no answer in time', details)
  }
}

export function notConnected(): CozeError {
  const details = { accepted: 'no', systemCode: connectTimeout } as const
  return new CozeError('unavailable', 'no connection in time', details)
}

function silentConnection(): CozeError {
  const details = { accepted: 'unknown', systemCode: 'SILENT_CONNECTION' } as const
  return new CozeError('unavailable', 'a connection that was kept alive is silent', details)
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('not an error was thrown', { cause: error })
}
