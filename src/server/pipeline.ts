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

/**
 * Whether a request is to be answered. Node parses all that a connection brings, and makes objects for each request,
 * however many are unanswered: a connection on which too many wait is closed.
 */
export function createPipelines(): (req: PipelinedRequest, res: PipelinedResponse) => boolean {
  const waiting = new WeakMap<object, number>()

  return (req, res) => {
    const { socket } = req
    if (socket.destroyed === true) return false
    if (res.socket !== null || req.httpVersionMajor > 1) return true
    const count = (waiting.get(socket) ?? 0) + 1
    if (count > maxWaiting) {
      socket.destroy?.()
      return false
    }
    waiting.set(socket, count)
    res.on('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1))
    return true
  }
}
