import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** What this process still holds after all garbage was collected, buffers included, in bytes. */
export function heldBytes(): number {
  // Finalisers of one collection may free what only the next one takes.
  for (let round = 0; round < 3; round += 1) collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
