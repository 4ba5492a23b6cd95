import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Store } from './store.ts'

/** Tells whether the store can be written now, without asking it for every question. */
export interface StoreReadiness {
  /** False while a write fails, waits for too long, or the store is closed. Never rejects. */
  isReady(): Promise<boolean>
}

/** A write that was made durable holds for so long, in ms. */
const fineMs = 5_000
/** A failure holds for so long, in ms: the store is asked again soon, since new work waits for it. */
const failedMs = 1_000
/** A write that takes longer than this, in ms, is a failure until it ends. */
const slowMs = 2_000

export function createStoreReadiness({
  store,
  clock,
  logger,
}: {
  readonly store: Pick<Store, 'ping'>
  readonly clock: Clock
  readonly logger: Logger
}): StoreReadiness {
  let latest: { readonly isFine: boolean; readonly at: number } | undefined
  /** Resolves once the store has answered, or has taken too long. */
  let flight: Promise<void> | undefined
  /** A write that takes too long is not joined by another one. */
  let isHanging = false

  function conclude(isFine: boolean, error?: unknown): void {
    const wasFine = latest?.isFine ?? true
    latest = { isFine, at: clock.monotonic() }
    if (isFine && !wasFine) logger.info({}, 'store ready again')
    if (!isFine && wasFine) logger.warn({ err: error }, 'store not ready')
  }

  function ask(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = clock.timer(slowMs, () => {
      isHanging = true
      conclude(false, new Error('a write takes too long'))
      resolve()
    })
    void store
      .ping()
      .then(
        () => conclude(true),
        (error: unknown) => conclude(false, error),
      )
      .finally(() => {
        timer[Symbol.dispose]()
        isHanging = false
        resolve()
      })
    return promise
  }

  return {
    async isReady() {
      const heldMs = latest?.isFine === true ? fineMs : failedMs
      const isKnown = latest !== undefined && clock.monotonic() - latest.at < heldMs
      if (!isKnown && !isHanging) {
        flight ??= ask().finally(() => (flight = undefined))
        await flight
      }
      return latest?.isFine === true
    },
  }
}
