import { randomFillSync } from 'node:crypto'

/** Makes unguessable ids; a parameter, so that tests and simulations are repeatable. */
export type NewId = () => string

const idBytes = 16
/** Asking the system for bytes costs ten times what an id does otherwise. */
const poolBytes = 256 * idBytes

/** Makes ids of 128 random bits, as 22 characters of base64url. */
export function createRandomIds(): NewId {
  const pool = Buffer.alloc(poolBytes)
  let used = poolBytes
  return () => {
    if (used === poolBytes) {
      randomFillSync(pool)
      used = 0
    }
    used += idBytes
    return pool.toString('base64url', used - idBytes, used)
  }
}
