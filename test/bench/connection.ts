import { connect, type Socket } from 'node:net'

/** One HTTP/1.1 connection that is kept alive; one request at a time. */
export interface Connection extends Disposable {
  /** Sends the bytes of a request; resolves with the status when its answer has ended. */
  send(request: string, onText: (text: string) => void): Promise<number>
}

type Phase = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer'

/**
 * The cheapest client that still reads HTTP correctly: all sockets share `space`, and bodies are
 * handed on as they come, as latin1 text (the benchmark's texts are ASCII).
 */
export async function openConnection(port: number, space: Buffer): Promise<Connection> {
  let phase: Phase = 'head'
  let rest = ''
  let left = 0
  let status = 0
  let onText: (text: string) => void = () => {}
  let current: PromiseWithResolvers<number> | undefined

  const opened = Promise.withResolvers<void>()
  const socket: Socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    onread: {
      buffer: space,
      callback(length) {
        try {
          read(rest + space.toString('latin1', 0, length))
        } catch (error) {
          fail(error)
        }
        return true
      },
    },
  })
  socket.once('connect', () => opened.resolve())
  socket.once('error', fail)
  socket.once('close', () => fail(new Error('the server closed a connection')))
  await opened.promise

  return {
    send(request, receive) {
      if (current !== undefined) throw new Error('a request is still open on this connection')
      current = Promise.withResolvers<number>()
      onText = receive
      phase = 'head'
      socket.write(request, 'latin1')
      return current.promise
    },
    [Symbol.dispose]: () => {
      current = undefined
      socket.destroy()
    },
  }

  function fail(error: unknown): void {
    opened.reject(error)
    current?.reject(error)
    current = undefined
    socket.destroy()
  }

  function read(text: string): void {
    let at = 0
    while (at < text.length) {
      switch (phase) {
        case 'head': {
          const end = text.indexOf('\r\n\r\n', at)
          if (end === -1) return keep(text, at)
          readHead(text.slice(at, end))
          at = end + 4
          break
        }
        case 'body':
        case 'chunk': {
          const end = Math.min(text.length, at + left)
          onText(text.slice(at, end))
          left -= end - at
          at = end
          if (left > 0) break
          if (phase === 'body') finish()
          else phase = 'chunk-end'
          break
        }
        case 'chunk-size':
        case 'chunk-end':
        case 'trailer': {
          const end = text.indexOf('\r\n', at)
          if (end === -1) return keep(text, at)
          if (phase === 'chunk-end') phase = 'chunk-size'
          else if (phase === 'trailer') finish()
          else {
            left = Number.parseInt(text.slice(at, end), 16)
            phase = left === 0 ? 'trailer' : 'chunk'
          }
          at = end + 2
        }
      }
    }
    rest = ''
  }

  function keep(text: string, at: number): void {
    rest = text.slice(at)
  }

  function readHead(head: string): void {
    status = Number(head.slice(9, 12))
    const length = /^content-length: *(\d+)/im.exec(head)?.[1]
    if (/^transfer-encoding: *chunked/im.test(head)) phase = 'chunk-size'
    else {
      phase = 'body'
      left = Number(length ?? 0)
      if (left === 0) finish()
    }
  }

  function finish(): void {
    const done = current
    current = undefined
    phase = 'head'
    done?.resolve(status)
  }
}
