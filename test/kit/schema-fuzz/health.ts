import { Worker } from 'node:worker_threads'

const everyMs = 20

/**
 * How long health took to answer meanwhile, in ms, by a thread of its own. What kept one question waiting would have kept
 * those that came meanwhile: they count, too.
 */
export function watchHealth(url: string) {
  const times: number[] = []
  const statuses = new Set<number>()
  const worker = new Worker(new URL('./health-poller.ts', import.meta.url), {
    workerData: { url: `${url}/health/live`, everyMs },
  })
  worker.on('message', ({ status, ms }: { status: number; ms: number }) => {
    statuses.add(status)
    for (let wait = ms; wait > 0; wait -= everyMs) times.push(wait)
  })
  return {
    statuses,
    percentile: (share: number) =>
      times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1] ?? Number.NaN,
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}
