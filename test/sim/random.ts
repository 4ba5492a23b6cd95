import { createRandom } from '../kit/random.ts'

/** Choices that a seed repeats. Each part of a simulation has its own: one part's choices do not move another's. */
export interface Random {
  /** Gives [0, 1). */
  next(): number
  /** True in this share of the calls. */
  chance(share: number): boolean
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number
  pick<T>(from: readonly [T, ...T[]]): T
  /** Undefined when there is nothing to choose from. */
  pickAny<T>(from: readonly T[]): T | undefined
  /** Another stream of choices, by its name. */
  fork(name: string): Random
}

export function createChoices(seed: number, name = ''): Random {
  let mixed = seed >>> 0
  for (let at = 0; at < name.length; at += 1) {
    mixed = Math.imul(mixed ^ name.charCodeAt(at), 0x01000193) >>> 0
  }
  const next = createRandom(mixed)
  return {
    next,
    chance: (share) => next() < share,
    between: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick: ([first, ...rest]) => [first, ...rest][Math.floor(next() * (rest.length + 1))] ?? first,
    pickAny: (from) => from[Math.floor(next() * from.length)],
    fork: (other) => createChoices(seed, `${name}/${other}`),
  }
}
