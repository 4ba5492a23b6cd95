/**
 * The requests of one connection that may wait for an earlier response. Usual clients do not send a second request. Each that
 * waits is an object that garbage collection finds in use, and that Node destroys with an error of its own.
 */
const maxWaiting = 4
/** A parser of Node that is told this ends with the head that it has read, as if another protocol began behind it. */
const readNoMore = 2

interface PipelinedRequest {
  readonly httpVersionMajor: number
  readonly socket: { readonly destroyed?: boolean; destroy?(): unknown }
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
}

/** Begins the requests of one HTTP/1.1 connection one after the other, since their responses must be in order. */
export interface Pipelines {
  begin(req: PipelinedRequest, res: PipelinedResponse, begin: () => void): void
  /** Lets go of a response whose connection was taken for a stream, unless others wait for it. */
  forget(socket: object, res: PipelinedResponse): void
}

/**
 * Node parses everything that a connection brings, and makes objects for each request, however many still wait. A connection
 * on which too many wait is closed, and its parser is stopped: it would go on with the thousands of requests that were read
 * at once, and Node would make an error with a stack for each of them.
 */
export function createPipelines(): Pipelines {
  const lines = new WeakMap<object, Line>()

  return {
    begin({ httpVersionMajor, socket }, res, begin) {
      if (socket.destroyed === true) return
      if (httpVersionMajor > 1) return begin()
      const line = lines.get(socket)
      if (line === undefined || res.socket !== null) {
        lines.set(socket, { last: res, waiting: 0 })
        return begin()
      }
      if (line.waiting === maxWaiting) {
        socket.destroy?.()
        stopParser(socket)
        return
      }
      line.waiting += 1
      line.last.on('close', () => {
        line.waiting -= 1
        if (socket.destroyed !== true) begin()
      })
      line.last = res
    },
    forget(socket, res) {
      if (lines.get(socket)?.last === res) lines.delete(socket)
    },
  }
}

function stopParser(socket: object): void {
  const parser: unknown = Reflect.get(socket, 'parser')
  if (typeof parser === 'object' && parser !== null && 'onIncoming' in parser) {
    parser.onIncoming = () => readNoMore
  }
}
