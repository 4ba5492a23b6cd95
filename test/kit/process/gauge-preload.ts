import { monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * Preloaded into a process with `--expose-gc`: SIGUSR2 tells the longest delay of the event loop since the last time, in
 * ms, then collects all garbage and tells how much heap is left, in bytes.
 */
const delays = monitorEventLoopDelay({ resolution: 10 })
delays.enable()

process.on('SIGUSR2', () => {
  const delayMs = delays.max / 1_000_000
  // Finalisers of one collection may free what only the next one takes.
  for (let round = 0; round < 3; round += 1) globalThis.gc?.()
  delays.reset()
  process.stdout.write(`gauge: ${delayMs} ms, ${process.memoryUsage().heapUsed} bytes\n`)
})
