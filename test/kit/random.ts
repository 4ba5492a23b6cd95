/** Choices that a seed repeats. */
export interface Random {
  /** Returns a number in [0, 1). */
  next(): number
  /** True in this share of the calls. */
  chance(share: number): boolean
  /** A whole number from 0 to `below` - 1. */
  int(below: number): number
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number
  /** @throws `RangeError` when there is nothing to choose from */
  pick<T>(from: readonly T[]): T
  /** Undefined when there is nothing to choose from. */
  pickAny<T>(from: readonly T[]): T | undefined
  /** The heavier the likelier. */
  weigh<T>(from: readonly T[], weightOf: (item: T) => number): T
  /** Each item with this probability, at least one. */
  some<T>(from: readonly T[], probability: number | ((item: T) => number)): readonly T[]
  /** Another stream of choices, by its name: what one part chooses does not move what another one does. */
  fork(name: string | number): Random
}

export function createRandom(seed: number, name = ''): Random {
  const next = mulberry32(mixed(seed, name))
  const int = (below: number) => Math.floor(next() * below)

  function pick<T>(from: readonly T[]): T {
    for (const item of from.slice(int(from.length))) return item
    throw new RangeError('nothing to pick from')
  }

  function weigh<T>(from: readonly T[], weightOf: (item: T) => number): T {
    let left = next() * from.reduce((sum, item) => sum + weightOf(item), 0)
    for (const item of from) {
      left -= weightOf(item)
      if (left < 0) return item
    }
    return pick(from)
  }

  return {
    next,
    chance: (share) => next() < share,
    int,
    between: (from, to) => from + int(to - from + 1),
    pick,
    pickAny: (from) => from[int(from.length)],
    weigh,
    some(from, probability) {
      const of = typeof probability === 'number' ? () => probability : probability
      const chosen = from.filter((item) => next() < of(item))
      return chosen.length > 0 ? chosen : [pick(from)]
    },
    fork: (other) => createRandom(seed, `${name}/${other}`),
  }
}

function mixed(seed: number, name: string): number {
  let digest = seed >>> 0
  for (let at = 0; at < name.length; at += 1) {
    digest = Math.imul(digest ^ name.charCodeAt(at), 0x01000193) >>> 0
  }
  return digest
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}
