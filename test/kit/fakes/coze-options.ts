import { limitsSchema } from '../../../src/config/sections/limits.ts'
import { timeoutsSchema } from '../../../src/config/sections/timeouts.ts'

const timeouts = timeoutsSchema.parse({})
const limits = limitsSchema.parse({})

/** What a client of the platform is made with where nothing is configured. */
export const cozeOptions = { timeouts, limits }

/** What is waited for on a Bot's stream where nothing is configured. */
export const streamTimeouts = {
  firstEventMs: timeouts.firstEventMs,
  idleMs: timeouts.idleBotMs,
  totalMs: timeouts.totalMs,
}

/** How tokens are kept where nothing is configured. */
export const tokenOptions = {
  maxEntries: limits.maxCachedTokens,
  maxConcurrentMints: limits.maxMintsAtOnce,
  mintTimeoutMs: timeouts.tokenMs,
}
