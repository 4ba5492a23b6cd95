/** Requests of one connection that may wait for the answer to an earlier one; no usual client sends a second. */
const maxWaiting = 250

interface PipelinedRequest {
  readonly httpVersionMajor: number
  readonly socket: { readonly destroyed?: boolean; destroy?(): unknown }
}

interface PipelinedResponse {
  /** Null: the answer to an earlier request has the connection. */
  readonly socket: object | null
  on(event: 'close', listener: () => void): unknown
}

/** The requests of one connection. */
interface Line {
  last: PipelinedResponse
  waiting: number
}

/** Begins requests so that those of one connection of HTTP/1.1 come one after the other, as their answers must. */
export interface Pipelines {
  begin(req: PipelinedRequest, res: PipelinedResponse, begin: () => void): void
  /** Holds the response no more, unless others wait for it: its connection was taken for a stream, for hours. */
  forget(socket: object, res: PipelinedResponse): void
}

/**
 * Node parses all that a connection brings, and makes objects for each request, however many are unanswered: a
 * connection on which too many wait is closed.
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
