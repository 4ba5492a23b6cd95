import type { FaultRow, Faults } from '../faults.ts'
import type { Random } from '../random.ts'

/** What goes wrong in a stream, or with the run that it tells of. */
export type Twist =
  | 'revoked'
  | 'cut'
  | 'ends-early'
  | 'no-done'
  | 'stalled'
  | 'malformed'
  | 'twice'
  | 'reordered'
  | 'late-delta'
  | 'second-end'
  | 'oversized'
  | 'endless-line'
  | 'endless'
  | 'foreign-chat'
  | 'foreign-conversation'
  | 'fails'
  | 'error'
  | 'canceled'
  | 'asks'
  | 'corrected'

const twistsOf: Partial<Record<FaultRow, readonly [Twist, ...Twist[]]>> = {
  F4: ['revoked'],
  F9: ['cut', 'cut', 'ends-early', 'no-done'],
  F10: ['stalled'],
  F11: ['malformed'],
  F13: ['twice', 'reordered', 'late-delta', 'second-end'],
  F14: ['oversized', 'endless-line'],
  F15: ['endless'],
  F16: ['foreign-chat', 'foreign-conversation'],
  F18: ['fails', 'error', 'canceled', 'asks'],
  F19: ['corrected'],
}

/** At most one for each run. */
export function drawTwist(
  faults: Faults,
  random: Random,
): { readonly row: FaultRow; readonly twist: Twist } | undefined {
  for (const row of Object.keys(twistsOf) as (keyof typeof twistsOf)[]) {
    const twists = twistsOf[row]
    if (twists !== undefined && faults.strikes(row, 0.4)) return { row, twist: random.pick(twists) }
  }
  return undefined
}
