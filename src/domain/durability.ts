/**
 * What an acknowledged message survives, from the weakest to the strongest: nothing; the end of the gateway's process; a
 * crash of the machine that has the store; the loss of that machine with its disk.
 */
export const durabilities = ['none', 'process', 'disk', 'failover'] as const
export type Durability = (typeof durabilities)[number]

/** What a store says of itself. */
export interface StoreDurability {
  readonly survives: Durability
  /** The settings that it follows from, in words. */
  readonly because: string
}

/** What is wrong with a store that a configuration makes a demand on; undefined: nothing. */
export function durabilityProblem(
  { survives, because }: StoreDurability,
  required: Durability,
): string | undefined {
  if (durabilities.indexOf(survives) >= durabilities.indexOf(required)) return undefined
  return `"requireDurability" demands ${lastsThrough[required]} (${required}), and the store gives ${lastsThrough[survives]} (${survives}): ${because}`
}

const lastsThrough: Readonly<Record<Durability, string>> = {
  none: 'that a message need not outlive the process',
  process: 'that a message survives the end of the process',
  disk: "that a message survives a crash of the store's machine",
  failover: "that a message survives the loss of the store's machine",
}
