/** The `fetch` of one caller, whose streams can be cut as a bad network cuts them. */
export function createCuttableFetch(name: string) {
  const streams = new Set<AbortController>()
  // The stream may be open in another tab.
  const channel = new BroadcastChannel(`cut ${name}`)
  const cutHere = () => {
    for (const stream of streams) stream.abort(new TypeError('the connection was cut'))
  }
  channel.onmessage = cutHere
  return {
    fetch: async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
      const isStream = new Headers(init.headers).get('accept')?.includes('text/event-stream')
      if (isStream !== true) return await fetch(input, init)
      const stream = new AbortController()
      streams.add(stream)
      const { signal } = stream
      const either = init.signal ? AbortSignal.any([init.signal, signal]) : signal
      either.addEventListener('abort', () => streams.delete(stream))
      return await fetch(input, { ...init, signal: either })
    },
    cut: () => {
      cutHere()
      channel.postMessage('cut')
    },
  }
}
