import { clearInterval, setInterval } from 'node:timers'

/** How long one turn of the event loop was, at most. */
export interface Hold {
  readonly wallMs: number
  /** What the thread itself did in the meantime: on a busy machine only this says what held the loop. */
  readonly cpuMs: number
}

/** Watches the event loop of this thread until it is stopped. */
export function watchHolds(): { stop(): Hold } {
  let longest = { wallMs: 0, cpuMs: 0 }
  let last = { at: performance.now(), cpu: process.threadCpuUsage() }
  // One turn of the loop at most lies between two timers of 1 ms.
  const sampling = setInterval(() => {
    const at = performance.now()
    const cpu = process.threadCpuUsage()
    const cpuMs = (cpu.user + cpu.system - last.cpu.user - last.cpu.system) / 1000
    longest = {
      wallMs: Math.max(longest.wallMs, at - last.at),
      cpuMs: Math.max(longest.cpuMs, cpuMs),
    }
    last = { at, cpu }
  }, 1)
  return {
    stop() {
      clearInterval(sampling)
      return longest
    },
  }
}
