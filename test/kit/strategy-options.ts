import type { Platform } from '../../src/domain.ts'
import { platformTraits } from '../../src/strategy/platform-traits.ts'
import { streamTimeouts } from './coze-options.ts'

/** What strategies of either kind are made with, but for what a test is about. */
export const strategyOptions = (platform: Platform = 'cloud') => ({
  traits: platformTraits[platform],
  hasSharedToken: false,
  busyWaitMs: 10_000,
  timeouts: streamTimeouts,
})
