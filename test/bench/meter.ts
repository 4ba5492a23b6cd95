/**
 * Preloaded into every process of the benchmark (`node --import`): reads its own meters when the
 * parent asks, and does nothing in between.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { z } from 'zod'
import { watchHolds } from './holds.ts'
import { answerParent } from './rpc.ts'

const profiler = new Session()
const stalls = monitorEventLoopDelay({ resolution: 1 })

let holds: ReturnType<typeof watchHolds> | undefined

answerParent({
  usage() {
    const { user, system } = process.cpuUsage()
    return { cpuMicros: user + system }
  },
  /** Resident memory as an operator sees it: no collection is forced. */
  memory: () => ({ rssBytes: process.memoryUsage.rss() }),
  stallsStart() {
    stalls.enable()
    stalls.reset()
  },
  stallsStop() {
    stalls.disable()
    return { longestMs: stalls.max / 1e6 }
  },
  /** From now on, how long its event loop is held, and the most memory that is resident. */
  async holdsStart() {
    await writeFile('/proc/self/clear_refs', '5')
    holds = watchHolds()
  },
  async holdsStop() {
    const longest = holds?.stop()
    const status = await readFile('/proc/self/status', 'utf8')
    return { ...longest, peakBytes: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024 }
  },
  /** Bytes that this process has written to files since it started. */
  async written() {
    const io = await readFile('/proc/self/io', 'utf8')
    return { bytes: Number(/^write_bytes: (\d+)$/m.exec(io)?.[1]) }
  },
  async profileStart() {
    profiler.connect()
    await profiler.post('Profiler.enable')
    await profiler.post('Profiler.setSamplingInterval', { interval: 200 })
    await profiler.post('Profiler.start')
  },
  async profileStop(input) {
    const { profile } = await profiler.post('Profiler.stop')
    profiler.disconnect()
    await writeFile(z.string().parse(input), JSON.stringify(profile))
  },
})
