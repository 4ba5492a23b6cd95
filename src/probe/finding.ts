/** Where the platform could mix up two sessions, as a probe can tell them apart. */
export const probeLayers = [
  'conversation',
  'variables',
  'long-term-memory',
  'knowledge',
  'pending-question',
  'identity',
] as const
export type ProbeLayer = (typeof probeLayers)[number]

export type LayerVerdict = 'ISOLATED' | 'LEAKING' | 'INCONCLUSIVE' | 'NOT_TESTED'

/** What was seen, for the platform's support: nothing in it tells what was said, or by whom. */
export interface Evidence {
  /** ms since the epoch. */
  readonly at: number
  readonly what: string
  /** The platform's own ids of the calls. */
  readonly logIds: readonly string[]
}

export interface Finding {
  readonly layer: ProbeLayer
  readonly verdict: LayerVerdict
  /** Why it is so, in a sentence. */
  readonly reason: string
  /** Of a leak: what is behind it, and how sure that is. */
  readonly cause: string | null
  /** Of a leak: what to change, in the platform's own terms. */
  readonly remedy: string | null
  readonly evidence: readonly Evidence[]
}

/** LEAKING if any layer leaks; INCONCLUSIVE if even the conversation could not be judged. */
export function overallVerdict(findings: readonly Finding[]): Exclude<LayerVerdict, 'NOT_TESTED'> {
  if (findings.some(({ verdict }) => verdict === 'LEAKING')) return 'LEAKING'
  const conversation = findings.find(({ layer }) => layer === 'conversation')
  const isUnsure = findings.some(({ verdict }) => verdict === 'INCONCLUSIVE')
  return conversation?.verdict === 'ISOLATED' && !isUnsure ? 'ISOLATED' : 'INCONCLUSIVE'
}
