/** The paths that some platform has. Faults are ordered by them. */
export const routePaths = [
  '/api/permission/oauth2/token',
  '/api/permission/oauth2/account/:account_id/token',
  '/api/permission/oauth2/enterprise_id/:enterprise_id/token',
  '/v1/workflows/chat',
  '/v3/chat',
  '/v3/chat/retrieve',
  '/v3/chat/message/list',
  '/v3/chat/cancel',
  '/v3/chat/submit_tool_outputs',
  '/v1/conversation/create',
  '/v1/conversation/retrieve',
  '/v1/conversations',
  '/v1/conversations/:conversation_id',
  '/v1/conversations/:conversation_id/clear',
  '/v1/conversation/message/create',
  '/v1/conversation/message/list',
  '/v1/conversation/message/retrieve',
  '/v1/conversation/message/modify',
  '/v1/conversation/message/delete',
  '/v1/conversations/:conversation_id/messages/:message_id/feedback',
  '/v1/files/upload',
  '/v1/files/retrieve',
  '/v1/variables',
  '/v1/bots/:bot_id',
] as const

export type RoutePath = (typeof routePaths)[number]

export interface RouteMatch {
  readonly path: RoutePath
  readonly params: Readonly<Record<string, string>>
}

const patterns = routePaths.map((path) => ({
  path,
  pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`),
}))

export function findRoute(pathname: string): RouteMatch | undefined {
  for (const { path, pattern } of patterns) {
    const found = pattern.exec(pathname)
    if (found) return { path, params: { ...found.groups } }
  }
  return undefined
}
