import { once } from 'node:events'
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Session,
} from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createSilentPeers } from '../../../src/server/node/silent-peers.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const hex = (value: number, length: number) =>
  value.toString(16).toUpperCase().padStart(length, '0')

interface Row {
  readonly timer?: string
  readonly repeats: number
}

/** Connections over loopback, and what the kernel would list of them. */
async function open(host: '127.0.0.1' | '::1' | '::', count = 2) {
  await using stack = new AsyncDisposableStack()
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const peers: Socket[] = []
  const sockets: Socket[] = []
  for (let index = 0; index < count; index += 1) {
    const accepted = once(server, 'connection')
    peers.push(connect(port, host === '::' ? '127.0.0.1' : host))
    sockets.push(((await accepted) as [Socket])[0])
  }
  const clock = createFakeClock()
  const rows = new Map<Pick<Socket, 'localPort' | 'remotePort'>, Row>()
  const address = {
    '127.0.0.1': '0100007F',
    '::1': `${'0'.repeat(24)}01000000`,
    '::': '0000000000000000FFFF00000100007F',
  }[host]
  const silentPeers = stack.use(
    createSilentPeers({
      keepAliveMs: 12_000,
      clock,
      async readTable(path) {
        if (path.endsWith('6') !== (host !== '127.0.0.1')) return head
        const lines = [...rows].map(([socket, { timer = '01', repeats }], index) => {
          const local = `${address}:${hex(socket.localPort ?? 0, 4)}`
          const remote = `${address}:${hex(socket.remotePort ?? 0, 4)}`
          const queues = `${hex(3, 8)}:${hex(0, 8)}`
          return `${index}: ${local} ${remote} 01 ${queues} ${timer}:00000010 ${hex(repeats, 8)} 0 0 1`
        })
        return `${head}${lines.map((line) => `   ${line}\n`).join('')}`
      },
    }),
  )
  stack.defer(() => {
    for (const socket of [...peers, ...sockets]) socket.destroy()
    server.close()
  })
  for (const socket of sockets) silentPeers.watch(socket)
  const owned = stack.move()
  return { clock, rows, sockets, silentPeers, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Lets time pass look by look. */
async function pass(clock: ReturnType<typeof createFakeClock>, looks: number): Promise<void> {
  for (let look = 0; look < looks; look += 1) await clock.pass(3_000)
}

describe('a peer that acknowledges nothing (F35 F42)', () => {
  it.each(['127.0.0.1', '::1', '::'] as const)(
    'is closed after half the interval of comments, and nobody else is, on %s',
    async (host) => {
      await using net = await open(host)
      const [silent, other] = net.sockets
      if (!silent || !other) throw new Error('two connections are needed')
      net.rows.set(silent, { repeats: 2 })
      await pass(net.clock, 2)
      expect(silent.destroyed).toBe(false)
      net.rows.set(silent, { repeats: 5 })
      await pass(net.clock, 1)
      expect([silent.destroyed, other.destroyed]).toEqual([true, false])
    },
  )

  it('is closed at the first look when its bytes were sent again so often that it took longer', async () => {
    await using net = await open('127.0.0.1')
    const [silent] = net.sockets
    if (!silent) throw new Error('a connection is needed')
    net.rows.set(silent, { repeats: 5 })
    await pass(net.clock, 1)
    expect(silent.destroyed).toBe(true)
  })

  it('stays when it has acknowledged something in between', async () => {
    await using net = await open('127.0.0.1')
    const [slow] = net.sockets
    if (!slow) throw new Error('a connection is needed')
    for (let round = 0; round < 5; round += 1) {
      net.rows.set(slow, { repeats: 4 })
      await pass(net.clock, 1)
      net.rows.set(slow, { repeats: 1 })
      await pass(net.clock, 1)
    }
    for (let round = 0; round < 5; round += 1) {
      net.rows.set(slow, { repeats: 2 })
      await pass(net.clock, 1)
      net.rows.delete(slow)
      await pass(net.clock, 1)
    }
    expect(slow.destroyed).toBe(false)
  })

  it.each([
    ['has unacknowledged bytes that were not sent again yet', { repeats: 0 }],
    ['does not read, which the stall timer is for', { repeats: 9, timer: '04' }],
    ['is only idle', { repeats: 9, timer: '00' }],
  ])('is none that %s', async (_what, row) => {
    await using net = await open('127.0.0.1')
    const [socket] = net.sockets
    if (!socket) throw new Error('a connection is needed')
    net.rows.set(socket, row)
    await pass(net.clock, 10)
    expect(socket.destroyed).toBe(false)
  })

  it('is closed with all its streams where it speaks HTTP/2', async () => {
    await using net = await open('127.0.0.1')
    const server = createHttp2Server((_req, res) => void res.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'session')
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    client.on('error', () => undefined)
    const [session] = (await accepted) as [ServerHttp2Session]
    net.silentPeers.watch(session)
    net.rows.set(session.socket, { repeats: 5 })
    const closed = once(client, 'close')
    await pass(net.clock, 1)
    expect(session.destroyed).toBe(true)
    await closed
    // A session that is gone has no addresses any more.
    await pass(net.clock, 2)
    server.close()
  })

  it('is looked for only while there are connections', async () => {
    await using net = await open('127.0.0.1')
    for (const socket of net.sockets) socket.destroy()
    await pass(net.clock, 1)
    expect(net.clock.pending).toBe(0)
  })
})
