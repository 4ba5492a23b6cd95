import type { Random } from '../random.ts'

/** Values of a kind that are remembered; older ones go. */
const kept = 64

/**
 * What sessions have learnt from answers: ids by the type they name (`id:Reply`), cursors by the type they came in
 * (`cursor:MessageEdge`), and other text by the name of its field (`text:arguments`).
 */
export interface Knowledge {
  learn(who: string, parent: string, field: string, value: unknown): void
  /** Something that this session was told; rather something new. */
  recall(who: string, kinds: readonly string[], random: Random): string | undefined
  /** Something that only others were told. */
  steal(who: string, kinds: readonly string[], random: Random): string | undefined
  /** All kinds that anybody was told of, with this beginning. */
  kinds(beginning: string): readonly string[]
}

export function createKnowledge(): Knowledge {
  const told = new Map<string, Map<string, string[]>>()

  function poolsOf(who: string) {
    let pools = told.get(who)
    if (!pools) told.set(who, (pools = new Map()))
    return pools
  }

  function choose(pools: ReadonlyMap<string, string[]>, kinds: readonly string[], random: Random) {
    const known = kinds.flatMap((kind) => {
      const pool = pools.get(kind)
      return pool ? [pool] : []
    })
    if (known.length === 0) return undefined
    const pool = random.pick(known)
    return random.chance(0.5) ? random.pick(pool.slice(-4)) : random.pick(pool)
  }

  return {
    learn(who, parent, field, value) {
      if (typeof value !== 'string' || value.length > 2_000) return
      const pools = poolsOf(who)
      const kind = kindOf(parent, field)
      const pool = pools.get(kind) ?? []
      if (pool.length === 0) pools.set(kind, pool)
      if (pool.includes(value)) return
      pool.push(value)
      if (pool.length > kept) pool.shift()
    },
    recall: (who, kinds, random) => choose(poolsOf(who), kinds, random),
    steal(who, kinds, random) {
      const others = [...told.keys()].filter((name) => name !== who)
      return others.length === 0 ? undefined : choose(poolsOf(random.pick(others)), kinds, random)
    },
    kinds(beginning) {
      const all = [...told.values()].flatMap((pools) => [...pools.keys()])
      return [...new Set(all)].filter((kind) => kind.startsWith(beginning))
    },
  }
}

function kindOf(parent: string, field: string): string {
  if (field === 'id') return `id:${parent}`
  if (field.endsWith('Id')) return `id:${capital(field.slice(0, -2))}`
  if (/^(next|cursor)$|Cursor$/.test(field)) return `cursor:${parent}`
  return `text:${field}`
}

export function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
