import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 5
/** What hangs is told in the end; a machine that is very busy is no failure. */
export const patienceMs = 100_000

/** Resolves with the first answer of `condition` that is neither undefined nor false; fails after `deadlineMs`. */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  deadlineMs = patienceMs,
): Promise<T> {
  const due = performance.now() + deadlineMs
  for (;;) {
    const answer = await condition()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > due) throw new Error(`still not after ${deadlineMs} ms: ${what}`)
    await delay(pollMs)
  }
}

/** Resolves as `promise` does, or fails after `deadlineMs`. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  deadlineMs = patienceMs,
): Promise<T> {
  const timer = new AbortController()
  const late = delay(deadlineMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`still not after ${deadlineMs} ms: ${what}`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
  }
}
