/** Finds the route of a path. */
export type RouteName =
  | 'graphql'
  | 'root'
  | 'live'
  | 'ready'
  | 'cookie'
  | 'guest'
  | 'operator'
  | 'pageAsset'
  | 'demo'

/** Returns undefined if the path has no route. */
export type FindRoute = (pathname: string) => RouteName | undefined

const besideGraphql: ReadonlyMap<string, RouteName> = new Map([
  ['/health/live', 'live'],
  ['/health/ready', 'ready'],
  ['/auth/cookie', 'cookie'],
  ['/auth/guest', 'guest'],
])

/** The pages of the gateway's own server. A host has its own. */
const pages: ReadonlyMap<string, RouteName> = new Map([
  ['/operator', 'operator'],
  ['/pages/demo', 'demo'],
])

/** The open paths of the gateway's own server, for people who look around. `besides`: the open routes beside GraphQL. */
export function pathsOf(path: string, besides: object): readonly string[] {
  const open = [...besideGraphql].filter(([, route]) => route in besides)
  return [path, ...open.map(([beside]) => beside)]
}

/**
 * The routes of the gateway's own server: GraphQL at `path`, with or without a trailing slash. The others are at the
 * root, and
 * also below `path`, for a proxy that passes nothing else.
 */
export function createRouteFinder(path: string): FindRoute {
  return (pathname) => {
    if (pathname === path || pathname === `${path}/`) return 'graphql'
    if (pathname === '/') return 'root'
    const below = pathname.startsWith(`${path}/`) ? pathname.slice(path.length) : pathname
    const found = besideGraphql.get(below) ?? pages.get(below)
    return found ?? (below.startsWith('/pages/') ? 'pageAsset' : undefined)
  }
}

/**
 * The routes within a host, whose router decides what reaches the gateway, and may or may not remove its prefix. Every path
 * that is none of the other routes is for GraphQL.
 */
export function findHostedRoute(pathname: string): RouteName {
  for (const [path, route] of besideGraphql) if (pathname.endsWith(path)) return route
  return 'graphql'
}
