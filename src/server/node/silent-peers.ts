import { readFile } from 'node:fs/promises'
import { SocketAddress } from 'node:net'
import type { Clock } from '../../lib/clock.ts'

/** The shortest silence after which a peer is given up, in ms: a phone in a lift is silent for seconds. */
const minSilenceMs = 2_000
/** Linux repeats what is not acknowledged after 200 ms at the earliest, then after twice as long each time. */
const firstRepeatMs = 200
/** Connections of this process's network, as Linux lists them. */
const tables = ['/proc/self/net/tcp', '/proc/self/net/tcp6']

/**
 * Closes the connections of streams whose peer has vanished: its network is down, so that neither FIN nor RST comes. TCP
 * keep-alive does not notice it, since a comment of the stream is always unacknowledged, and the kernel gives up only after
 * a quarter of an hour. Only Linux says how long nothing was acknowledged. On other systems nothing is closed.
 *
 * A comment is sent at least every `keepAliveMs`. A silence of half of that time after it ends the connection. It is looked
 * for twice in that time, so that a silent peer is noticed within twice `keepAliveMs`.
 */
export interface SilentPeers extends Disposable {
  /** From now on the connection is watched until it is closed. */
  watch(connection: WatchedConnection): void
}

/** A `net.Socket`, or an `Http2Session`, which has its addresses on its `socket` until it is destroyed. */
export type WatchedConnection = Closable & (Addresses | { readonly socket: Addresses })

interface Closable {
  readonly destroyed: boolean
  destroy(): unknown
}

interface Addresses {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localPort?: number | undefined
}

/** The listed state of a connection whose bytes were sent again. */
interface Unacknowledged {
  readonly address: string
  readonly port: number
  readonly localPort: number
  /** How often the oldest bytes were sent again. */
  readonly repeats: number
}

export function createSilentPeers({
  keepAliveMs,
  clock,
  readTable = (path) => readFile(path, 'latin1'),
}: {
  readonly keepAliveMs: number
  readonly clock: Clock
  readonly readTable?: (path: string) => Promise<string>
}): SilentPeers {
  const silenceMs = Math.max(keepAliveMs / 2, minSilenceMs)
  const connections = new Set<WatchedConnection>()
  let silent = new Map<WatchedConnection, { readonly since: number; readonly repeats: number }>()
  /** The next check. Undefined while there is nothing to check. */
  let timer: Disposable | undefined
  let isOver = false

  function arm(): void {
    timer = clock.timer(silenceMs / 2, () => void look())
  }

  /** Never rejects. */
  async function look(): Promise<void> {
    for (const connection of connections) {
      if (connection.destroyed) connections.delete(connection)
    }
    if (connections.size === 0) {
      timer = undefined
      return
    }
    let listed: readonly string[]
    try {
      listed = await Promise.all(tables.map(readTable))
    } catch {
      // The system does not list connections, or no descriptor is free to read the list: the kernel's own timeout applies.
      listed = []
    }
    if (isOver) return
    closeSilent(listed.flatMap(unacknowledgedOf))
    arm()
  }

  function closeSilent(listed: readonly Unacknowledged[]): void {
    const now = clock.monotonic()
    const byPort = Map.groupBy(listed, ({ port }) => port)
    const still: typeof silent = new Map()
    for (const connection of listed.length === 0 ? [] : connections) {
      if (connection.destroyed) continue
      const own = 'socket' in connection ? connection.socket : connection
      const found = byPort
        .get(own.remotePort ?? 0)
        ?.find((one) => one.localPort === own.localPort && one.address === own.remoteAddress)
      if (!found) continue
      const { repeats } = found
      const known = silent.get(connection)
      // There are fewer than before, so something was acknowledged in between.
      const isSame = known !== undefined && known.repeats <= repeats
      const since = isSame ? known.since : now - firstRepeatMs * (2 ** Math.min(repeats, 20) - 1)
      if (now - since >= silenceMs) connection.destroy()
      else still.set(connection, { since, repeats })
    }
    silent = still
  }

  return {
    watch(connection) {
      connections.add(connection)
      if (!timer && !isOver) arm()
    },
    [Symbol.dispose]() {
      isOver = true
      timer?.[Symbol.dispose]()
      connections.clear()
    },
  }
}

/** Only lines whose timer (`tr`) is 01 wait for an acknowledgement. They are few among thousands. */
function unacknowledgedOf(table: string): readonly Unacknowledged[] {
  const found: Unacknowledged[] = []
  for (let at = table.indexOf(' 01:'); at >= 0; at = table.indexOf(' 01:', at + 1)) {
    const start = table.lastIndexOf('\n', at) + 1
    const end = table.indexOf('\n', at)
    const line = table.slice(start, end < 0 ? undefined : end)
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt …
    const [, local = '', remote = '', , , , repeats = '0'] = line.trim().split(/\s+/)
    if (Number.parseInt(repeats, 16) === 0) continue
    const [address = '', port = ''] = remote.split(':')
    found.push({
      address: addressOf(address),
      port: Number.parseInt(port, 16),
      localPort: Number.parseInt(local.slice(local.indexOf(':') + 1), 16),
      repeats: Number.parseInt(repeats, 16),
    })
  }
  return found
}

/** The kernel writes each four bytes as one number in the byte order of the machine, which is little-endian. */
function addressOf(hex: string): string {
  const bytes = hex.match(/.{8}/g)?.flatMap((word) => word.match(/../g)?.toReversed() ?? []) ?? []
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  const address = bytes.join('').match(/.{4}/g)?.join(':') ?? '::'
  return new SocketAddress({ address, family: 'ipv6' }).address
}
