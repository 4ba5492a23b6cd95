import type { Authenticator, RequestHeaders } from '../../../src/auth/authenticator.ts'
import type { Caller } from '../../../src/domain.ts'
import { UnauthenticatedError } from '../../../src/errors.ts'

/** Who the credentials are of, as the door asks: nobody is refused, too. */
export async function callerOf(auth: Authenticator, headers: RequestHeaders): Promise<Caller> {
  const identity = await auth.authenticate(headers)
  if (identity === undefined) throw new UnauthenticatedError('A credential is needed.')
  return identity.caller
}

export function bearer(token: string): Headers {
  return new Headers({ authorization: `Bearer ${token}` })
}
