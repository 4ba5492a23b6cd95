import type { Platform } from '../../../src/domain.ts'
import type { FaultRow, Faults } from '../faults.ts'
import type { Random } from '../../kit/random.ts'

/** What goes wrong in a stream, or with the run that it tells of. */
export type Twist =
  | 'revoked'
  | 'cut'
  | 'ends-early'
  | 'no-done'
  | 'no-completed'
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

export type FailureTwist = Extract<Twist, 'fails' | 'error' | 'canceled'>

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

/** A Studio leaves the end of a run out once in a while. */
const studioTwistsOf: typeof twistsOf = {
  ...twistsOf,
  F9: ['cut', 'cut', 'ends-early', 'no-done', 'no-completed', 'no-completed'],
}

/** At most one for each run. */
export function drawTwist(
  faults: Faults,
  random: Random,
  platform: Platform,
): { readonly row: FaultRow; readonly twist: Twist } | undefined {
  const known = platform === 'cloud' ? twistsOf : studioTwistsOf
  for (const row of Object.keys(known) as (keyof typeof known)[]) {
    const twists = known[row]
    if (twists !== undefined && faults.strikes(row, 0.4)) return { row, twist: random.pick(twists) }
  }
  return undefined
}
