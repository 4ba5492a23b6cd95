import type { Clock } from '../lib/clock.ts'
import { createJsonBody, type CozeAnswer, type JsonBody, readHead } from './envelope.ts'
import { CozeError } from './errors.ts'
import { openLifetime } from './lifetime.ts'
import { connectionError, type Send, type WireRequest } from './wire.ts'

/** Sends once and reads the JSON answer. Failures are {@link CozeError}, or the signal's reason. */
export async function callJson(
  request: WireRequest,
  options: {
    readonly send: Send
    readonly clock: Clock
    readonly connectMs: number
    readonly callMs: number
    readonly maxBytes: number
  },
  signal: AbortSignal,
): Promise<CozeAnswer> {
  signal.throwIfAborted()
  const { send, clock } = options
  const { promise, resolve, reject } = Promise.withResolvers<CozeAnswer>()
  let sent = false
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
    onSent() {
      sent = true
      lifetime.enter(
        options.callMs,
        () =>
          new CozeError('timeout', 'no answer in time', {
            accepted: 'unknown',
            systemCode: 'ANSWER_TIMEOUT',
            logId,
          }),
      )
    },
    onHead(status, headers) {
      const head = readHead(status, headers, clock.now())
      logId = head.logId
      body = createJsonBody(head, options.maxBytes)
    },
    onData: (chunk) => attempt(() => body?.push(chunk)),
    onEnd: () => attempt(() => body && resolve(body.finish())),
    onError: (error) =>
      reject(connectionError(error, { sent, answered: body !== undefined, logId })),
  })
  return await promise
}

export function notConnected(): CozeError {
  const details = { accepted: 'no', systemCode: 'CONNECT_TIMEOUT' } as const
  return new CozeError('unavailable', 'no connection in time', details)
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('not an error was thrown', { cause: error })
}
