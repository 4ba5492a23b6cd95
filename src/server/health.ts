import { jsonResponse } from './http.ts'
import type { Route } from './request-handler.ts'

/** `degraded`: the gateway takes new work, but an assistant cannot be reached or is out of service. */
export type Readiness = 'ready' | 'degraded' | 'not ready'

/** `live`: the process responds. `ready`: it takes new work and can store it. */
export function createHealthRoutes(
  readiness: () => Promise<Readiness>,
): Record<'live' | 'ready', Route> {
  const methods = ['GET', 'HEAD']
  return {
    live: { methods, handle: () => jsonResponse(200, { status: 'live' }) },
    ready: {
      methods,
      async handle() {
        const status = await readiness()
        return status === 'not ready'
          ? jsonResponse(503, { status }, { 'retry-after': '1' })
          : jsonResponse(200, { status })
      },
    },
  }
}
