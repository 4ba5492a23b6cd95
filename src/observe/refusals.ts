import type { Clock } from '../lib/clock.ts'
import type { Logger } from './logger.ts'
import { createRepeatedLines } from './repeated-lines.ts'

/**
 * The reason why a caller was refused, for the operator's log only: names of settings and claims, and expected values.
 * It never
 * contains a credential, a subject or another value that the caller sent, except `namedIssuer`.
 */
export interface Refusal {
  /** The configured issuer of the token. */
  readonly issuer?: string
  /** The issuer that the token names, if it is not configured. At most 200 characters. */
  readonly namedIssuer?: string
  /** The claim, or the part of the token's header, that is missing or not accepted. */
  readonly claim?: string
  readonly expected?: string | readonly string[]
  /** The `id` of the configured API key. */
  readonly apiKey?: string
}

/** An error with the reason of a refusal. */
interface Refused {
  readonly message: string
  readonly refusal?: Refusal | undefined
}

/** Logs for operators why callers are refused. The callers themselves learn less. */
export interface RefusalLog extends Disposable {
  /** Counts the refusal once, however often the same error is noted. Other errors are left alone. */
  note(error: Refused): void
}

/**
 * Logs the first refusal of a kind at once, and one line at the end of the minute for all that follow. A kind is a
 * reason with
 * its issuer, claim and API key. The configuration fixes all of these, so callers cannot create kinds.
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
