import type { SharedSpan, SharedSpans } from '../rate/shared-limiter.ts'
import { createScript, type Lane } from './lane.ts'

/** Counts one more within the limit; a span begins with its first. */
const take = createScript(`
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local left = redis.call('PTTL', KEYS[1])
if used >= tonumber(ARGV[1]) then return {0, used, left} end
used = redis.call('INCR', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {1, used, left}`)

const giveBack = createScript(
  "if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end",
)

const state = createScript("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}")

/**
 * The spans of one limit on the lane.
 * @param digest stands for a key that may be an address or a session
 */
export function createSharedSpans(
  lane: Lane,
  name: string,
  digest: (key: string) => string,
): SharedSpans {
  const keyOf = (key: string) => `rate:${name}:${digest(key)}`
  return {
    async take(key, points, durationMs) {
      const args = [String(points), String(durationMs)]
      const [isTaken, used, leftMs] = numbersOf(await lane.run('rate', take, keyOf(key), ...args))
      if (isTaken === undefined || used === undefined) return undefined
      return { isTaken: isTaken === 1, ...toSpan(used, leftMs) }
    },
    giveBack: (key) => void lane.run('rate', giveBack, keyOf(key)),
    async state(key) {
      const reply = await lane.run('rate', state, keyOf(key))
      if (reply === undefined) return undefined
      const [used = 0, leftMs] = numbersOf(reply)
      return toSpan(used, leftMs)
    },
  }
}

function toSpan(used: number, leftMs = -1): SharedSpan {
  return { used, leftMs: leftMs < 0 ? undefined : leftMs }
}

function numbersOf(reply: unknown): readonly number[] {
  return Array.isArray(reply) ? reply.map(Number) : []
}
