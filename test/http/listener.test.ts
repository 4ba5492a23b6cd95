import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { listen } from '../../src/server/node/listener.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { patienceMs, until } from '../kit/process/until.ts'

const clients = 64

/** Connects all of them and asks at once, on a thread of its own: the server's is busy meanwhile. */
const rush = `
const { connect } = require('node:net')
const { workerData: { port, clients, sent } } = require('node:worker_threads')
for (let index = 0; index < clients; index += 1) {
  const socket = connect(port, '127.0.0.1', () => {
    socket.write('GET / HTTP/1.1\\r\\nhost: gateway\\r\\n\\r\\n', () => {
      Atomics.add(sent, 0, 1)
      Atomics.notify(sent, 0)
    })
  })
  socket.on('error', () => undefined)
}`

function open(port: number, handle = () => {}) {
  return listen({
    handle,
    host: '127.0.0.1',
    port,
    timeouts: { headersMs: 60_000, requestMs: 60_000, uploadMs: 60_000, idleConnectionMs: 60_000 },
    limits: { maxCredentialBytes: 8_192 },
    logger: silentLogger,
  })
}

it.runIf(process.platform === 'linux')(
  'a rush of clients is let in within a few turns of the event loop, however long turns are',
  async () => {
    let turns = 0
    const seenIn: number[] = []
    await using listener = await open(0, () => seenIn.push(turns))
    const sent = new Int32Array(new SharedArrayBuffer(4))
    const port = Number(new URL(listener.url).port)
    const worker = new Worker(rush, { eval: true, workerData: { port, clients, sent } })
    await once(worker, 'online')
    let asked = 0
    // A turn that lasts until every client has asked. One that never does ends it all the same: nothing else could.
    while ((asked = Atomics.load(sent, 0)) < clients)
      if (Atomics.wait(sent, 0, asked, patienceMs) === 'timed-out')
        throw new Error(`only ${asked} clients could connect`)
    let isOver = false
    const count = () => {
      turns += 1
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    await until(() => seenIn.length === clients, 'every request')
    isOver = true
    expect(seenIn.at(-1)).toBeLessThan(clients / 2)
    await worker.terminate()
  },
)

it('a port that another gateway serves is refused', async () => {
  await using listener = await open(0)
  const { port } = new URL(listener.url)
  await expect(open(Number(port))).rejects.toThrow('EADDRINUSE')
})

it('a port is free again once it is closed', async () => {
  const first = await open(0)
  await first.close()
  await using second = await open(Number(new URL(first.url).port))
  expect(second.url).toBe(first.url)
})
