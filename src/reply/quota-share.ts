import type { AssistantQuota } from '../config/sections/assistant.ts'

/** What this gateway may use now of an assistant's quota, which all gateways have together. */
export interface QuotaShare extends AssistantQuota, Disposable {
  /** Says how many replies run here, and how many wait. */
  use(running: number, waiting: number): void
  /** Calls `run` when the share may have grown, until disposed. */
  listen(run: () => void): Disposable
}

/** An equal part for each of the gateways that live now, and at least one reply. */
export function createEqualShare(quota: AssistantQuota, instances: () => number): QuotaShare {
  return {
    get maxRunning() {
      return Math.max(1, Math.floor(quota.maxRunning / instances()))
    },
    get startsPerSecond() {
      return quota.startsPerSecond / instances()
    },
    use() {},
    listen: () => ({ [Symbol.dispose]() {} }),
    [Symbol.dispose]() {},
  }
}
