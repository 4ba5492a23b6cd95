import { type Durability, durabilityProblem } from '../domain/durability.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { type Store, StoreOpenError } from './store.ts'

/** Tells whether the store can be written now, without asking it for every question. */
export interface StoreReadiness {
  /** False while a write fails, waits for too long, or the store is closed. Never rejects. */
  isReady(): Promise<boolean>
  /** What an acknowledged message survives, as it was when the store was last asked. */
  readonly durability: Durability
}

/** A write that was made durable holds for so long, in ms. */
const fineMs = 5_000
/** A failure holds for so long, in ms: the store is asked again soon, since new work waits for it. */
const failedMs = 1_000
/** A write that takes longer than this, in ms, is a failure until it ends. */
const slowMs = 2_000

/** @throws {@link StoreOpenError} when acknowledged messages survive less than `required` */
export async function openStoreReadiness({
  store,
  required,
  clock,
  logger,
}: {
  readonly store: Pick<Store, 'ping' | 'durability'>
  readonly required: Durability
  readonly clock: Clock
  readonly logger: Logger
}): Promise<StoreReadiness> {
  let durability = await store.durability()
  const problem = durabilityProblem(durability, required)
  if (problem !== undefined) throw new StoreOpenError(problem)
  tellDurability()
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

  function tellDurability(): void {
    // A store in memory was asked for; a server that does not sync may be a surprise.
    const level = durability.survives === 'process' ? 'warn' : 'info'
    logger[level]({ ...durability }, 'what an acknowledged message survives')
  }

  async function write(): Promise<void> {
    await store.ping()
    const found = await store.durability()
    const isNews = found.survives !== durability.survives
    durability = found
    if (isNews) tellDurability()
    const lack = durabilityProblem(found, required)
    if (lack !== undefined) throw new Error(lack)
  }

  function ask(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = clock.timer(slowMs, () => {
      isHanging = true
      conclude(false, new Error('a write takes too long'))
      resolve()
    })
    void write()
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
    get durability() {
      return durability.survives
    },
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
