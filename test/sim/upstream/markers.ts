/** Every session writes its own marker into all its texts, and the upstream writes back whose it has seen. */
export function markerOf(session: string): string {
  return `@${session}@`
}

/** What is no marker was made of one by a stream that mixes up its pieces. */
export const markerForm = /@\w+@/g

export function markersIn(text: string): readonly string[] {
  return [...new Set(text.match(markerForm) ?? [])]
}
