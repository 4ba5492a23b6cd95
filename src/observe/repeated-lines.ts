import type { Clock } from '../lib/clock.ts'

/** Writes log lines that callers can cause as often as they like. */
export interface RepeatedLines<T> extends Disposable {
  /** `kind`: lines of one kind are alike. The number of kinds must be bounded. */
  add(kind: string, fields: T): void
}

const windowMs = 60_000

interface Kind<T> {
  written: number
  /** The lines of the current minute that were not written. */
  held: number
  latest: T
  readonly timer: Disposable
}

/**
 * Writes the first lines of a kind at once, and one line at the end of the minute for all that follow, with the fields of the
 * latest one and their number.
 */
export function createRepeatedLines<T>({
  clock,
  atOnce,
  write,
}: {
  readonly clock: Clock
  /** The lines of a kind within a minute that are written at once. */
  readonly atOnce: number
  readonly write: (fields: T, count: number) => void
}): RepeatedLines<T> {
  const kinds = new Map<string, Kind<T>>()

  function begin(name: string, latest: T, written: number): void {
    const timer = clock.timer(windowMs, () => {
      const ended = kinds.get(name)
      kinds.delete(name)
      if (ended === undefined || ended.held === 0) return
      write(ended.latest, ended.held)
      begin(name, ended.latest, atOnce)
    })
    kinds.set(name, { written, held: 0, latest, timer })
  }

  return {
    add(name, fields) {
      const known = kinds.get(name)
      if (known === undefined) {
        write(fields, 1)
        begin(name, fields, 1)
      } else if (known.written < atOnce) {
        known.written += 1
        write(fields, 1)
      } else {
        known.held += 1
        known.latest = fields
      }
    },
    [Symbol.dispose]() {
      for (const { timer } of kinds.values()) timer[Symbol.dispose]()
      kinds.clear()
    },
  }
}
