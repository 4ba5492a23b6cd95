import type { Caller } from '../domain.ts'

/**
 * Whether the credentials of some callers are still accepted. Callers whose credentials depend on the same key share one
 * status, so that one check serves them all.
 */
export interface CredentialStatus {
  /**
   * Returns whether such a credential would be accepted now, apart from its own expiry.
   * @throws {UnavailableError} if that cannot be known now.
   */
  isStillAccepted(): Promise<boolean>
}

/** The status of credentials that depend only on the configuration: accepted as long as the process runs. */
export const permanentlyAccepted: CredentialStatus = {
  isStillAccepted: () => Promise.resolve(true),
}

/** A credential that was accepted. */
export interface AcceptedCredential {
  readonly caller: Caller
  readonly status: CredentialStatus
}

/** Who sent a request. */
export interface Identity extends AcceptedCredential {
  /** `cookie`: a browser may have sent the credential for a page of another site, so the origin of the request matters. */
  readonly by: 'header' | 'cookie'
}

/** Whether the caller's credential has the operators' scope. A guest has no scopes. */
export function isOperator({ scopes }: Pick<Caller, 'scopes'>, operatorScope: string): boolean {
  return scopes.includes(operatorScope)
}
