/** Every session writes its own marker into all its texts, and the upstream writes back whose it has seen. */
export function markerOf(session: string): string {
  return `@${session}@`
}

export function markersIn(text: string): readonly string[] {
  return [...new Set(text.match(/@\w+@/g) ?? [])]
}
