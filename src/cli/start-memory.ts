import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Gives back the memory that only the start has needed: half of the heap, which V8 keeps for a load that may never come.
 * For a process of our own: it takes a tenth of a second, and sets a flag of V8 for that time.
 */
export function giveBackStartMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  }
}

/**
 * Has the heap collected when it is twice what was in use, for a process of our own. By itself V8 lets it grow to four
 * times that where the machine has the memory: 170 MB of long texts that are read and sent take a gigabyte.
 */
export function boundGarbage(): void {
  setFlagsFromString('--heap-growing-percent=100')
}
