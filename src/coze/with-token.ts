import type { CozeTarget } from './client.ts'
import { CozeError } from './errors.ts'
import type { TokenResolver } from './token.ts'

/**
 * Calls upstream as the session. If the token is refused and nothing was accepted, mints once and repeats once (F3).
 */
export async function withToken<T>(
  tokens: TokenResolver,
  sessionName: string,
  run: (target: CozeTarget) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const token = await tokens.token(sessionName, signal)
  try {
    return await run(token.target)
  } catch (error) {
    if (!isTokenRefusal(error) || !tokens.drop(token)) throw error
  }
  const { target } = await tokens.token(sessionName, signal)
  return run(target)
}

function isTokenRefusal(error: unknown): boolean {
  return error instanceof CozeError && error.kind === 'auth' && error.accepted === 'no'
}
