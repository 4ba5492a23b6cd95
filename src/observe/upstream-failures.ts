import type { UpstreamFailure } from '../domain/upstream.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from './logger.ts'
import { createRepeatedLines } from './repeated-lines.ts'

/** Logs failed upstream calls. The outcome of the work that needed them is logged elsewhere. */
export interface UpstreamFailureLog extends Disposable {
  failed(failure: UpstreamFailure): void
}

/** The failures of a kind within a minute that get a line each. */
const atOnce = 10

/**
 * Logs each failed call, and one line a minute if many are alike. A kind is a call, a host, a class and a system code,
 * so that
 * neither callers nor an upstream can create kinds.
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
      // The gateway continues without it, or only tried whether it exists. The operator has nothing to mend.
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
