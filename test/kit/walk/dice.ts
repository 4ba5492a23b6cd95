import { createRandom } from '../random.ts'

/** Chances that a seed repeats. */
export interface Dice {
  /** [0, 1). */
  float(): number
  chance(probability: number): boolean
  /** 0 to `below` - 1. */
  int(below: number): number
  pick<T>(list: readonly T[]): T
  /** The heavier the likelier. */
  weigh<T>(list: readonly T[], weightOf: (item: T) => number): T
  /** Each item with this probability, at least one. */
  some<T>(list: readonly T[], probability: number | ((item: T) => number)): readonly T[]
}

/** @param step gives each step of a walk dice of its own: what it does depends on no other step's throws. */
export function createDice(seed: number, step = 0): Dice {
  const float = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b))
  const int = (below: number) => Math.floor(float() * below)

  function pick<T>(list: readonly T[]): T {
    for (const item of list.slice(int(list.length))) return item
    throw new RangeError('nothing to pick from')
  }

  function weigh<T>(list: readonly T[], weightOf: (item: T) => number): T {
    let left = float() * list.reduce((sum, item) => sum + weightOf(item), 0)
    for (const item of list) {
      left -= weightOf(item)
      if (left < 0) return item
    }
    return pick(list)
  }

  return {
    float,
    chance: (probability) => float() < probability,
    int,
    pick,
    weigh,
    some<T>(list: readonly T[], probability: number | ((item: T) => number)) {
      const of = typeof probability === 'number' ? () => probability : probability
      const chosen = list.filter((item) => float() < of(item))
      return chosen.length > 0 ? chosen : [pick(list)]
    },
  }
}
