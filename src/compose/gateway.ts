import type { Config } from '../config/config.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import { createDeadline } from '../lib/deadline.ts'
import { onAbort } from '../lib/on-abort.ts'
import { createLiveCounts } from '../observe/live-counts.ts'
import { createUpstreamFailureLog } from '../observe/upstream-failures.ts'
import type { DemoStage } from '../server/pages/demo-stage.ts'
import type { GraphServer } from '../server/server.ts'
import { createSessionNamer } from '../session/namer.ts'
import { infoOf } from '../strategy/assistants.ts'
import { openAssistants } from './assistants.ts'
import { type Dependencies, withDefaults } from './dependencies.ts'
import { openIsolation } from './isolation.ts'
import { openSharedLane } from './lane.ts'
import { openPersistence } from './persistence.ts'
import { createPerMinute } from './rates.ts'
import { createReplies, createSessionsOver } from './replies.ts'
import { createServer } from './server.ts'
import { createSignIn } from './sign-in.ts'

/** The dependencies of a gateway. All have real defaults. */
export interface GatewayDependencies extends Partial<Dependencies> {
  /** The initial headers of GraphiQL's editor, for demos. */
  readonly graphiqlHeaders?: Readonly<Record<string, string>>
  /** What the chat page of a demo gets beside the gateway. */
  readonly demoStage?: DemoStage
}

export interface Gateway
  extends
    AsyncDisposable,
    Pick<GraphServer, 'fetch' | 'handle' | 'serve' | 'acceptsUpgrade' | 'upgrade'> {
  /** Accepts only these API keys from now on. Streams under a removed key end, and can be resumed. */
  replaceApiKeys(keys: Config['apiKeys']): Promise<void>
  /**
   * Takes no new messages, lets running replies finish (`timeouts.drainMs`), ends all streams resumably, and closes the
   * store.
   */
  close(): Promise<void>
}

/** The time for clients to read the end of their streams before their sockets are closed, in ms. */
const letGoMs = 2_000

/**
 * Builds a gateway and recovers the open replies of an earlier process.
 * @throws {@link StoreOpenError} when the store cannot be opened; `TypeError` when an assistant does not keep sessions apart.
 */
export async function createGateway(
  config: Config,
  { graphiqlHeaders, demoStage, ...given }: GatewayDependencies = {},
): Promise<Gateway> {
  const defaults = withDefaults(given, config)
  const { clock } = defaults
  const { metrics, read: readCounts } = createLiveCounts(defaults.metrics, clock)
  const dependencies = { ...defaults, metrics }
  const [first, ...rest] = config.assistants.map(infoOf)
  if (first === undefined) throw new TypeError('"assistants" must have at least one entry')
  const infos = [first, ...rest] as const
  const draining = new AbortController()

  await using stack = new AsyncDisposableStack() // after a failure, everything that is already open is closed
  const failures = stack.use(createUpstreamFailureLog(dependencies))
  const onFailure = (failure: UpstreamFailure) => failures.failed(failure)
  const namer = createSessionNamer(config.session)
  const signIn = stack.use(createSignIn(config, dependencies, onFailure))
  const lane = config.lane && stack.use(await openSharedLane(config.lane, config, dependencies))
  const persistence = stack.use(await openPersistence(config, namer, dependencies, lane))
  const { verdicts } = persistence
  const { instances } = persistence.store
  const timed = { ...dependencies, clock: persistence.store.clock }
  const assistants = stack.use(
    await openAssistants(config, dependencies, {
      onFailure,
      verdictOf: (target) => verdicts.verdictOf(target),
      lane,
    }),
  )
  const perMinute = createPerMinute({ clock, instances: () => instances.live, lane })
  const below = { persistence, assistants, infos }
  const replies = stack.use(createReplies(config, timed, { ...below, lane }))
  const sessions = stack.use(createSessionsOver(replies, config, timed, { ...below, perMinute }))
  const isolation = stack.use(openIsolation(config, timed, { assistants, verdicts, instances }))
  const parts = {
    namer,
    signIn,
    persistence,
    perMinute,
    assistants,
    replies,
    sessions,
    isolation,
    infos,
  }
  const server = stack.use(
    createServer(config, dependencies, {
      ...parts,
      readCounts,
      draining: draining.signal,
      graphiqlHeaders,
      demoStage,
    }),
  )
  await sessions.recover()
  const owned = stack.move() // success: the gateway owns them now

  async function close(): Promise<void> {
    if (draining.signal.aborted) return await owned.disposeAsync()
    draining.abort()
    const { drainMs } = config.timeouts
    using deadline = createDeadline(clock, drainMs, () => new Error('the drain is over'))
    await replies.drain(deadline.signal)
    using letGo = createDeadline(clock, letGoMs, () => new Error('a stream did not take its end'))
    await Promise.race([server.drain(), aborted(letGo.signal)])
    await owned.disposeAsync()
  }

  return {
    fetch: (request) => server.fetch(request),
    handle: (req, res) => server.handle(req, res),
    serve: (req, res, take) => server.serve(req, res, take),
    acceptsUpgrade: (req) => server.acceptsUpgrade(req),
    upgrade: (req, socket, head) => server.upgrade(req, socket, head),
    async replaceApiKeys(keys) {
      signIn.authenticator.replaceApiKeys(keys)
      await server.checkCredentials()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, () => resolve()))
}
