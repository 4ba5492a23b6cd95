/**
 * A platform that answers plain calls as none should. Its paths begin with which call that is (`token`, or `create` of a
 * conversation) and with what is wrong: `/create/gigabytes/v1/conversation/create`.
 */
import { createServer, type Socket } from 'node:net'
import { setInterval } from 'node:timers'
import { gzipSync } from 'node:zlib'
import { writeJson } from './http-server.ts'
import { listenAndTell } from './rpc.ts'

const block = Buffer.alloc(1_048_576, ' ')
/** A gibibyte of spaces, in a mebibyte. */
const bomb = Buffer.concat(
  Array.from({ length: 64 }, () => gzipSync(Buffer.alloc(16_777_216, ' '))),
)
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** What is wrong, by its name. */
const ways = new Map<string, (socket: Socket) => void>([
  [
    'gigabytes',
    (socket) => {
      socket.write(`${head}content-length: 4294967296\r\n\r\n{"code":0,`)
      pour(socket, block)
    },
  ],
  [
    'drops',
    (socket) => {
      socket.write(`${head}content-length: 8000000\r\n\r\n{"code":0,`)
      const timer = setInterval(() => socket.write(' '), 1_000)
      socket.on('close', () => clearInterval(timer))
    },
  ],
  [
    'bombs',
    (socket) => {
      socket.write(`${head}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`)
      socket.write(bomb)
    },
  ],
  [
    'headers',
    (socket) => {
      socket.write(head)
      pour(socket, Buffer.from('x-flood: more\r\n'.repeat(65_536)))
    },
  ],
])

listenAndTell(
  createServer({ noDelay: true }, (socket) => {
    let received = ''
    socket.setEncoding('latin1')
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: string) => {
      received += chunk
      const headEnd = received.indexOf('\r\n\r\n')
      const length = Number(/^content-length: *(\d+)/im.exec(received)?.[1] ?? 0)
      if (headEnd === -1 || received.length < headEnd + 4 + length) return
      const [, path = ''] = received.split(' ', 2)
      received = ''
      answer(path, socket)
    })
  }),
)

function answer(path: string, socket: Socket): void {
  const [, call, name = '', ...rest] = path.split('/')
  const isToken = rest.join('/') === 'api/permission/oauth2/token'
  const way = ways.get(name)
  if (way && isToken === (call === 'token')) return way(socket)
  const expires = Math.floor(Date.now() / 1000) + 3600
  writeJson(socket, 200, { access_token: 'czs_x', expires_in: expires, token_type: 'Bearer' })
}

/** As much as is taken, until the other end is gone. */
function pour(socket: Socket, bytes: Buffer): void {
  const go = () => {
    while (!socket.destroyed && socket.write(bytes)) continue
  }
  socket.on('drain', go)
  go()
}
