import { ClientOfflineError, createClient, createCluster, createSentinel } from 'redis'
import type { LaneSettings, RedisSettings } from '../config/sections/lane.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'

export interface RedisOptions {
  readonly lane: LaneSettings
  readonly redis: Pick<
    RedisSettings,
    'password' | 'sentinelPassword' | 'ca' | 'certificate' | 'privateKey' | 'protocol'
  >
  readonly clock: Clock
  readonly random: () => number
}

/** A server, or several that act as one. It connects by itself, as often as it has to, until it is disposed. */
export interface Redis extends AsyncDisposable {
  /** Sends a command now, or rejects: nothing waits for a connection. */
  send(key: string, command: readonly string[]): Promise<unknown>
  /** Listens on a channel while there is a connection, and again on each new one, until disposed. */
  subscribe(channel: string, take: (message: string) => void): Disposable
}

/** A connection on which nothing arrives for so long is given up, in ms; pings go before. */
const silenceMs = 6_000
const pingMs = 2_000
const connectMs = 3_000
/** Commands that may be on their way at once. */
const maxCommands = 10_000
const sentinelScanMs = 5_000
const reconnect = { baseMs: 100, maxMs: 1_000 }

export function openRedis(options: RedisOptions): Redis {
  const { clock, random } = options
  const { clients, send, subscriber } = clientsOf(options)
  const lifetime = new AbortController()
  /** Why there is no connection, as it was told at last. */
  let failure: unknown
  const connected = Promise.all(clients.map(connect))

  /** The library connects again what was connected, and gives up where no sentinel or node could be reached at first. */
  async function connect(client: (typeof clients)[number]): Promise<void> {
    client.on('error', (error: unknown) => void (failure = error))
    for (let attempt = 0; !lifetime.signal.aborted; attempt += 1) {
      try {
        await client.connect()
        return
      } catch (error) {
        failure = error
        const waitMs = backoffMs(attempt, { ...reconnect, random })
        await clock.sleep(waitMs, lifetime.signal).catch(() => {})
      }
    }
  }

  /** The library refuses it before a first connection, and forgets it where a server is lost meanwhile. */
  async function subscribe(
    channel: string,
    listener: (message: string | Buffer) => void,
    wanted: AbortSignal,
  ): Promise<void> {
    const signal = AbortSignal.any([wanted, lifetime.signal])
    await connected
    for (let isDone = false; !isDone && !signal.aborted;) {
      const subscribing = subscriber.subscribe(channel, listener).then(
        () => true,
        () => false,
      )
      const waiting = clock.sleep(connectMs, signal).then(
        () => false,
        () => false,
      )
      isDone = await Promise.race([subscribing, waiting])
      if (!isDone) await clock.sleep(reconnect.maxMs, signal).catch(() => {})
    }
  }

  return {
    async send(key, command) {
      try {
        return await send(key, command)
      } catch (error) {
        throw error instanceof ClientOfflineError ? (failure ?? error) : error
      }
    },
    subscribe(channel, take) {
      const wanted = new AbortController()
      const listener = (message: string | Buffer) => take(message.toString())
      void subscribe(channel, listener, wanted.signal)
      return {
        [Symbol.dispose]() {
          wanted.abort()
          subscriber.unsubscribe(channel, listener).catch(() => {})
        },
      }
    },
    async [Symbol.asyncDispose]() {
      lifetime.abort()
      await Promise.all(clients.map(async (client) => await client.destroy()))
    },
  }
}

/** Channels have a connection of their own: the second version of the protocol allows no commands beside them. */
function clientsOf({ lane, redis, random }: RedisOptions) {
  const RESP = redis.protocol === 2 ? 2 : 3
  const timeouts = {
    connectTimeout: connectMs,
    socketTimeout: silenceMs,
    reconnectStrategy: (attempt: number) => backoffMs(attempt, { ...reconnect, random }),
  }
  const { ca, certificate, privateKey } = redis
  const socket = lane.isTls
    ? {
        ...timeouts,
        tls: true as const,
        ...(ca && { ca: ca.reveal() }),
        ...(certificate && { cert: certificate.reveal() }),
        ...(privateKey && { key: privateKey.reveal() }),
      }
    : timeouts
  const connection = {
    pingInterval: pingMs,
    disableOfflineQueue: true,
    commandsQueueMaxLength: maxCommands,
    // Each would be a command that a user of few rights may not run.
    disableClientInfo: true,
    maintNotifications: 'disabled' as const,
    socket,
  }
  const login = {
    ...(lane.user !== undefined && { username: lane.user }),
    ...(redis.password && { password: redis.password.reveal() }),
  }
  switch (lane.kind) {
    case 'server': {
      const [address] = lane.hosts
      const { database } = lane
      const client = createClient({
        ...connection,
        ...login,
        RESP,
        database,
        socket: { ...socket, ...address },
      })
      const subscriber = client.duplicate()
      return {
        clients: [client, subscriber],
        subscriber,
        send: (_key: string, command: readonly string[]) => client.sendCommand(command),
      }
    }
    case 'sentinel': {
      const password = redis.sentinelPassword?.reveal()
      const client = createSentinel({
        name: lane.master,
        sentinelRootNodes: [...lane.hosts],
        RESP,
        scanInterval: sentinelScanMs,
        nodeClientOptions: { ...connection, ...login },
        sentinelClientOptions: { ...connection, ...(password !== undefined && { password }) },
      })
      return {
        clients: [client],
        subscriber: client,
        send: (_key: string, command: readonly string[]) => client.sendCommand(false, [...command]),
      }
    }
    case 'cluster': {
      const client = createCluster({
        RESP,
        rootNodes: lane.hosts.map((address) => ({ socket: address })),
        defaults: { ...connection, ...login },
      })
      return {
        clients: [client],
        subscriber: client,
        send: (key: string, command: readonly string[]) =>
          client.sendCommand(key, false, [...command]),
      }
    }
  }
}
