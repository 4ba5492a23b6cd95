import type { Caller } from '../domain.ts'
import { UnauthenticatedError } from '../errors.ts'
import { createTokenVerifier, type TokenVerifierOptions } from './jwt.ts'

/** As much of a request's head as tells who sent it: `Headers`, or anything like it. */
export interface RequestHeaders {
  /** Undefined or null: there is none. Several of one name: joined by a comma. */
  get(name: string): string | null | undefined
}

/** Finds out who sent a request, from its credentials and nothing else. */
export interface Authenticator extends Disposable {
  /**
   * @throws {UnauthenticatedError} if there is no credential, or one that is refused.
   * @throws {UnavailableError} if a credential cannot be checked now.
   */
  authenticate(headers: RequestHeaders): Promise<Caller>
}

export function createAuthenticator(options: TokenVerifierOptions): Authenticator {
  const tokens = createTokenVerifier(options)
  return {
    async authenticate(headers) {
      const credential = headers.get('authorization') ?? undefined
      if (credential === undefined) throw new UnauthenticatedError('A bearer token is needed.')
      // Two headers arrive joined by a comma, which no token contains.
      const token = /^Bearer +(\S+)$/i.exec(credential)?.[1]
      if (token === undefined)
        throw new UnauthenticatedError('The credential is not a bearer token.')
      return tokens.verify(token)
    },
    [Symbol.dispose]: () => tokens[Symbol.dispose](),
  }
}

/**
 * The `WWW-Authenticate` header of a refusal, as RFC 6750 §3 has it:
 * who showed no credential learns only which kind is wanted.
 */
export function challengeOf(error: UnauthenticatedError, headers: RequestHeaders): string {
  const presented = (headers.get('authorization') ?? undefined) !== undefined
  return presented ? `Bearer error="invalid_token", error_description="${error.message}"` : 'Bearer'
}
