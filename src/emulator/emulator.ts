import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createChanges } from './changes.ts'
import { createTokenEndpoint } from './cloud/oauth.ts'
import type { Call, Context } from './context.ts'
import { control, describeState, type EmulatorState } from './control.ts'
import { dialects } from './dialects.ts'
import { CallError, DeadTokenError, NoSuchCallError } from './call-errors.ts'
import { createFaults, type Fault, type FaultInput, findFault } from './faults.ts'
import { createFiles } from './files.ts'
import { createGates } from './gates.ts'
import { readJson, sendFaultyJson, sendJson, sendRefusal } from './http.ts'
import { createIds, type RandomBytes } from './ids.ts'
import { type EmulatorOptions, parseEmulatorOptions } from './options.ts'
import { createPlatformProcess, PlatformEndedError } from './process.ts'
import { createQuota } from './quota.ts'
import { findRoute, type Match, type RoutePath } from './route-paths.ts'
import { createTokens } from './tokens.ts'
import { createVariables } from './variables.ts'
import { createWorld, isRunning, type Principal } from './world.ts'

const maxProblems = 100

/** A local Coze: the cloud, or a Studio of one's own. Owns its runs and the servers it was asked to open; disposing ends them all. */
export interface Emulator extends AsyncDisposable {
  /** Answers one request; settles when the answer is out and the chat that it began has ended. */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>
  /** Opens a server. Default: 127.0.0.1, any free port. */
  listen(at?: { readonly host?: string; readonly port?: number }): Promise<{ readonly url: string }>
  readonly faults: {
    /** The next request to `path` meets all these faults; those after it, what was ordered after. */
    next(path: RoutePath, ...faults: readonly FaultInput[]): void
    repeat(path: RoutePath, times: number, ...faults: readonly FaultInput[]): void
    clear(): void
  }
  /** Releases what is held now, at one gate or at all. Answers how many. */
  release(gate?: string): number
  /** Resolves once the state is so. */
  until(isTrue: (state: EmulatorState) => boolean, signal: AbortSignal): Promise<void>
  /** Ends the life of every OAuth access token. */
  revokeTokens(): void
  /** Restarts the platform: connections break, running chats are lost; what is stored stays. */
  restart(): void
  /** Makes a conversation, or all, as if it had never been. */
  vanish(conversationId?: string): void
  state(): EmulatorState
}

