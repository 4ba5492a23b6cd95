import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A load balancer without sticky sessions. */
export interface RoundRobin extends AsyncDisposable {
  readonly url: string
  /** Requests that each target was given, in the order of the targets. */
  readonly counts: readonly number[]
}

/** Between two looks at the readiness of the targets, and how long one of them may take to answer, in ms. */
const checkEveryMs = 50
const checkMs = 1_000

/** Passes each request to the next of the targets that is ready; one that refuses the connection is passed over. */
export async function openRoundRobin(targets: () => readonly string[]): Promise<RoundRobin> {
  const counts: number[] = []
  const unready = new Set<string>()
  const closed = new AbortController()
  let turn = 0

  async function check(url: string): Promise<void> {
    const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(checkMs)])
    const isReady = await fetch(`${url}/health/ready`, { signal }).then(
      ({ status }) => status === 200,
      () => false,
    )
    if (isReady) unready.delete(url)
    else unready.add(url)
  }

  async function checkAll(): Promise<void> {
    while (!closed.signal.aborted) {
      await Promise.all(targets().map(check))
      await delay(checkEveryMs)
    }
  }

  function nextTarget(): number {
    const urls = targets()
    for (let tries = 0; tries < urls.length; tries += 1) {
      const at = turn++ % urls.length
      if (!unready.has(urls[at] ?? '')) return at
    }
    return turn++ % urls.length
  }

  function pass(from: IncomingMessage, to: ServerResponse, body: Buffer, tries: number): void {
    const urls = targets()
    const at = nextTarget()
    const { method, headers, url = '/' } = from
    const call = request(new URL(url, urls[at]), { method, headers, agent: false })
    // A client that goes away takes its request along.
    to.once('close', () => call.destroy())
    call.once('response', (answer) => {
      counts[at] = (counts[at] ?? 0) + 1
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      to.flushHeaders()
      answer.pipe(to)
      // Cut short is not the same as ended.
      answer.once('error', () => to.destroy())
      answer.once('aborted', () => to.destroy())
    })
    call.once('error', (error: NodeJS.ErrnoException) => {
      const isRefused = error.code === 'ECONNREFUSED' && !to.headersSent
      if (isRefused && tries > 1) pass(from, to, body, tries - 1)
      else to.destroy()
    })
    call.end(body)
  }

  const server = createServer((from, to) => {
    const chunks: Buffer[] = []
    from.on('data', (chunk: Buffer) => chunks.push(chunk))
    from.on('error', () => to.destroy())
    from.on('end', () => pass(from, to, Buffer.concat(chunks), targets().length))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const checking = checkAll()
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    async [Symbol.asyncDispose]() {
      closed.abort()
      await checking
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
