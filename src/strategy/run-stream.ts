import type { CozeTarget, StreamListener, StreamTimeouts, TakeCozeEvents } from '../coze/client.ts'
import { CozeError } from '../coze/errors.ts'
import type { CozeEvent } from '../coze/events.ts'
import { type TokenResolver, withToken } from '../coze/token.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { PlatformTraits } from './platform-traits.ts'
import { createRunTranslator, type RunTranslator } from './run-events.ts'
import { asRunFailure } from './run-failure.ts'
import type { TakeRunEvents } from './strategy.ts'

/** What both strategies drive their calls with. */
export interface CallOptions {
  readonly traits: PlatformTraits
  readonly tokens: TokenResolver
  readonly clock: Clock
  /** Gives [0, 1). Jitters the pauses between tries. */
  readonly random: () => number
  /** How long a conversation that something else keeps busy is waited for, in ms. */
  readonly busyWaitMs: number
  readonly timeouts: StreamTimeouts
}

/**
 * Runs an upstream stream as the session: with a token, once more with a fresh one if that is refused, and again while the
 * conversation is busy with another chat (F17). Never sends again what may have been accepted.
 *
 * @throws {@link RunFailedError}
 */
export async function streamRun(
  options: CallOptions & {
    readonly sessionName: string
    readonly send: (
      target: CozeTarget,
      listener: StreamListener,
      take: TakeCozeEvents,
    ) => Promise<void>
  },
  take: TakeRunEvents,
  signal: AbortSignal,
): Promise<void> {
  const { tokens, clock, random, sessionName, send, busyWaitMs } = options
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
  /** From the first events on: nothing is sent again. */
  let translator: RunTranslator | undefined

  function takeRead(batch: readonly CozeEvent[]): Promise<void> | undefined {
    if (translator === undefined) {
      throwIfRefused(batch)
      translator = createRunTranslator({ logId, retries: tries - 1 })
    }
    const { events, failure } = translator.translate(batch)
    const taken = events.length > 0 ? take(events) : undefined
    if (failure === undefined) return taken
    if (taken === undefined) throw failure
    return taken.then(() => {
      throw failure
    })
  }

  /** Resolves with what a run failed with that has begun. */
  async function attempt(target: CozeTarget): Promise<{ readonly failure: unknown } | undefined> {
    try {
      await send(target, listener, takeRead)
    } catch (failure) {
      if (translator === undefined) throw failure
      return { failure }
    }
    return undefined
  }

  const giveUpAt = clock.monotonic() + busyWaitMs
  for (let busy = 0; ; busy += 1) {
    try {
      const failed = await withToken(tokens, sessionName, attempt, signal)
      if (failed === undefined) return
      throw failed.failure
    } catch (error) {
      const leftMs = giveUpAt - clock.monotonic()
      if (translator !== undefined || !isBusy(error) || leftMs <= 0) throw asRunFailure(error)
      const pauseMs = 100 + backoffMs(busy, { baseMs: 400, maxMs: 3000, random })
      await clock.sleep(Math.min(pauseMs, leftMs), signal)
    }
  }
}

/** A refusal may come as the stream's first event. */
function throwIfRefused([event]: readonly CozeEvent[]): void {
  if (event?.type === 'error' && event.error.accepted === 'no') throw event.error
}

function isBusy(error: unknown): boolean {
  return error instanceof CozeError && error.kind === 'busy' && error.accepted === 'no'
}
