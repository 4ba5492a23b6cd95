import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createApi, readCall } from './api.ts'
import { cloud } from './cloud/dialect.ts'
import { controlRoutes, type PlatformActions } from './control.ts'
import type { Context } from './dialect.ts'
import { ApiError, CallError } from './errors.ts'
import { createFaults, type FaultInput } from './faults.ts'
import { createIds, type RandomBytes } from './ids.ts'
import { type EmulatorOptions, parseEmulatorOptions } from './options.ts'
import { sendError, sendJson } from './response.ts'
import type { RoutePath } from './routes.ts'
import { describeState, type EmulatorState } from './state.ts'
import { createAccessTokens } from './storage/access-tokens.ts'
import { createFiles } from './storage/files.ts'
import { createRecords, isRunning } from './storage/records.ts'
import { createVariables } from './storage/variables.ts'
import { studio } from './studio/dialect.ts'
import { createChanges, createHolds } from './synchronization.ts'

const maxProblems = 100

/**
 * A local stand-in for Coze's cloud or for a Coze Studio. It owns its chats and the servers that it was asked to open.
 * Disposing ends them all.
 */
export interface Emulator extends AsyncDisposable, PlatformActions {
  /** Handles one request. Settles when the response is sent and the chat that it streams has ended. */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>
  /** Opens a server. Default: 127.0.0.1, any free port. */
  listen(at?: { readonly host?: string; readonly port?: number }): Promise<{ readonly url: string }>
  readonly faults: {
    /** The next request to `path` meets all these faults. Later requests meet what was ordered later. */
    next(path: RoutePath, ...faults: readonly FaultInput[]): void
    repeat(path: RoutePath, times: number, ...faults: readonly FaultInput[]): void
    clear(): void
  }
  /** Releases what is held now, under one name or altogether. Returns how many. */
  release(name?: string): number
  /** Resolves once the state is as wanted. */
  until(isTrue: (state: EmulatorState) => boolean, signal: AbortSignal): Promise<void>
  /** Ends the life of every OAuth access token. */
  revokeTokens(): void
  /**
   * Changes these options from now on, and forgets what the model was told outside of conversations.
   * @throws {TypeError} naming every bad option.
   */
  reconfigure(changes: Pick<EmulatorOptions, 'leaks' | 'remembers' | 'knowledge'>): void
}

/** The chats of the platform's process have ended with it. Not a bug of the emulator. */
class PlatformEndedError extends Error {
  override readonly name = 'PlatformEndedError'
}

/** @throws {TypeError} naming every bad option. */
export function createEmulator(
  options: EmulatorOptions,
  deps: { readonly clock?: Clock; readonly random?: RandomBytes } = {},
): Emulator {
  const { clock = systemClock, random = randomBytes } = deps
  const settings = parseEmulatorOptions(options)
  const dialect = { cloud, studio }[settings.dialect]
  const ids = createIds(clock, random)
  const changes = createChanges()
  const ending = new AbortController()
  let platformProcess = new AbortController()
  const work = new Set<Promise<void>>()
  const open = new Set<ServerResponse>()
  const servers = new Set<Server>()
  /** The connections of the platform's callers. Control requests come on others. */
  const sockets = new Set<Socket>()
  const problems: string[] = []

  const context: Context = {
    settings,
    dialect,
    clock,
    random,
    ids,
    changes,
    records: createRecords(clock, ids),
    tokens: createAccessTokens(settings, clock, ids),
    files: createFiles(settings, clock, ids),
    variables: createVariables(clock),
    memory: createVariables(clock),
    nodeMemory: createVariables(clock),
    faults: createFaults(),
    holds: createHolds(changes.notify),
    processEnd: () => platformProcess.signal,
    background: (task) => void track(task),
  }
  const api = createApi(context)

  /** Waits for work. An error of it is a bug of the emulator, unless the platform or the emulator has ended. */
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
    await track(respond(req, res))
  }

  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://emulator')
    const logId = dialect.createLogId(ids)
    res.setHeader(dialect.logIdHeader, logId)
    try {
      if (url.pathname.startsWith('/_emulator/')) return await respondToControl(req, res, url)
      if (!sockets.has(req.socket)) {
        sockets.add(req.socket)
        req.socket.once('close', () => sockets.delete(req.socket))
      }
      await api.handle(req, res, url, logId)
    } catch (error) {
      sendError(res, dialect.errorResponse(error, logId, settings))
      if (!(error instanceof CallError) && !(res.closed && isDisconnect(error))) throw error
    }
  }

  async function respondToControl(
    req: IncomingMessage,
    res: ServerResponse,
    url: URL,
  ): Promise<void> {
    const gone = new AbortController()
    res.once('close', () => gone.abort(new CallError('the client has gone')))
    const signal = AbortSignal.any([gone.signal, ending.signal])
    const handler = controlRoutes[`${req.method} ${url.pathname}`]
    if (handler === undefined) return sendJson(res, 404, {})
    try {
      const call = await readCall(req, res, url, {}, [])
      sendJson(res, 200, await handler(call, context, actions, signal))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      sendJson(res, 400, { error: error.message })
    }
  }

  const actions: PlatformActions = {
    state: () => describeState(context, api.requests, problems),
    restart() {
      platformProcess.abort(new PlatformEndedError('the platform has ended'))
      platformProcess = new AbortController()
      const { statusAfterRestart } = dialect
      for (const chat of context.records.chats.values()) {
        if (statusAfterRestart !== undefined && isRunning(chat)) chat.status = statusAfterRestart
      }
      for (const socket of sockets) socket.destroy()
      changes.notify()
    },
    vanish(conversationId) {
      for (const conversation of context.records.conversations.values()) {
        if (conversationId === undefined || conversation.id === conversationId) {
          context.records.removeConversation(conversation)
        }
      }
      changes.notify()
    },
  }

  return {
    ...actions,
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
    release: (name) => context.holds.release(name),
    until: (isTrue, signal) => changes.until(() => isTrue(actions.state()), signal),
    revokeTokens: () => context.tokens.revoke(),
    reconfigure(changes) {
      const { leaks, remembers, knowledge } = parseEmulatorOptions({ ...options, ...changes })
      Object.assign(settings, { leaks, remembers, knowledge })
      for (const kept of [context.variables, context.memory, context.nodeMemory]) kept.clear()
      context.records.sharedQuestions.clear()
    },
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the emulator has ended'))
      platformProcess.abort(new PlatformEndedError('the platform has ended'))
      for (const res of open) res.destroy()
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
      context.holds.release()
      await Promise.all(work)
    },
  }
}

function isDisconnect(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
}
