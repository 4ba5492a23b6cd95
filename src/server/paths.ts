export const graphqlPath = '/graphql'
export const cookiePath = '/auth/cookie'
export const guestPath = '/auth/guest'

/** What a path takes, as `Allow` tells it. */
export function methodsOf(pathname: string): string {
  switch (pathname) {
    case cookiePath:
      return 'POST, DELETE, OPTIONS'
    case guestPath:
      return 'POST, OPTIONS'
    default:
      return 'GET, POST, OPTIONS'
  }
}
