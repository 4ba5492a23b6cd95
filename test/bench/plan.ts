/** What the fake upstream shall do with a message: the message's text says it, so every server passes it on. */
export type Plan =
  /** `deltas` at the pace, the first one after `thinkMs`. */
  | { readonly kind: 'paced'; readonly deltas: number; readonly thinkMs: number }
  /** `deltas` as fast as the socket drains, `perWrite` in each write, streams taking turns. */
  | { readonly kind: 'burst'; readonly deltas: number; readonly perWrite: number }
  /** Begins a reply, then says nothing until the client leaves. */
  | { readonly kind: 'idle' }

/** What a paced stream sends each second, as a model that writes fast. */
export const deltasPerSecond = 30

/** The text of every delta: a few words, nothing to escape. */
export const deltaText = 'lorem ipsum '

export function planText(plan: Plan): string {
  return JSON.stringify(plan)
}
