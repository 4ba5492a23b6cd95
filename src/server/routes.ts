/** What stands at a path. */
export type RouteName = 'graphql' | 'root' | 'live' | 'ready' | 'cookie' | 'guest'

/** Undefined: nothing is there. */
export type FindRoute = (pathname: string) => RouteName | undefined

const besideGraphql: ReadonlyMap<string, RouteName> = new Map([
  ['/health/live', 'live'],
  ['/health/ready', 'ready'],
  ['/auth/cookie', 'cookie'],
  ['/auth/guest', 'guest'],
])

/** The paths of a server of our own, for people who look around. */
export function pathsOf(path: string): readonly string[] {
  return [path, ...besideGraphql.keys()]
}

/**
 * The routes of a server of our own: GraphQL at `path`, with or without a slash behind it; the others at the root, and
 * below `path` for a proxy that passes nothing else.
 */
export function createRouteFinder(path: string): FindRoute {
  return (pathname) => {
    if (pathname === path || pathname === `${path}/`) return 'graphql'
    if (pathname === '/') return 'root'
    const below = pathname.startsWith(`${path}/`) ? pathname.slice(path.length) : pathname
    return besideGraphql.get(below)
  }
}

/**
 * The routes where the host's router decides what reaches us. It may have taken its prefix away, or not: whatever is none
 * of the other routes is for GraphQL.
 */
export function findHostedRoute(pathname: string): RouteName {
  for (const [path, route] of besideGraphql) if (pathname.endsWith(path)) return route
  return 'graphql'
}
