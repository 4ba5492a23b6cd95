import { createHash, createHmac, type BinaryLike } from 'node:crypto'
import type { SessionSettings } from '../config/session-keys.ts'
import type { Caller, SessionId, SessionName } from '../domain.ts'

/** Gives callers their sessions: the same caller the same one, two callers never one. */
export interface SessionNamer {
  /** Injective in (kind, issuer, tenant, subject), exact to the byte; reveals none of them. */
  idOf(caller: Caller): SessionId
  /**
   * What Coze sees, at most 64 ASCII characters. Another for each generation, and under each key;
   * the store keeps the first, so a new key renames nobody.
   */
  nameOf(id: SessionId, generation: number, caller: Caller): SessionName
  /** A digest of the key of ids, to tell whether a store was filled under another one. */
  readonly keyCheck: string
}

export function createSessionNamer(settings: SessionSettings): SessionNamer {
  const key = settings.key.reveal()
  const { nameClaim } = settings
  const current = settings.nameKeys.toSorted((a, b) => b.version - a.version)[0]
  const nameKey = current?.key.reveal()
  return {
    idOf({ kind, issuer, tenant, subject }) {
      // JSON is injective for lists of texts, lone surrogates included: it escapes them.
      const text = JSON.stringify([kind, issuer, tenant ?? null, subject])
      // The one place where a session's id is made.
      return hmac(key, text) as SessionId
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
  return createHash('sha256').update(`fingerprint ${id}`).digest('base64url').slice(0, 12)
}

function hmac(key: BinaryLike, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}
