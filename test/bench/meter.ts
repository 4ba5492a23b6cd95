/**
 * Preloaded into every process of the benchmark (`node --import`): reads its own meters when the
 * parent asks, and does nothing in between.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { z } from 'zod'
import { answerParent } from './rpc.ts'

const profiler = new Session()
const stalls = monitorEventLoopDelay({ resolution: 1 })

let longest = { wallMs: 0, cpuMs: 0 }
let last = { at: 0, cpu: process.threadCpuUsage() }
let sampling: NodeJS.Timeout | undefined

/** One turn of the loop at most lies between two timers of 1 ms: on a busy machine only its CPU time says what it did. */
function sample(): void {
  const at = performance.now()
  const cpu = process.threadCpuUsage()
  const cpuMs = (cpu.user + cpu.system - last.cpu.user - last.cpu.system) / 1000
  longest = {
    wallMs: Math.max(longest.wallMs, at - last.at),
    cpuMs: Math.max(longest.cpuMs, cpuMs),
  }
  last = { at, cpu }
}

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
    longest = { wallMs: 0, cpuMs: 0 }
    last = { at: performance.now(), cpu: process.threadCpuUsage() }
    sampling = setInterval(sample, 1)
  },
  async holdsStop() {
    clearInterval(sampling)
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
