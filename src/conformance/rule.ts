import type { Subject } from './subject.ts'

/** One numbered sentence of docs/protocol.md. */
export interface Rule {
  readonly id: string
  readonly level: 'MUST' | 'SHOULD'
  readonly sentence: string
  /** The option of the command without which it cannot be examined. */
  readonly needs?: 'otherToken' | 'expiringToken' | 'drain'
  /** @throws {@link Violation} where the gateway does something else */
  check(subject: Subject): Promise<void>
}
