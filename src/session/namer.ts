import { createHmac, hash, type BinaryLike } from 'node:crypto'
import type { SessionSettings } from '../config/sections/session-keys.ts'
import type { Caller, SessionId, SessionName } from '../domain.ts'
import { remember } from '../lib/remember.ts'

/** What tells a session from all others. */
export interface SessionIdentity {
  /** Injective in (kind, issuer, tenant, subject) of its caller, exact to the byte; reveals none of them. */
  readonly id: SessionId
  /** For logs and support. */
  readonly fingerprint: string
}

/** Gives callers their sessions: the same caller the same one, two callers never one. */
export interface SessionNamer {
  /** The digests are made once for a caller who comes again. */
  identify(caller: Caller): SessionIdentity
  /**
   * What Coze sees, at most 64 ASCII characters. Another for each generation, and under each key;
   * the store keeps the first, so a new key renames nobody.
   */
  nameOf(id: SessionId, generation: number, caller: Caller): SessionName
  /** A digest of the key of ids, to tell whether a store was filled under another one. */
  readonly keyCheck: string
}

/** Callers whose sessions are remembered: two digests each, which cost more than all else that finds a session. */
const maxKnown = 10_000

export function createSessionNamer(settings: SessionSettings): SessionNamer {
  const key = settings.key.reveal()
  const { nameClaim } = settings
  const current = settings.nameKeys.toSorted((a, b) => b.version - a.version)[0]
  const nameKey = current?.key.reveal()
  /** By the callers; those who came first go first. */
  const known = new Map<string, SessionIdentity>()
  return {
    identify({ kind, issuer, tenant, subject }) {
      // JSON is injective for lists of texts, lone surrogates included: it escapes them.
      const text = JSON.stringify([kind, issuer, tenant ?? null, subject])
      const found = known.get(text)
      if (found !== undefined) return found
      // The one place where a session's id is made.
      const id = hmac(key, text) as SessionId
      const identity = { id, fingerprint: fingerprintOf(id) }
      remember(known, text, identity, maxKnown)
      return identity
    },
    nameOf(id, generation, caller) {
      // A backend of API keys may have the name of an issuer, but its callers have no claims.
      if (caller.kind === 'jwt' && caller.issuer === nameClaim?.issuer) {
        if (caller.claimedName === undefined) throw new TypeError('"caller" has no verified name')
        return caller.claimedName as SessionName
      }
      if (nameKey === undefined) throw new TypeError('"nameKeys" must have a key')
      return hmac(nameKey, JSON.stringify([id, generation])) as SessionName
    },
    keyCheck: hmac(key, 'key check'),
  }
}

/** A short digest of a session, for logs and support: tells sessions apart, and leads to none. */
export function fingerprintOf(id: SessionId): string {
  return hash('sha256', `fingerprint ${id}`, 'base64url').slice(0, 12)
}

function hmac(key: BinaryLike, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}