/** @throws {TypeError} naming every bad option. */
export function createEmulator(
  options: EmulatorOptions,
  deps: { readonly clock?: Clock; readonly random?: RandomBytes } = {},
): Emulator {
  const { clock = systemClock, random = randomBytes } = deps
  const settings = parseEmulatorOptions(options)
  const dialect = dialects[settings.dialect]
  const ids = createIds(clock, random)
  const changes = createChanges()
  const ending = new AbortController()
  const work = new Set<Promise<void>>()
  const open = new Set<ServerResponse>()
  const servers = new Set<Server>()
  /** Connections of the platform's callers; whoever pulls the levers has others. */
  const sockets = new Set<Socket>()
  const requests = new Map<string, number>()
  const problems: string[] = []

  const context: Context = {
    settings,
    dialect,
    process: createPlatformProcess(),
    clock,
    random,
    ids,
    changes,
    world: createWorld(clock, ids),
    tokens: createTokens(settings, clock, ids),
    files: createFiles(settings, clock, ids),
    variables: createVariables(clock),
    memory: createVariables(clock),
    nodes: createVariables(clock),
    faults: createFaults(),
    gates: createGates(changes.notify),
    lifetime: ending.signal,
    background: (task) => void track(task),
  }
  const quota = createQuota(settings, clock)
  const endpoint = createTokenEndpoint(context)
  const state = () => describeState(context, endpoint, requests, problems)

  /** Remembers work until it ends; what goes wrong in it is our bug, or the emulator's end. */
  async function track(task: Promise<void>): Promise<void> {
    const guarded = task.catch((error: unknown) => {
      if (ending.signal.aborted || error instanceof PlatformEndedError) return
      problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
      if (problems.length > maxProblems) problems.shift()
    })
    work.add(guarded)
    await guarded
    work.delete(guarded)
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    open.add(res)
    res.once('close', () => open.delete(res))
    res.on('error', () => res.destroy())
    await track(answer(req, res))
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://emulator')
    const logId = dialect.logId(ids)
    res.setHeader(dialect.logField, logId)
    try {
      if (url.pathname.startsWith('/_emulator/')) {
        const gone = new AbortController()
        res.once('close', () => gone.abort(new CallError('the client has gone')))
        const call = await createCall(req, res, url, {}, [])
        const route = `${req.method} ${url.pathname}`
        const levers = { state, vanish, restart }
        const said = await control(route, call, context, levers, gone.signal)
        return sendJson(res, said ? 200 : 404, said ?? {})
      }
      await answerApi(req, res, url, logId)
    } catch (error) {
      const refusal = dialect.refuse(error, logId, settings)
      sendRefusal(res, refusal)
      if (!(error instanceof CallError) && !(res.closed && isDisconnect(error))) throw error
    }
  }

  async function answerApi(
    req: IncomingMessage,
    res: ServerResponse,
    url: URL,
    logId: string,
  ): Promise<void> {
    if (!sockets.has(req.socket)) {
      sockets.add(req.socket)
      req.socket.once('close', () => sockets.delete(req.socket))
    }
    const match = findRoute(url.pathname)
    const { signal: life } = context.process
    if (match === undefined) throw new NoSuchCallError('path', `no ${url.pathname}`)
    const route = `${req.method} ${match.path}`
    requests.set(route, (requests.get(route) ?? 0) + 1)
    changes.notify()

    const faults = context.faults.take(match.path)
    if (await strikeFirst(faults, res, logId, life)) return
    if (!hasPath(match.path)) throw new NoSuchCallError('path', `no ${match.path}`)
    const call = await createCall(req, res, url, match.params, faults)
    if (isTokenPath(match.path)) {
      return sendFaultyJson(res, await endpoint.exchange(call), faults, context)
    }
    const handler = dialect.handlers[route]
    const principal = authorize(req, faults)
    if (!quota.take(match.path)) return refuse(res, logId)
    if (handler === undefined) throw new NoSuchCallError('method', `no ${route}`)
    const said = await handler({ ...call, principal }, context)
    if (said === undefined) return
    await sendFaultyJson(res, dialect.envelope(said, logId), faults, context)
  }

  function hasPath(path: RoutePath): boolean {
    return isTokenPath(path)
      ? dialect.exchangesTokens
      : Object.keys(dialect.handlers).some((route) => route.endsWith(` ${path}`))
  }

  function refuse(res: ServerResponse, logId: string): void {
    const { code, status, retryAfter } = settings.quota
    if (retryAfter !== undefined) res.setHeader('retry-after', retryAfter)
    sendJson(res, status, dialect.errorBody(code, 'The plan allows no more calls.', logId))
  }

  /** The faults that leave the request unread. True: it is answered. */
  async function strikeFirst(
    faults: readonly Fault[],
    res: ServerResponse,
    logId: string,
    life: AbortSignal,
  ): Promise<boolean> {
    if (findFault(faults, 'refuse')) {
      res.destroy()
      return true
    }
    const delay = findFault(faults, 'delay')
    if (delay) await clock.sleep(delay.ms, life)
    const hold = findFault(faults, 'hold')
    if (hold) await context.gates.enter(hold.gate).wait(life)
    life.throwIfAborted()

    const status = findFault(faults, 'status')
    if (status) {
      const { retryAfter, body } = status
      res.writeHead(status.status, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
      res.end(body)
    }
    const error = findFault(faults, 'jsonError')
    if (error && !status) {
      const text = JSON.stringify(dialect.errorBody(error.code, error.msg, logId))
      res.writeHead(error.status, { 'content-type': 'application/json; charset=utf-8' })
      res.end(error.finalNewline ? `${text}\n` : text)
    }
    return status !== undefined || error !== undefined
  }

  function authorize(req: IncomingMessage, faults: readonly Fault[]): Principal {
    const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1] ?? ''
    const revoke = findFault(faults, 'revokeTokens')
    const kill = () => {
      const owner = context.tokens.find(token)
      if (revoke?.all) context.tokens.revoke()
      else if (owner) context.tokens.revoke(owner)
    }
    if (revoke?.when === 'before') kill()
    // A personal token stays alive, but is refused this once.
    const principal = revoke?.when === 'before' ? undefined : context.tokens.find(token)
    if (principal === undefined) throw new DeadTokenError('the access token is not alive')
    if (revoke?.when === 'after') kill()
    return principal
  }

  function restart(): void {
    context.process.restart()
    const { lostStatus } = dialect
    for (const chat of context.world.chats.values()) {
      if (lostStatus !== undefined && isRunning(chat)) chat.status = lostStatus
    }
    for (const socket of sockets) socket.destroy()
    changes.notify()
  }

  function vanish(conversationId?: string): void {
    const { world } = context
    const isMeant = (id: string) => conversationId === undefined || id === conversationId
    for (const conversation of world.conversations.values()) {
      if (isMeant(conversation.id)) world.removeConversation(conversation)
    }
    changes.notify()
  }

  return {
    handle,
    async listen({ host = '127.0.0.1', port = 0 } = {}) {
      const server = createServer((req, res) => void handle(req, res))
      server.keepAliveTimeout = 60_000
      servers.add(server)
      server.listen(port, host)
      await once(server, 'listening')
      const address = server.address()
      if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
      return { url: `http://${host}:${address.port}` }
    },
    faults: context.faults,
    release: (gate) => context.gates.release(gate),
    until: (isTrue, signal) => changes.until(() => isTrue(state()), signal),
    revokeTokens: () => context.tokens.revoke(),
    restart,
    vanish,
    state,
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the emulator has ended'))
      context.process.end()
      for (const res of open) res.destroy()
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
      context.gates.release()
      await Promise.all(work)
    },
  }
}

async function createCall(
  req: IncomingMessage,
  res: ServerResponse,
  url: URL,
  params: Match['params'],
  faults: readonly Fault[],
): Promise<Call> {
  const isForm = req.headers['content-type']?.startsWith('multipart/') ?? false
  const body = isForm ? undefined : await readJson(req)
  return { req, res, query: url.searchParams, params, body, faults }
}

function isTokenPath(path: RoutePath): boolean {
  return path.startsWith('/api/permission/')
}

function isDisconnect(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
}
