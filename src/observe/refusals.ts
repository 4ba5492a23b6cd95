import type { Clock } from '../lib/clock.ts'
import type { Logger } from './logger.ts'

/**
 * Why a caller was refused, for the operator's log alone: names of settings and claims, and what the configuration
 * expects. It never holds a credential, a subject or another value that the caller sent, `namedIssuer` excepted.
 */
export interface Refusal {
  /** The configured issuer whose token it is. */
  readonly issuer?: string
  /** The issuer that a token names, where it is none of the configured ones. At most 200 characters. */
  readonly namedIssuer?: string
  /** The claim, or the part of the token's header, that is missing or not accepted. */
  readonly claim?: string
  readonly expected?: string | readonly string[]
  /** The `id` of the configured API key. */
  readonly apiKey?: string
}

/** An error that says why a caller was refused. */
interface Refused {
  readonly message: string
  readonly refusal?: Refusal | undefined
}

/** Tells the operator why callers are refused; the callers themselves are told less. */
export interface RefusalLog extends Disposable {
  /** Counts the refusal once, however often the same error is noted. Other errors are left alone. */
  note(error: Refused): void
}

/** Refusals of one kind make one line in this time, in ms, with their number. */
const windowMs = 60_000

interface Kind {
  count: number
  /** What the latest one of the kind was about. */
  latest: Refusal
  readonly timer: Disposable
}

/**
 * Writes a line for the first refusal of a kind at once, and one for all that follow within a minute at its end. A kind
 * is a reason with the issuer, claim and API key that it is about: all of these are fixed by the configuration, so that
 * callers cannot make kinds.
 */
export function createRefusalLog({
  clock,
  logger,
}: {
  readonly clock: Clock
  readonly logger: Logger
}): RefusalLog {
  const kinds = new Map<string, Kind>()
  const noted = new WeakSet<Refused>()

  function write(reason: string, count: number, refusal: Refusal): void {
    logger.info({ reason, ...refusal, count }, 'caller refused')
  }

  function begin(name: string, reason: string, latest: Refusal): void {
    const timer = clock.timer(windowMs, () => {
      const { count, latest: last } = kinds.get(name) ?? { count: 0, latest }
      kinds.delete(name)
      if (count === 0) return
      write(reason, count, last)
      begin(name, reason, last)
    })
    kinds.set(name, { count: 0, latest, timer })
  }

  return {
    note(error) {
      const { refusal } = error
      if (refusal === undefined || noted.has(error)) return
      noted.add(error)
      const { issuer, claim, apiKey } = refusal
      const name = JSON.stringify([error.message, issuer, claim, apiKey])
      const known = kinds.get(name)
      if (known === undefined) {
        write(error.message, 1, refusal)
        begin(name, error.message, refusal)
      } else {
        known.count += 1
        known.latest = refusal
      }
    },
    [Symbol.dispose]() {
      for (const { timer } of kinds.values()) timer[Symbol.dispose]()
      kinds.clear()
    },
  }
}
