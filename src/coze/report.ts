import type { Metrics } from '../observe/metrics.ts'
import { type CozeError, isKnownCode } from './errors.ts'

/** Counts what went wrong. Only documented codes are told apart: an upstream must not make new meters. */
export function reportError(metrics: Pick<Metrics, 'upstreamError'>, error: CozeError): void {
  const { kind, upstreamCode: code } = error
  metrics.upstreamError(kind, code === undefined ? 'none' : isKnownCode(code) ? code : 'other')
}
