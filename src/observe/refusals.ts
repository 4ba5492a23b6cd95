import type { Clock } from '../lib/clock.ts'
import type { Logger } from './logger.ts'
import { createRepeatedLines } from './repeated-lines.ts'

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
  const noted = new WeakSet<Refused>()
  const lines = createRepeatedLines<{ readonly reason: string } & Refusal>({
    clock,
    atOnce: 1,
    write: (fields, count) => logger.info({ ...fields, count }, 'caller refused'),
  })

  return {
    note(error) {
      const { refusal, message: reason } = error
      if (refusal === undefined || noted.has(error)) return
      noted.add(error)
      const { issuer, claim, apiKey } = refusal
      lines.add(JSON.stringify([reason, issuer, claim, apiKey]), { reason, ...refusal })
    },
    [Symbol.dispose]: () => lines[Symbol.dispose](),
  }
}
