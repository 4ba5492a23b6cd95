/** What the fake upstream does with a message. The message's text says it, so every server passes it on. */
export type Plan =
  /** One delta a write, at a steady pace, the first one at once. */
  | { readonly kind: 'paced'; readonly deltas: number; readonly everyMs: number }
  /** The whole reply, opening and end included, in one write. */
  | { readonly kind: 'whole'; readonly deltas: number }
  /** As fast as the socket drains, `perWrite` deltas in each write. */
  | { readonly kind: 'saturated'; readonly deltas: number; readonly perWrite: number }
  /** Begins a reply, then says nothing until the client leaves. */
  | { readonly kind: 'idle' }
  /** A long text in long deltas of so many UTF-16 code units, as fast as the socket drains. */
  | {
      readonly kind: 'large'
      readonly deltas: number
      readonly length: number
      readonly alphabet: 'latin' | 'chinese'
    }

/** The text of every delta: a few words, nothing to escape. */
export const deltaText = 'lorem ipsum '

export function planText(plan: Plan): string {
  return JSON.stringify(plan)
}
