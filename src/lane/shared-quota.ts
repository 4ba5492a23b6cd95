import type { AssistantQuota } from '../config/sections/assistant.ts'
import type { Clock } from '../lib/clock.ts'
import type { QuotaShare } from '../reply/quota-share.ts'
import { createScript, type Lane } from './lane.ts'

/** How often an instance says that it still uses its share, in ms, and after how long without it the share is free. */
const everyMs = 1_000
const heldMs = 5_000
/** An instance that ran nothing for so long keeps no permit in reserve, in ms. */
const idleMs = 10_000
const channel = 'permits'

/**
 * The share of one instance: what is free, up to what it wants. Others are left what they lack of an equal part, and nothing
 * is held in reserve while others lack. A field of the hash is `held needed until`.
 *
 * ARGV: instance, running, needed, wanted, the quota, how long it holds. Returns the share, the sum of all, and whether others lack.
 */
const take = createScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, running, needed, wanted, max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local all = redis.call('HGETALL', KEYS[1])
local others = {}
local used = 0
for i = 1, #all, 2 do
  local held, need, till = string.match(all[i + 1], '^(%d+) (%d+) (%d+)$')
  if not held or tonumber(till) < now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= me then
    used = used + held
    others[#others + 1] = {held = tonumber(held), need = tonumber(need)}
  end
end
local part = math.floor(max / (#others + 1))
local owed = 0
local lack = 0
for _, other in ipairs(others) do
  if other.need > other.held then lack = 1 end
  owed = owed + math.max(0, math.min(other.need, part) - other.held)
end
if lack == 1 then wanted = needed end
local share = math.max(0, math.min(wanted, max - used - owed))
local held = math.max(running, share)
if held + needed == 0 then
  redis.call('HDEL', KEYS[1], me)
else
  redis.call('HSET', KEYS[1], me, held .. ' ' .. needed .. ' ' .. (now + ARGV[6]))
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
return {share, used + held, lack}`)

/**
 * The quota of one assistant on the lane. Permits are taken ahead, a few more than are used, so that the usual reply waits
 * for nobody. One instance alone, or without the lane, has an equal part.
 */
export function openSharedQuota(options: {
  readonly lane: Lane
  readonly clock: Clock
  readonly instance: string
  /** Stands for the assistant in the names of keys. */
  readonly name: string
  readonly quota: AssistantQuota
  /** What it has alone, or without the lane. */
  readonly equal: QuotaShare
  /** The gateways that live now. */
  readonly instances: () => number
}): QuotaShare {
  const { lane, clock, instance, name, quota, equal, instances } = options
  const listeners = new Set<() => void>()
  let running = 0
  let waiting = 0
  /** What the lane gave at last, and what all have by its account. */
  let share = 0
  let held = 0
  let total = 0
  let othersLack = false
  let usedAt = -Infinity
  let isAsking = false
  let isStale = false
  /** It asks of itself, and tells the others what it lacks; whoever was told does not tell that again. */
  let mayTell = false
  let isClosed = false
  let timer: Disposable | undefined

  const isShared = () => lane.isHere && instances() > 1
  const needed = () => running + waiting
  const reserve = () => {
    const isIdle = needed() === 0 && clock.monotonic() - usedAt > idleMs
    return isIdle ? 0 : Math.max(1, Math.ceil(needed() / 4))
  }

  function ask(isTold = false): void {
    mayTell ||= !isTold
    if (isAsking || isClosed) {
      isStale = true
      return
    }
    timer?.[Symbol.dispose]()
    isAsking = true
    isStale = false
    void askNow().finally(() => {
      isAsking = false
      if (isStale) return ask(!mayTell)
      const isUsed = needed() > 0 || share > 0
      timer = isUsed && !isClosed ? clock.timer(everyMs, () => ask()) : undefined
    })
  }

  async function askNow(): Promise<void> {
    const before = held
    const isTelling = mayTell
    mayTell = false
    if (isShared()) {
      const numbers = [running, needed(), needed() + reserve(), quota.maxRunning, heldMs]
      const reply = await lane.run('permit', take, name, instance, ...numbers.map(String))
      const [given, all, lack] = Array.isArray(reply) ? reply.map(Number) : []
      if (given === undefined || all === undefined) return
      share = given
      total = all
      othersLack = lack === 1
      held = Math.max(running, share)
      const gaveBack = othersLack && held < before
      if ((isTelling && share < needed()) || gaveBack)
        lane.publish('permit', channel, `${instance} ${name}`)
    }
    for (const run of listeners) run()
  }

  // Somebody lacks permits, or has given some back.
  const subscription = lane.subscribe(channel, (message) => {
    const [who, what] = message.split(' ')
    const isOfUse = needed() !== share
    if (what === name && who !== instance && isOfUse && isShared()) ask(true)
  })

  return {
    get maxRunning() {
      return isShared() ? share : equal.maxRunning
    },
    get startsPerSecond() {
      if (!isShared()) return equal.startsPerSecond
      return (quota.startsPerSecond * share) / Math.max(1, total)
    },
    use(runningNow, waitingNow) {
      const before = { running, needed: needed() }
      running = runningNow
      waiting = waitingNow
      if (needed() > 0) usedAt = clock.monotonic()
      const isFirst = timer === undefined && !isAsking && needed() > 0
      // Without the lane nothing is given or taken back, and who asks all the same would ask without end.
      if (!isShared()) return isFirst ? ask() : undefined
      const wantsMore = needed() > share && needed() > before.needed
      const wantsLess = needed() + 2 * reserve() < share
      const gaveBack = othersLack && running < before.running
      if (wantsMore || wantsLess || gaveBack || isFirst) ask()
    },
    listen(run) {
      listeners.add(run)
      return { [Symbol.dispose]: () => void listeners.delete(run) }
    },
    [Symbol.dispose]() {
      isClosed = true
      timer?.[Symbol.dispose]()
      subscription[Symbol.dispose]()
    },
  }
}
