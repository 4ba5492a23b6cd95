import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { Call, Context } from './dialect.ts'
import { ApiError, DeadTokenError, NoSuchCallError } from './errors.ts'
import { type Fault, findFault } from './faults.ts'
import type { Settings } from './options.ts'
import { readJson } from './request.ts'
import { sendJson, sendResult } from './response.ts'
import { findRoute, type RouteMatch, type RoutePath } from './routes.ts'
import type { AccessGrant } from './storage/access-tokens.ts'

/** The platform's API. */
export interface Api {
  /** Handles one request up to the end of its response. @throws {CallError} for a refusal. */
  handle(req: IncomingMessage, res: ServerResponse, url: URL, logId: string): Promise<void>
  /** The number of requests by `METHOD /path`. */
  readonly requests: ReadonlyMap<string, number>
}

export function createApi(context: Context): Api {
  const { dialect, settings, clock, changes, holds, tokens } = context
  const requests = new Map<string, number>()
  const quota = createQuota(settings, clock)

  async function handle(req: IncomingMessage, res: ServerResponse, url: URL, logId: string) {
    const match = findRoute(url.pathname)
    const processEnd = context.processEnd()
    if (match === undefined) throw new NoSuchCallError('path', `no ${url.pathname}`)
    const route = `${req.method} ${match.path}`
    requests.set(route, (requests.get(route) ?? 0) + 1)
    changes.notify()

    const faults = context.faults.take(match.path)
    if (await applyEarlyFaults(faults, res, logId, processEnd)) return
    const exchangeToken = isTokenPath(match.path) ? dialect.exchangeToken : undefined
    if (exchangeToken === undefined && !hasRoute(match)) {
      throw new NoSuchCallError('path', `no ${match.path}`)
    }
    const call = await readCall(req, res, url, match.params, faults)
    if (exchangeToken !== undefined) {
      return sendResult(res, await exchangeToken(call, context), faults, context)
    }
    const { principal, scopes } = authorize(req, faults)
    if (!quota.take(match.path)) return refuseOverQuota(res, logId)
    const handler = dialect.routes[route]
    if (handler === undefined) throw new NoSuchCallError('method', `no ${route}`)
    const scope = dialect.scopes[route]
    if (scope !== undefined && scopes?.includes(scope) === false) {
      throw new ApiError(4101, `The token has no permission: ${scope}`)
    }
    const result = await handler({ ...call, principal }, context)
    if (result === undefined) return
    await sendResult(res, dialect.successBody(result, logId), faults, context)
  }

  function hasRoute({ path, params }: RouteMatch): boolean {
    if (!Object.values(params).every((id) => dialect.pathId.test(id))) return false
    return Object.keys(dialect.routes).some((route) => route.endsWith(` ${path}`))
  }

  /** Applies the faults that leave the request unread. Returns true if they ended it. */
  async function applyEarlyFaults(
    faults: readonly Fault[],
    res: ServerResponse,
    logId: string,
    processEnd: AbortSignal,
  ): Promise<boolean> {
    if (findFault(faults, 'refuse')) {
      res.destroy()
      return true
    }
    const delay = findFault(faults, 'delay')
    if (delay) await clock.sleep(delay.ms, processEnd)
    const hold = findFault(faults, 'hold')
    if (hold) await holds.add(hold.name).wait(processEnd)
    processEnd.throwIfAborted()

    const status = findFault(faults, 'status')
    if (status) {
      const { retryAfter, body } = status
      res.writeHead(status.status, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
      res.end(body)
      return true
    }
    const error = findFault(faults, 'jsonError')
    if (error === undefined) return false
    const text = JSON.stringify(dialect.errorBody(error.code, error.msg, logId))
    res.writeHead(error.status, { 'content-type': 'application/json; charset=utf-8' })
    res.end(error.finalNewline ? `${text}\n` : text)
    return true
  }

  function authorize(req: IncomingMessage, faults: readonly Fault[]): AccessGrant {
    const { authorization = '' } = req.headers
    if (authorization === '') throw new DeadTokenError('missing authorization in header')
    const token = /^Bearer (.+)$/.exec(authorization)?.[1] ?? ''
    if (token === '') throw new DeadTokenError('missing api_key in request')
    const fault = findFault(faults, 'revokeTokens')
    const revoke = () => {
      const owner = tokens.find(token)?.principal
      if (fault?.all) tokens.revoke()
      else if (owner) tokens.revoke(owner)
    }
    if (fault?.when === 'before') revoke()
    // A personal token stays alive, but is refused this once.
    const grant = fault?.when === 'before' ? undefined : tokens.find(token)
    if (grant === undefined) throw new DeadTokenError('CheckPermission failed')
    if (fault?.when === 'after') revoke()
    return grant
  }

  function refuseOverQuota(res: ServerResponse, logId: string): void {
    const { code, status, retryAfter } = settings.quota
    if (retryAfter !== undefined) res.setHeader('retry-after', retryAfter)
    sendJson(res, status, dialect.errorBody(code, 'The plan allows no more calls.', logId))
  }

  return { handle, requests }
}

/** The largest bodies (docs/coze-platform.md). */
const maxWorkflowBytes = 20 * 1024 * 1024
const maxOtherBytes = 15 * 1024 * 1024

/** Reads a request. The body of a form stays unread. */
export async function readCall(
  req: IncomingMessage,
  res: ServerResponse,
  url: URL,
  params: RouteMatch['params'],
  faults: readonly Fault[],
): Promise<Call> {
  const isForm = req.headers['content-type']?.startsWith('multipart/') ?? false
  const maxBytes = url.pathname.startsWith('/v1/workflow') ? maxWorkflowBytes : maxOtherBytes
  const body = isForm ? undefined : await readJson(req, maxBytes)
  return { req, res, query: url.searchParams, params, body, faults }
}

function isTokenPath(path: RoutePath): boolean {
  return path.startsWith('/api/permission/')
}

/** The limits of the account's plan (docs/coze-platform.md#limits). */
function createQuota({ quota }: Settings, clock: Clock) {
  const seconds = new Map<RoutePath, { second: number; calls: number }>()
  let total = 0
  return {
    /** Counts a call. Returns false if it is one too many. */
    take(path: RoutePath): boolean {
      const { callsInTotal = Infinity, callsPerSecond = Infinity } = quota
      const second = Math.floor(clock.monotonic() / 1000)
      const last = seconds.get(path)
      const calls = last?.second === second ? last.calls + 1 : 1
      if (total >= callsInTotal || calls > callsPerSecond) return false
      total += 1
      seconds.set(path, { second, calls })
      return true
    },
  }
}
