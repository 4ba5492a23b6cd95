import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

/** Asks for a page again and again, in a thread of its own, so that nothing but the gateway keeps it waiting; tells each time in ms. */
const { url, everyMs } = workerData as { readonly url: string; readonly everyMs: number }

for (;;) {
  const startedAt = performance.now()
  const call = get(url)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  parentPort?.postMessage({ status: response.statusCode, ms: performance.now() - startedAt })
  await delay(everyMs)
}
