import type { Clock } from '../../lib/clock.ts'

/**
 * The requests of one connection that may wait for an earlier response. Usual clients do not send a second request. Each that
 * waits is an object that garbage collection finds in use, and that Node destroys with errors of its own.
 */
const maxWaiting = 4
/** How long a connection with too many requests is held before it is closed, in ms. */
const holdMs = 1_000
/** A parser of Node that is told this ends with the head that it has read, as if another protocol began behind it. */
const readNoMore = 2

interface PipelinedRequest {
  readonly httpVersionMajor: number
  readonly socket: { readonly destroyed?: boolean; destroy?(): unknown; pause?(): unknown }
}

interface PipelinedResponse {
  /** Null while the response to an earlier request has the connection. */
  readonly socket: object | null
  on(event: 'close', listener: () => void): unknown
}

/** The requests of one connection. */
interface Line {
  last: PipelinedResponse
  waiting: number
  /** Too many have come: none that waits begins any more. */
  isOver: boolean
}

/** Begins the requests of one HTTP/1.1 connection one after the other, since their responses must be in order. */
export interface Pipelines {
  begin(req: PipelinedRequest, res: PipelinedResponse, begin: () => void): void
  /** Lets go of a response whose connection was taken for a stream, unless others wait for it. */
  forget(socket: object, res: PipelinedResponse): void
}

/**
 * Node parses everything that a connection brings, and makes objects for each request, however many still wait. A connection
 * on which too many wait is not read any more, and its parser is stopped: it would go on with the thousands of requests that
 * were read at once.
 *
 * It is closed a second later. Closed at once, its client would be back at once, and a few connections that come again and
 * again keep the event loop busier than all the requests that may begin.
 */
export function createPipelines(clock: Pick<Clock, 'timer'>): Pipelines {
  const lines = new WeakMap<object, Line>()

  return {
    begin(req, res, begin) {
      const { httpVersionMajor, socket } = req
      if (socket.destroyed === true) return
      if (httpVersionMajor > 1) return begin()
      const line = lines.get(socket)
      if (line?.isOver === true) return
      if (line === undefined || res.socket !== null) {
        lines.set(socket, { last: res, waiting: 0, isOver: false })
        return begin()
      }
      if (line.waiting === maxWaiting) {
        line.isOver = true
        stopReading(socket)
        const timer = clock.timer(holdMs, () => void socket.destroy?.())
        res.on('close', () => timer[Symbol.dispose]())
        return
      }
      line.waiting += 1
      line.last.on('close', () => {
        line.waiting -= 1
        if (socket.destroyed !== true && !line.isOver) begin()
      })
      line.last = res
    },
    forget(socket, res) {
      if (lines.get(socket)?.last === res) lines.delete(socket)
    },
  }
}

/** As Node itself does it while too much waits to be sent: its requests do not resume such a socket. */
function stopReading(socket: PipelinedRequest['socket']): void {
  const parser: unknown = Reflect.get(socket, 'parser')
  if (typeof parser === 'object' && parser !== null && 'onIncoming' in parser) {
    parser.onIncoming = (req: object) => {
      // The rest is no other protocol, whatever its headers say.
      Object.assign(req, { upgrade: false })
      return readNoMore
    }
  }
  Object.assign(socket, { _paused: true })
  socket.pause?.()
}
