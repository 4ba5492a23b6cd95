import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A relay of bytes between the gateway and its upstream that cuts connections in the middle of an answer. */
export interface CuttingProxy extends AsyncDisposable {
  readonly url: string
  /** How many connections it has cut. */
  readonly cuts: number
  /** Names the upstream; connections that come before are closed. */
  forwardTo(url: string): void
  /** From now on it cuts nothing. */
  stopCutting(): void
}

/**
 * @param cutAfter called for each connection: after how many bytes of answers it is cut. Infinity: never.
 * @param resets called for each cut: whether the connection is reset, so that bytes on their way are lost.
 */
export async function openCuttingProxy(
  cutAfter: () => number,
  resets: () => boolean = () => false,
): Promise<CuttingProxy> {
  let target: URL | undefined
  let cuts = 0
  let isCutting = true
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: false }, (inner) => {
    if (target === undefined) return void inner.destroy()
    const outer = connect(Number(target.port), target.hostname)
    const limit = cutAfter()
    let bytes = 0
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    inner.pipe(outer)
    outer.on('data', (chunk: Buffer) => {
      const left = isCutting ? limit - bytes : Infinity
      bytes += chunk.length
      inner.write(chunk.subarray(0, left))
      if (chunk.length < left) return
      cuts += 1
      // What was written before still arrives, as from a platform that dies, unless the network resets the connection.
      if (resets()) inner.resetAndDestroy()
      else inner.end()
      outer.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    get cuts() {
      return cuts
    },
    forwardTo: (url) => void (target = new URL(url)),
    stopCutting: () => void (isCutting = false),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
