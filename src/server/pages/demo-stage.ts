import { BadRequestError } from '../../errors.ts'
import type { Cors } from '../cors.ts'
import { checkCookieAnswer } from '../csrf.ts'
import { jsonResponse } from '../http.ts'
import type { Route } from '../request-handler.ts'

/** What only the demo gives to its chat page: the credentials of its callers, and a stand-in for Coze that leaks on demand. */
export interface DemoStage {
  /** As JSON. It holds credentials. */
  describe(): object
  /** Makes the stand-in leak by this cause alone, or by none. Returns false for an unknown name. */
  leak(name: string | null): boolean
}

const maxBodyBytes = 1_024

export function createDemoRoute(stage: DemoStage, cors: Cors): Route {
  return {
    methods: ['GET', 'PUT'],
    async handle(request) {
      checkCookieAnswer(request, cors)
      if (request.method === 'PUT') {
        const leak = leakOf(await request.readBody(maxBodyBytes))
        if (leak === undefined || !stage.leak(leak)) {
          throw new BadRequestError('"leak" must be the name of a leak, or null.')
        }
      }
      return jsonResponse(200, stage.describe())
    },
  }
}

function leakOf(body: Uint8Array): string | null | undefined {
  try {
    const { leak } = Object(JSON.parse(new TextDecoder().decode(body)))
    return typeof leak === 'string' || leak === null ? leak : undefined
  } catch {
    return undefined
  }
}
