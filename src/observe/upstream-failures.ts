import type { UpstreamFailure } from '../domain/upstream.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from './logger.ts'
import { createRepeatedLines } from './repeated-lines.ts'

/** Tells the operator of failed calls; what became of the work that needed them, others tell. */
export interface UpstreamFailureLog extends Disposable {
  failed(failure: UpstreamFailure): void
}

/** Failures of a kind within a minute that have a line each. */
const atOnce = 10

/**
 * Writes a line for each failed call, and one a minute where many are alike. A kind is a call, a host, a class and a
 * system code, so that neither a caller nor an upstream can make kinds.
 */
export function createUpstreamFailureLog({
  clock,
  logger,
}: {
  readonly clock: Clock
  readonly logger: Logger
}): UpstreamFailureLog {
  const lines = createRepeatedLines<UpstreamFailure>({
    clock,
    atOnce,
    write(failure, count) {
      const fields = { ...failure, count }
      // It is gone on without, or was only looked for: the operator knows, and has nothing to mend.
      if (failure.kind === 'conversation-gone') logger.info(fields, 'upstream call failed')
      else logger.warn(fields, 'upstream call failed')
    },
  })
  return {
    failed(failure) {
      const { call, host, kind, systemCode } = failure
      lines.add(JSON.stringify([call, host, kind, systemCode]), failure)
    },
    [Symbol.dispose]: () => lines[Symbol.dispose](),
  }
}
