import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A relay of bytes before a server, as a network that is slow, silent or cut. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** How long every byte of the server takes more from now on, in ms. */
  delay(ms: number): void
  /** From now on nothing comes through, in connections that stay, as after a cable was pulled. */
  silence(): void
  /** Connections that begin from now on are as good as new. */
  restore(): void
  /** Ends the connections that there are. */
  cut(): void
}

/** @param target the port of the server; where it changes, connections that begin from then on come to the other one */
export async function openRelay(target: number | (() => number)): Promise<Relay> {
  const port = typeof target === 'number' ? () => target : target
  let delayMs = 0
  let state = { isSilent: false }
  const sockets = new Set<Socket>()
  const server = createServer((inner) => {
    const outer = connect(port(), '127.0.0.1')
    const own = state
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        if (!own.isSilent) other.destroy()
      })
      socket.on('data', (chunk) => {
        if (own.isSilent) return
        if (socket === inner || delayMs === 0) other.write(chunk)
        else setTimeout(() => other.write(chunk), delayMs)
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    delay: (ms) => void (delayMs = ms),
    silence: () => void (state.isSilent = true),
    restore: () => void (state = { isSilent: false }),
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}
