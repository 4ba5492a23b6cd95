/** Exponential back-off with full jitter, in ms. `attempt` counts from 0; `random` gives [0, 1). */
export function backoffMs(
  attempt: number,
  options: { readonly baseMs: number; readonly maxMs: number; readonly random: () => number },
): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** attempt)
  return Math.round(ceiling * options.random())
}
