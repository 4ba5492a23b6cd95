import { hash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { AcceptedCredential } from './identity.ts'

/** Remembers tokens that were verified a moment ago, so that a repeated token costs one digest. */
export interface VerifiedTokens {
  /** Returns undefined if the token must be verified. */
  find(token: string): AcceptedCredential | undefined
  add(token: string, made: AcceptedCredential): void
}

/** The time after which a withdrawn key is noticed, in ms. */
const maxAgeMs = 60_000
const maxTokens = 10_000

export function createVerifiedTokens(clock: Clock): VerifiedTokens {
  /** Keyed by a digest, so that no token stays in memory. The oldest comes first. */
  const verified = new Map<string, { readonly made: AcceptedCredential; readonly at: number }>()
  const isFresh = (at: number) => clock.monotonic() - at < maxAgeMs

  return {
    find(token) {
      const entry = verified.get(digestOf(token))
      if (entry === undefined || !isFresh(entry.at)) return undefined
      return clock.now() < entry.made.caller.expiresAt ? entry.made : undefined
    },
    add(token, made) {
      const digest = digestOf(token)
      verified.delete(digest)
      for (const [oldest, { at }] of verified) {
        if (isFresh(at) && verified.size < maxTokens) break
        verified.delete(oldest)
      }
      verified.set(digest, { made, at: clock.monotonic() })
    },
  }
}

function digestOf(token: string): string {
  return hash('sha256', token, 'base64')
}
