import type { Ledger } from '../../../src/store/ledger.ts'
import type { RunLease } from '../../../src/store/run-lease.ts'
import { replacing } from './replacing.ts'

/** The same ledger, each lease of which is dressed, wherever it comes from. */
export function leasing(ledger: Ledger, dress: (lease: RunLease) => Partial<RunLease>): Ledger {
  const dressed = (lease: RunLease) => replacing(lease, dress(lease))
  return replacing(ledger, {
    async accept(session, request) {
      const outcome = await ledger.accept(session, request)
      return outcome.type === 'accepted' && outcome.lease !== undefined
        ? { ...outcome, lease: dressed(outcome.lease) }
        : outcome
    },
    async claim(...given) {
      const lease = await ledger.claim(...given)
      return lease && dressed(lease)
    },
    async orphans() {
      const orphans = await ledger.orphans()
      return orphans.map((orphan) => ({ ...orphan, lease: dressed(orphan.lease) }))
    },
  })
}
