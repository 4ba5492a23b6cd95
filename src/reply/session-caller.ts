import type { Caller, SessionName } from '../domain.ts'

/** On whose behalf a session is used, as far as this room may know: no subject. */
export interface SessionCaller {
  readonly kind: Caller['kind']
  readonly issuer: string
  /** A short digest of the session, for the log. */
  readonly fingerprint: string
  /** What the upstream knows the session by, in its generations. */
  nameOf(generation: number): SessionName
}
