/**
 * Preloaded into every process of the benchmark (`node --import`): reads its own meters when the
 * parent asks, and does nothing in between.
 */
import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { z } from 'zod'
import { answerParent } from './rpc.ts'

const profiler = new Session()

answerParent({
  usage() {
    const { user, system } = process.cpuUsage()
    return { cpuMicros: user + system, systemMicros: system }
  },
  memory() {
    // Twice: the first collection runs finalizers that free what the second one takes.
    globalThis.gc?.()
    globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { rss, heapUsed, external }
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
