import { type Call, parseFields } from './call.ts'
import { createCloud } from './cloud.ts'
import { meetRefusal } from './refusals.ts'
import type { UpstreamServer } from './server.ts'
import { createStudio } from './studio/studio.ts'
import { findToken } from './tokens.ts'
import type { UpstreamWorld } from './world.ts'

/** A small model of the platform that the world has. */
export function createUpstream(world: UpstreamWorld): UpstreamServer {
  const platform = world.platform === 'cloud' ? createCloud(world) : createStudio(world)
  return {
    get isUp() {
      return world.clock.monotonic() >= world.downUntil
    },
    handle(request, answer) {
      const { pathname, searchParams } = new URL(request.path, 'https://upstream.test')
      const call: Call = {
        method: request.method,
        path: pathname,
        query: searchParams,
        body: parseFields(request.body),
        bearer: (request.headers.get('authorization') ?? '').replace(/^Bearer /, ''),
        answer,
      }
      if (platform.unauthenticated(call)) return
      const token = findToken(world, call.bearer)
      if (token === undefined) return platform.refuseToken(call)
      const begin = (given: Call) => platform.begin(given, token.principal)
      if (!meetRefusal(world, call, token, begin)) begin(call)
    },
  }
}
