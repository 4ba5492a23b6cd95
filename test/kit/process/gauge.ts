import { fileURLToPath } from 'node:url'
import type { GatewayProcess } from './gateway.ts'
import { until } from './until.ts'

const preload = fileURLToPath(new URL('gauge-preload.ts', import.meta.url))

/** The environment of a process that can be asked. */
export const gauged = { NODE_OPTIONS: `--expose-gc --import ${preload}` }

/** The longest delay of its event loop since it was asked before, and its heap after all garbage was collected. */
export async function readGauge(gateway: GatewayProcess): Promise<{
  readonly delayMs: number
  readonly heapBytes: number
}> {
  const told = () => [...gateway.output.matchAll(/gauge: ([\d.]+) ms, (\d+) bytes/g)]
  const before = told().length
  gateway.signal('SIGUSR2')
  const [, delayMs, heapBytes] = await until(() => told()[before], 'the gauge to be read')
  return { delayMs: Number(delayMs), heapBytes: Number(heapBytes) }
}
