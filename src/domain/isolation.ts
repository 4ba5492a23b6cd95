import type { AssistantId, KeyedLayer, StrategyKind } from '../domain.ts'

/** What is isolated or not: an assistant as one of its strategies drives it. */
export interface IsolationTarget {
  readonly assistantId: AssistantId
  readonly strategy: StrategyKind
}

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
  /** Fingerprints of our sessions that met. */
  readonly sessions: readonly string[]
}

export interface Finding {
  readonly layer: ProbeLayer
  readonly verdict: LayerVerdict
  /** Why it is so, in a sentence. */
  readonly reason: string
  /** What is behind a leak, or behind what could become one, and how sure that is. */
  readonly cause: string | null
  /** What to change there, in the platform's own terms. */
  readonly remedy: string | null
  readonly evidence: readonly Evidence[]
}

export type ProofVerdict = Exclude<LayerVerdict, 'NOT_TESTED'>

/** What a probe found out. */
export interface Proof {
  readonly verdict: ProofVerdict
  readonly findings: readonly Finding[]
  /** ms since the epoch. */
  readonly checkedAt: number
  /** Digest of the settings that it is valid for: the proof of other ones is stale. */
  readonly settingsDigest: string
}

/** What is stored of a target. */
export interface IsolationRecord {
  readonly target: IsolationTarget
  /** Null: no probe has ended. */
  readonly proof: Proof | null
  /** Two sessions or conversations have met, and no operator has cleared it since. */
  readonly breach: Evidence | null
}

/** `STALE`: proven long ago, or for other settings. */
export type TargetVerdict = 'UNPROVEN' | ProofVerdict | 'BREACHED' | 'STALE'

/** What becomes of an assistant one of whose targets was breached. */
export type OnBreach = 'quarantine' | 'fallback' | 'alert'

/** LEAKING if any layer leaks; INCONCLUSIVE if even the conversation could not be judged. */
export function overallVerdict(findings: readonly Finding[]): ProofVerdict {
  if (findings.some(({ verdict }) => verdict === 'LEAKING')) return 'LEAKING'
  const conversation = findings.find(({ layer }) => layer === 'conversation')
  const isUnsure = findings.some(({ verdict }) => verdict === 'INCONCLUSIVE')
  return conversation?.verdict === 'ISOLATED' && !isUnsure ? 'ISOLATED' : 'INCONCLUSIVE'
}

/** What is known of how an assistant keeps sessions apart. */
export interface AssistantIsolation {
  /** The verdict of the strategy that answers new conversations; where none does, of the first. */
  readonly verdict: TargetVerdict
  /** Whether messages are taken. */
  readonly inService: boolean
  /** When that strategy was probed last, in ms since the epoch; null: never. */
  readonly checkedAt: number | null
  /** What the last probe and the guard have found, strategy by strategy. */
  readonly findings: readonly (Finding & Pick<IsolationTarget, 'strategy'>)[]
  /** What keys each layer of each strategy by the session. */
  readonly keying: readonly (Pick<IsolationTarget, 'strategy'> & {
    readonly layers: readonly KeyedLayer[]
  })[]
}
