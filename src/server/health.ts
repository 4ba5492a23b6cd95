import type { Durability } from '../domain/durability.ts'
import { jsonResponse } from './http.ts'
import type { Route } from './request-handler.ts'

/** `degraded`: the gateway takes new work, but an assistant cannot be reached or is out of service. */
export type Readiness = 'ready' | 'degraded' | 'not ready'

export interface HealthOptions {
  readonly readiness: () => Promise<Readiness>
  /** What an acknowledged message survives. */
  readonly durability: () => Durability
}

/** `live`: the process responds. `ready`: it takes new work and can store it. */
export function createHealthRoutes({
  readiness,
  durability,
}: HealthOptions): Record<'live' | 'ready', Route> {
  const methods = ['GET', 'HEAD']
  return {
    live: { methods, handle: () => jsonResponse(200, { status: 'live' }) },
    ready: {
      methods,
      async handle() {
        const status = await readiness()
        const body = { status, durability: durability() }
        return status === 'not ready'
          ? jsonResponse(503, body, { 'retry-after': '1' })
          : jsonResponse(200, body)
      },
    },
  }
}
