import type { Platform } from '../../src/domain.ts'
import type { Random } from '../kit/random.ts'

/** The faults that a simulation can bring about, T13: an upstream that shares conversations, and its restart. */
export const faultRows = [
  'F1',
  'F2',
  'F3',
  'F4',
  'F5',
  'F6',
  'F7',
  'F8',
  'F9',
  'F10',
  'F11',
  'F12',
  'F13',
  'F14',
  'F15',
  'F16',
  'F17',
  'F18',
  'F19',
  'F20',
  'F21',
  'F22',
  'F23',
  'F25',
  'F32',
  'F33',
  'F34',
  'F35',
  'F36',
  'F38a',
  'F39',
  'F40',
  'F41',
  'T13',
  'restart',
] as const
export type FaultRow = (typeof faultRows)[number]

const cloudOnly: ReadonlySet<FaultRow> = new Set([
  // A Studio has no OAuth, so that clocks do not matter to it.
  'F5',
  // Whoever comes to a conversation of a Studio runs beside who is there.
  'F17',
])

/** The faults that a platform has. */
export function faultRowsOn(platform: Platform): readonly FaultRow[] {
  return faultRows.filter((row) =>
    platform === 'studio' ? !cloudOnly.has(row) : row !== 'restart',
  )
}

/** What goes wrong in one seed. */
export interface Faults {
  /** True: the fault is to happen now. At most a few times per row; never when the row is not drawn or all is healed. */
  strikes(row: FaultRow, share: number): boolean
  isDrawn(row: FaultRow): boolean
  /** The fault took effect. */
  reach(row: FaultRow): void
  readonly reached: ReadonlySet<FaultRow>
  readonly drawn: ReadonlySet<FaultRow>
  /** Nothing goes wrong any more. */
  heal(): void
}

const maxStrikes = { drawn: 4, given: 20 }

/** @param only draws exactly these rows. */
export function createFaults(
  random: Random,
  platform: Platform,
  only: readonly FaultRow[] | undefined,
): Faults {
  const isQuiet = random.chance(0.05)
  const share = random.pick([0.05, 0.15, 0.15, 0.35])
  const drawn = new Set(
    only ?? faultRowsOn(platform).filter(() => random.chance(share) && !isQuiet),
  )
  const reached = new Set<FaultRow>()
  const strikes = new Map<FaultRow, number>()
  let isHealed = false
  return {
    strikes(row, chance) {
      if (isHealed || !drawn.has(row)) return false
      const before = strikes.get(row) ?? 0
      if (
        before >= (only === undefined ? maxStrikes.drawn : maxStrikes.given) ||
        !random.chance(chance)
      )
        return false
      strikes.set(row, before + 1)
      return true
    },
    isDrawn: (row) => !isHealed && drawn.has(row),
    reach: (row) => void reached.add(row),
    reached,
    drawn,
    heal() {
      isHealed = true
    },
  }
}
