/** The purpose of a request, by its path. */
export type Route = 'graphql' | 'cookie' | 'guest' | 'live' | 'ready'

/** Undefined: nothing is there. */
export type FindRoute = (pathname: string) => Route | undefined

const besideGraphql: ReadonlyMap<string, Route> = new Map([
  ['/health/live', 'live'],
  ['/health/ready', 'ready'],
  ['/auth/cookie', 'cookie'],
  ['/auth/guest', 'guest'],
])

/**
 * The routes of a server of our own: GraphQL at `path`, with or without a slash behind it; the others at the root, and
 * below `path` for a proxy that passes nothing else.
 */
export function createRoutes(path: string): FindRoute {
  return (pathname) => {
    if (pathname === path || pathname === `${path}/`) return 'graphql'
    const below = pathname.startsWith(`${path}/`) ? pathname.slice(path.length) : pathname
    return besideGraphql.get(below)
  }
}

/**
 * The routes where the host's router decides what reaches us. It may have taken its prefix away, or not: whatever is none
 * of the other routes is for GraphQL.
 */
export function findRouted(pathname: string): Route {
  for (const [path, route] of besideGraphql) if (pathname.endsWith(path)) return route
  return 'graphql'
}

/** The methods that a route takes, as `Allow` lists them. */
export function methodsOf(route: Route | undefined): string {
  switch (route) {
    case 'cookie':
      return 'POST, DELETE, OPTIONS'
    case 'guest':
      return 'POST, OPTIONS'
    case 'graphql':
    case 'live':
    case 'ready':
    case undefined:
      return 'GET, POST, OPTIONS'
  }
}
