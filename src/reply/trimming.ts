import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { ReplyLog } from '../store/log.ts'

export interface TrimmingOptions {
  readonly log: ReplyLog
  readonly clock: Clock
  readonly logger: Logger
  /** How long events outlive their reply, in ms. */
  readonly retentionMs: number
  /** Aborts when the engine is closed. */
  readonly closed: AbortSignal
}

/** How often what is old is trimmed, in ms. */
const everyMs = 60_000

/** Trims what has outlived its time, until the engine is closed. */
export async function createTrimming(options: TrimmingOptions): Promise<void> {
  const { log, clock, logger, closed } = options
  while (!closed.aborted) {
    await clock.sleep(everyMs, closed).catch(() => undefined)
    if (closed.aborted) return
    try {
      const endedBefore = clock.now() - options.retentionMs
      while ((await log.trim(endedBefore)) > 0) await clock.sleep(0, closed)
    } catch (error) {
      logger.error({ err: error }, 'the reply log could not be trimmed')
    }
  }
}
