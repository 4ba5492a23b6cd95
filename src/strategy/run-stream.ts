import type { CozeTarget, StreamListener } from '../coze/client.ts'
import { CozeError } from '../coze/errors.ts'
import type { CozeEvent } from '../coze/events.ts'
import type { TokenResolver } from '../coze/token.ts'
import { withToken } from '../coze/with-token.ts'
import type { Platform } from '../domain.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { createRunTranslator } from './run-events.ts'
import { asRunFailure } from './run-failure.ts'
import type { RunEvent } from './strategy.ts'

type CozeStream = AsyncGenerator<readonly CozeEvent[], void, undefined>

/** What both strategies drive their calls with. */
export interface CallOptions {
  /** Default `cloud`. */
  readonly platform?: Platform | undefined
  readonly tokens: TokenResolver
  readonly clock: Clock
  /** Gives [0, 1). Jitters the pauses between tries. */
  readonly random: () => number
  /** How long a conversation that something else keeps busy is waited for, in ms. Default 10000. */
  readonly busyWaitMs?: number | undefined
}

/**
 * Runs an upstream stream as the session: with a token, once more with a fresh one if that is refused, and again while the
 * conversation is busy with another chat (F17). Never sends again what may have been accepted.
 *
 * @throws {@link RunFailedError}
 */
export async function* streamRun(
  options: CallOptions & {
    readonly sessionName: string
    readonly open: (target: CozeTarget, listener: StreamListener) => CozeStream
  },
  signal: AbortSignal,
): AsyncGenerator<readonly RunEvent[], void, undefined> {
  let tries = 0
  let logId: string | undefined
  const listener: StreamListener = {
    onTry() {
      tries += 1
    },
    onOpen(opened) {
      logId = opened
    },
  }
  let stream: CozeStream | undefined
  try {
    const begun = await begin(options, listener, signal)
    stream = begun.stream
    const translator = createRunTranslator({ logId, retries: tries - 1 })
    for (let read = begun.first; read.done !== true; read = await stream.next()) {
      const { events, failure } = translator.translate(read.value)
      if (events.length > 0) yield events
      if (failure !== undefined) throw failure
    }
  } catch (error) {
    throw asRunFailure(error)
  } finally {
    await stream?.return()
  }
}

interface Begun {
  readonly first: IteratorResult<readonly CozeEvent[], void>
  readonly stream: CozeStream
}

async function begin(
  options: Parameters<typeof streamRun>[0],
  listener: StreamListener,
  signal: AbortSignal,
): Promise<Begun> {
  const { tokens, clock, random, sessionName, open, busyWaitMs = 10_000 } = options
  const giveUpAt = clock.monotonic() + busyWaitMs
  for (let attempt = 0; ; attempt += 1) {
    try {
      const send = async (target: CozeTarget) => firstRead(open(target, listener))
      return await withToken(tokens, sessionName, send, signal)
    } catch (error) {
      const leftMs = giveUpAt - clock.monotonic()
      if (!isBusy(error) || leftMs <= 0) throw error
      const pauseMs = 100 + backoffMs(attempt, { baseMs: 400, maxMs: 3000, random })
      await clock.sleep(Math.min(pauseMs, leftMs), signal)
    }
  }
}

/** Reads until the upstream has said anything: a refusal comes instead of the stream, or as its first event. */
async function firstRead(stream: CozeStream): Promise<Begun> {
  const first = await stream.next()
  const [event] = first.done === true ? [] : first.value
  if (event?.type !== 'error' || event.error.accepted !== 'no') return { first, stream }
  await stream.return()
  throw event.error
}

function isBusy(error: unknown): boolean {
  return error instanceof CozeError && error.kind === 'busy' && error.accepted === 'no'
}
