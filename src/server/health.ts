import { jsonAnswer, type Answer } from './http.ts'
import type { Route } from './paths.ts'

/** `degraded`: new work is taken, though an assistant cannot be reached. */
export type Readiness = 'ready' | 'degraded' | 'not ready'

/** `live`: the process answers. `ready`: it takes new work, and can store it. Undefined: another route. */
export async function healthAnswer(
  route: Route | undefined,
  readiness: () => Promise<Readiness>,
): Promise<Answer | undefined> {
  if (route === 'live') return jsonAnswer(200, { status: 'live' })
  if (route !== 'ready') return undefined
  const status = await readiness()
  return status === 'not ready'
    ? jsonAnswer(503, { status }, { 'retry-after': '1' })
    : jsonAnswer(200, { status })
}
