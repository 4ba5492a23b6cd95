import { jsonAnswer } from './http.ts'
import type { Answer } from './http.ts'

/** `live`: the process answers. `ready`: it takes new work. Undefined: another path. */
export function healthAnswer(pathname: string, isReady: () => boolean): Answer | undefined {
  const headers = { 'cache-control': 'no-store' }
  if (pathname === '/health/live') return jsonAnswer(200, { status: 'live' }, headers)
  if (pathname !== '/health/ready') return undefined
  return isReady()
    ? jsonAnswer(200, { status: 'ready' }, headers)
    : jsonAnswer(503, { status: 'not ready' }, { ...headers, 'retry-after': '1' })
}
