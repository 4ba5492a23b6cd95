import type { Metrics } from '../observe/metrics.ts'
import { type CallOrigin, type CozeError, isKnownCode } from './errors.ts'

/** Counts a failure under labels that no upstream can make more of. */
export function reportError(
  metrics: Pick<Metrics, 'upstreamError'>,
  { call }: CallOrigin,
  error: CozeError,
): void {
  metrics.upstreamError(call, error.kind, codeOf(error))
}

/**
 * The most exact code that is known: of the system, of the upstream (`other`: an undocumented one), or the HTTP status.
 * `uncoded`: there is none, since the gateway itself judged the answer or the upstream gave no reason.
 */
function codeOf({ systemCode, upstreamCode, httpStatus }: CozeError): string {
  if (systemCode !== undefined) return systemCode
  if (upstreamCode !== undefined) return isKnownCode(upstreamCode) ? upstreamCode : 'other'
  return httpStatus === undefined || httpStatus < 300 ? 'uncoded' : `HTTP_${httpStatus}`
}
