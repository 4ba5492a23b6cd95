import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Ledger } from '../store/ledger.ts'
import type { ReplyLog } from '../store/log.ts'

export interface TrimmingOptions {
  readonly ledger: Ledger
  readonly log: ReplyLog
  readonly clock: Clock
  readonly logger: Logger
  /** How long events outlive their reply, in ms. */
  readonly retentionMs: number
  /** How long messages are kept after they were written, in ms; undefined: until their conversation is deleted. */
  readonly messageRetentionMs: number | undefined
  /** Aborts when the engine is closed. */
  readonly closed: AbortSignal
}

/** How often what is old is trimmed, in ms. */
const everyMs = 60_000

/** Trims what has outlived its time, until the engine is closed. */
export async function createTrimming(options: TrimmingOptions): Promise<void> {
  const { ledger, log, clock, logger, messageRetentionMs, closed } = options

  /** A store does a bounded part of it at a time, until nothing is left. */
  async function all(what: string, trim: () => Promise<number>): Promise<void> {
    try {
      while ((await trim()) > 0) await clock.sleep(0, closed)
    } catch (error) {
      if (!closed.aborted) logger.error({ err: error, what }, 'what is old could not be trimmed')
    }
  }

  while (!closed.aborted) {
    await clock.sleep(everyMs, closed).catch(() => undefined)
    if (closed.aborted) return
    const endedBefore = clock.now() - options.retentionMs
    await all('reply log', () => log.trim(endedBefore))
    if (messageRetentionMs === undefined) continue
    const writtenBefore = clock.now() - messageRetentionMs
    await all('messages', () => ledger.trimMessages(writtenBefore))
  }
}
