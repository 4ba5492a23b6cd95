import type { Platform, ReplyFailureCode } from '../../src/domain.ts'
import type { FaultRow } from './faults.ts'

/** A crash leaves the outcome of what was under way unknown, whatever made the gateway die, or the platform. */
const deaths: readonly FaultRow[] = ['F20', 'F21', 'F22', 'F23', 'F25', 'F32', 'F33', 'restart']

/**
 * Which faults a failure may come of (docs/threats-and-faults.md); undefined: of any. A code without its fault is the gateway's own
 * invention.
 */
const causes: Readonly<Partial<Record<ReplyFailureCode, readonly FaultRow[]>>> = {
  UPSTREAM_UNAVAILABLE: ['F1', 'F5', 'F23', 'restart'],
  UPSTREAM_TLS: ['F2'],
  UPSTREAM_AUTH: ['F3', 'F4', 'F5'],
  UPSTREAM_RATE_LIMITED: ['F6'],
  UPSTREAM_QUOTA: ['F8', 'F18'],
  // Of a conversation that is gone, a Studio says what it says of a broken Workflow.
  UPSTREAM_ERROR: ['F5', 'F7', 'F8', 'F18', 'F41'],
  UPSTREAM_TRUNCATED: ['F4', 'F9', ...deaths],
  UPSTREAM_TIMEOUT: ['F5', 'F10', 'F23'],
  UPSTREAM_PROTOCOL: ['F11', 'F14'],
  UPSTREAM_TOO_LARGE: ['F14'],
  UPSTREAM_REFUSED: ['F8', 'F41'],
  UPSTREAM_OUTCOME_UNKNOWN: ['F4', 'F9', ...deaths],
  ACTION_EXPIRED: ['F18'],
  ACTION_UNSUPPORTED: ['F18'],
  ISOLATION_BREACH: ['F16', 'T13'],
  LIMIT: ['F10', 'F15', 'F23'],
  SHUTDOWN: ['F20', 'F22', 'F25'],
  STORE_UNAVAILABLE: ['F32', 'F33'],
  STORE_FULL: ['F32', 'F33'],
}

export function isExplained(code: ReplyFailureCode, reached: ReadonlySet<FaultRow>): boolean {
  if (code === 'INTERNAL') return false
  return causes[code]?.some((row) => reached.has(row)) ?? true
}

const healing: Readonly<Partial<Record<FaultRow, number>>> = {
  F3: 0.7,
  F5: 0.6,
  F6: 0.6,
  F12: 0.98,
  F13: 0.98,
  F17: 0.6,
  F19: 0.98,
  F20: 0.8,
  // Most messages are intended as soon as they are accepted: a death behind that leaves their outcome unknown.
  F21: 0.8,
  F22: 0.85,
  F23: 0.85,
  F34: 0.8,
  F35: 0.98,
  F36: 0.98,
  F38a: 0.98,
  F39: 0.98,
  F40: 0.98,
  F41: 0.98,
}

const healingOnStudio: typeof healing = {
  ...healing,
  // There is no other token to be had.
  F3: 0.3,
  // What a broken Workflow says, a conversation that is gone says as well: that message is lost, the next one is not.
  F41: 0.7,
  restart: 0.6,
}

/** What share of the replies must be answered, or cancelled by their owner, when only this fault happens. Default: any. */
export function shareAnswered(row: FaultRow, platform: Platform): number {
  return (platform === 'cloud' ? healing : healingOnStudio)[row] ?? 0
}
