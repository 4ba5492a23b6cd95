const maxWords = 1_000_000
const nouns = ['river', 'stone', 'lamp', 'orchard', 'signal', 'harbour', 'thread', 'winter']

/** The text of `/long`: `count` numbered words, so that a gap or a doubled piece shows. */
export function longText(count: number): string {
  const parts: string[] = []
  for (let i = 1; i <= Math.min(count, maxWords); i++) parts.push(`${nouns[i % nouns.length]}-${i}`)
  return parts.join(' ')
}
