import type { Caller } from '../domain.ts'

/** What the word of a caller rests on. Callers that rest on the same thing share it, so that one look serves them all. */
export interface Proof {
  /**
   * Whether a credential that rests on it would be accepted now, its own expiry apart.
   * @throws {UnavailableError} if that cannot be known now.
   */
  stands(): Promise<boolean>
}

/** Of what is fixed in the configuration: it stands as long as the process. */
export const lasting: Proof = { stands: () => Promise.resolve(true) }

/** A credential that was accepted. */
export interface Verified {
  readonly caller: Caller
  readonly proof: Proof
}

/** Who sent a request. */
export interface Identity extends Verified {
  /** `cookie`: a browser may have sent the credential without its page's will, so where the request comes from matters. */
  readonly by: 'header' | 'cookie'
}
