import type { Clock } from '../lib/clock.ts'

export type RandomBytes = (size: number) => Buffer

/** Makes what Coze makes up: resource ids, log ids, access tokens. */
export interface Ids {
  /** A 19-digit decimal string above 2^53, rising. */
  next(): string
  /** `YYYYMMDDhhmmss` and 32 hexadecimal digits. */
  logId(): string
  uuid(): string
  accessToken(): string
}

export function createIds(clock: Clock, random: RandomBytes): Ids {
  const worker = BigInt(random(2).readUInt16BE() % 1024)
  let last = 10n ** 18n
  return {
    next() {
      const fresh = (BigInt(Math.floor(clock.now())) << 22n) | (worker << 12n)
      last = fresh > last ? fresh : last + 1n
      return String(last)
    },
    logId() {
      const stamp = new Date(clock.now()).toISOString().replace(/\D/g, '').slice(0, 14)
      return stamp + random(16).toString('hex').toUpperCase()
    },
    uuid() {
      const hex = random(16).toString('hex')
      return [8, 12, 16, 20, 32]
        .map((end, index, ends) => hex.slice(ends[index - 1] ?? 0, end))
        .join('-')
    },
    accessToken: () => `czs_${random(32).toString('base64url')}`,
  }
}

export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}
