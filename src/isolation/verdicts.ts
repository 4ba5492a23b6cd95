import type { AssistantId } from '../domain.ts'
import type {
  Evidence,
  IsolationRecord,
  IsolationTarget,
  Proof,
  TargetVerdict,
} from '../domain/isolation.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { IsolationRecords } from '../store/store.ts'
import { type Breach, breachWays } from './breaches.ts'

/** A target as it is configured now. */
export interface ConfiguredTarget extends IsolationTarget {
  /** Digest of the settings that its proof is valid for. */
  readonly settingsDigest: string
  /** What it is on the platform: several assistants may be one there. */
  readonly upstream: string
}

export interface VerdictsOptions {
  readonly targets: readonly ConfiguredTarget[]
  readonly records: IsolationRecords
  /** How often what other instances have found out is read, in ms; undefined: there are none. */
  readonly refreshMs?: number | undefined
  /** How long a proof holds, in ms. */
  readonly proofMaxAgeMs: number
  readonly fingerprintOf: (id: Breach['sessions'][number]) => string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What is known now of how each target keeps sessions apart; in memory, and stored behind. */
export interface Verdicts extends AsyncDisposable {
  verdictOf(target: IsolationTarget): TargetVerdict
  /** What the verdict rests on; nothing of a target that is not configured. */
  recordsOf(assistantId: AssistantId): readonly IsolationRecord[]
  /** When the target whose proof is the oldest was probed, in ms since the epoch; undefined: some never was. */
  oldestProof(): number | undefined
  /** Two have met: from this moment the target is BREACHED, of every assistant on it, until an operator clears that one. */
  breached(breach: Breach): void
  /** Resolves when it is stored. */
  prove(target: IsolationTarget, proof: Omit<Proof, 'settingsDigest'>): Promise<void>
  /**
   * Takes an operator's word that what was behind a breach is mended. False: there was none.
   * `operator`: the fingerprint of that one's session.
   */
  clear(assistantId: AssistantId, operator: string): Promise<boolean>
}

/** Between two tries of a write that the store refused, in ms. */
const rewriteMs = 1000

export async function openVerdicts(options: VerdictsOptions): Promise<Verdicts> {
  const { targets, records, proofMaxAgeMs, clock, logger, metrics } = options
  const known = new Map(
    targets.map(({ settingsDigest, upstream, ...target }) => [
      keyOf(target),
      {
        settingsDigest,
        upstream,
        record: { target, proof: null, breach: null } as IsolationRecord,
      },
    ]),
  )
  /** Breaches that the store has: where it does not have one of them any more, it was cleared. */
  const recorded = new WeakSet<Evidence>()
  for (const record of await records.list()) {
    const entry = known.get(keyOf(record.target))
    if (entry !== undefined) entry.record = record
    if (record.breach !== null) recorded.add(record.breach)
  }
  const closed = new AbortController()
  const writes = new Set<Promise<void>>()
  const clearing = new WeakSet<Evidence>()
  /** A proof that grows old is told by nobody else. */
  const timers = new Map<string, Disposable>()
  for (const { record } of known.values()) tell(record.target)

  function verdictOf(target: IsolationTarget): TargetVerdict {
    const entry = known.get(keyOf(target))
    if (entry === undefined) return 'UNPROVEN'
    const { settingsDigest, record } = entry
    const { proof, breach } = record
    if (breach !== null) return 'BREACHED'
    if (proof === null) return 'UNPROVEN'
    if (proof.settingsDigest !== settingsDigest) return 'STALE'
    // What leaks does not stop to by itself.
    const isOld = clock.now() - proof.checkedAt >= proofMaxAgeMs
    return isOld && proof.verdict !== 'LEAKING' ? 'STALE' : proof.verdict
  }

  function update(target: IsolationTarget, change: Partial<IsolationRecord>): void {
    const entry = known.get(keyOf(target))
    if (entry === undefined) return
    entry.record = { ...entry.record, ...change }
    tell(target)
  }

  function tell(target: IsolationTarget): void {
    const key = keyOf(target)
    const verdict = verdictOf(target)
    metrics.isolationVerdict(target.assistantId, target.strategy, verdict)
    timers.get(key)?.[Symbol.dispose]()
    timers.delete(key)
    const proof = known.get(key)?.record.proof
    if (proof == null) return
    const left = proof.checkedAt + proofMaxAgeMs - clock.now()
    if (left > 0)
      timers.set(
        key,
        clock.timer(left, () => tell(target)),
      )
  }

  /** The verdict stands in memory whether the store takes it or not; a restart must know of it as well. */
  async function store(target: IsolationTarget, evidence: Evidence): Promise<void> {
    while (known.get(keyOf(target))?.record.breach === evidence) {
      try {
        await records.recordBreach(target, evidence)
        recorded.add(evidence)
        return
      } catch (error) {
        logger.error({ err: error }, 'a breach was not stored')
        await clock.sleep(rewriteMs, closed.signal).catch(() => undefined)
        if (closed.signal.aborted) return
      }
    }
  }

  function breach({ target, breach: before }: IsolationRecord, evidence: Evidence): void {
    // An operator's word is about what was known when it was given.
    if (before !== null && !clearing.has(before)) return
    update(target, { breach: evidence })
    const write = store(target, evidence).finally(() => writes.delete(write))
    writes.add(write)
  }

  /** What another instance has found out, or an operator has told one. */
  function learn({ target, proof, breach: found }: IsolationRecord): void {
    const before = known.get(keyOf(target))?.record
    if (before === undefined) return
    if (proof !== null && proof.checkedAt > (before.proof?.checkedAt ?? 0))
      update(target, { proof })
    if (found !== null && before.breach === null) {
      recorded.add(found)
      update(target, { breach: found })
    }
    if (found === null && before.breach !== null && recorded.has(before.breach)) {
      update(target, { breach: null })
    }
  }

  async function learnRegularly(everyMs: number): Promise<void> {
    for (;;) {
      await clock.sleep(everyMs, closed.signal).catch(() => undefined)
      if (closed.signal.aborted) return
      try {
        const found = new Map((await records.list()).map((one) => [keyOf(one.target), one]))
        for (const [key, { record }] of known) {
          learn(found.get(key) ?? { target: record.target, proof: null, breach: null })
        }
      } catch (error) {
        logger.warn({ err: error }, 'what other instances know of isolation could not be read')
      }
    }
  }

  const learning = options.refreshMs === undefined ? undefined : learnRegularly(options.refreshMs)

  return {
    verdictOf,
    recordsOf: (assistantId) =>
      [...known.values()].flatMap(({ record }) =>
        record.target.assistantId === assistantId ? record : [],
      ),
    oldestProof() {
      const times = [...known.values()].map(({ record }) => record.proof?.checkedAt)
      return times.reduce((a, b) =>
        a === undefined || b === undefined ? undefined : Math.min(a, b),
      )
    },
    breached({ target, isNew, way, at, logIds, sessions }) {
      const { what } = breachWays[way]
      const evidence = { at, what, logIds, sessions: sessions.map(options.fingerprintOf) }
      metrics.isolationBreach(target.assistantId, target.strategy)
      logger.error(
        { assistant: target.assistantId, strategy: target.strategy, isNew, way, ...evidence },
        'isolation breach: an upstream conversation belongs to two, and nobody uses it again',
      )
      const upstream = known.get(keyOf(target))?.upstream
      for (const { record, ...one } of known.values()) {
        if (one.upstream === upstream) breach(record, evidence)
      }
    },
    async prove(target, proof) {
      const settingsDigest = known.get(keyOf(target))?.settingsDigest ?? ''
      await records.recordProof(target, { ...proof, settingsDigest })
      update(target, { proof: { ...proof, settingsDigest } })
    },
    async clear(assistantId, operator) {
      const breached = [...known.values()].flatMap(({ record: { target, breach } }) =>
        target.assistantId === assistantId && breach !== null ? { target, breach } : [],
      )
      if (breached.length === 0) return false
      for (const { breach } of breached) clearing.add(breach)
      await records.clearBreaches(assistantId)
      for (const { target, breach } of breached) {
        if (known.get(keyOf(target))?.record.breach === breach) update(target, { breach: null })
      }
      logger.warn(
        { audit: 'quarantine cleared', assistant: assistantId, session: operator },
        'quarantine cleared',
      )
      return true
    },
    async [Symbol.asyncDispose]() {
      closed.abort()
      for (const timer of timers.values()) timer[Symbol.dispose]()
      await Promise.all([...writes, learning])
    },
  }
}

function keyOf({ assistantId, strategy }: IsolationTarget): string {
  return `${strategy} ${assistantId}`
}
