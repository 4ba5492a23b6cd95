import { jsonAnswer } from './http.ts'
import type { Answer } from './http.ts'

/** `degraded`: new work is taken, though an assistant cannot be reached. */
export type Readiness = 'ready' | 'degraded' | 'not ready'

/** `live`: the process answers. `ready`: it takes new work, and can store it. Undefined: another path. */
export async function healthAnswer(
  pathname: string,
  readiness: () => Promise<Readiness>,
): Promise<Answer | undefined> {
  const headers = { 'cache-control': 'no-store' }
  if (pathname === '/health/live') return jsonAnswer(200, { status: 'live' }, headers)
  if (pathname !== '/health/ready') return undefined
  const status = await readiness()
  return status === 'not ready'
    ? jsonAnswer(503, { status }, { ...headers, 'retry-after': '1' })
    : jsonAnswer(200, { status }, headers)
}
