import type { AssistantId, ReplyId, StrategyKind } from '../../src/domain.ts'
import type { IsolationTarget, TargetVerdict } from '../../src/domain/isolation.ts'
import type { Breach, BreachWay } from '../../src/isolation/breaches.ts'
import { openVerdicts, type Verdicts } from '../../src/isolation/verdicts.ts'
import type { Clock } from '../../src/lib/clock.ts'
import type { IsolationRecords } from '../../src/store/store.ts'
import type { ChatStrategy } from '../../src/strategy/strategy.ts'
import type { isolationTargets } from '../../src/strategy/targets.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import type { SeededBug } from './bugs/seeded-bug.ts'
import { replacing } from './bugs/replacing.ts'
import type { FaultRow } from './faults.ts'
import { targetKey } from './store/isolation.ts'
import type { World } from './world.ts'

/** Which faults make two meet, so that a gateway may tell it this way. */
const evidence: Readonly<Record<BreachWay, readonly FaultRow[]>> = {
  'of-another-session': ['T13', 'F16'],
  'of-another-conversation': ['T13'],
  'used-before': ['T13'],
  'not-readable': ['T13'],
  'event-of-another-conversation': ['F16'],
  'event-of-another-chat': ['F16'],
  'list-of-another-conversation': [],
  'shared-at-start': [],
}

/** What one life of a gateway knows of breaches, and a look at whether it acts accordingly. */
export interface Isolation extends AsyncDisposable {
  /** Reads what was stored. Before the first request. */
  open(): Promise<void>
  verdictOf(target: IsolationTarget): TargetVerdict
  breached(breach: Breach): void
  /** What an operator does. */
  clear(assistantId: AssistantId): Promise<void>
  /** The same strategy; tells when a message goes where two have met. */
  watched(assistantId: AssistantId, strategy: ChatStrategy): ChatStrategy
  /** Breaches that this life was told of and that are not on disk. */
  findUnstored(): readonly string[]
}

export function createIsolation(
  world: World,
  bug: SeededBug,
  options: {
    readonly records: IsolationRecords
    readonly targets: ReturnType<typeof isolationTargets>
    readonly clock: Clock
  },
): Isolation {
  const { clock, targets } = options
  const records = bug.isolation?.(options.records) ?? options.records
  const state = () => world.disk.state
  /** By target: the replies that may have been on their way to it when the breach became known. */
  const standing = new Map<string, ReadonlySet<ReplyId>>()
  const wrapped = new Map<ChatStrategy, ChatStrategy>()
  let verdicts: Verdicts | undefined

  function look(assistantId: AssistantId, strategy: StrategyKind, replyId: ReplyId): void {
    const target = targetKey({ assistantId, strategy })
    const before = standing.get(target)
    if (world.onBreach === 'alert' || before === undefined || before.has(replyId)) return
    world.problems.push(`isolation: ${replyId} goes to ${target}, where two have met`)
  }

  return {
    async open() {
      const opened = await openVerdicts({
        targets,
        records,
        proofMaxAgeMs: Infinity,
        fingerprintOf: (id) => id,
        clock,
        logger: world.logger,
        metrics: uncounted,
      })
      verdicts = bug.verdicts?.(opened) ?? opened
      for (const [target, { breach }] of state().isolation) {
        if (breach !== null) standing.set(target, new Set())
      }
    },
    verdictOf: (target) => verdicts?.verdictOf(target) ?? 'UNPROVEN',
    breached(breach) {
      if (!evidence[breach.way].some((row) => world.faults.reached.has(row))) {
        const target = targetKey(breach.target)
        world.problems.push(
          `isolation: a breach of ${target} is told, and nobody has met: ${breach.way}`,
        )
      }
      const target = targetKey(breach.target)
      if (!standing.has(target)) standing.set(target, new Set(state().replies.keys()))
      verdicts?.breached(breach)
    },
    async clear(assistantId) {
      for (const target of targets) {
        if (target.assistantId === assistantId) standing.delete(targetKey(target))
      }
      await verdicts?.clear(assistantId, 'operator')
    },
    watched(assistantId, strategy) {
      let found = wrapped.get(strategy)
      if (found === undefined) {
        found = replacing(strategy, {
          start(request, take, signal) {
            look(assistantId, strategy.kind, request.replyId)
            return strategy.start(request, take, signal)
          },
        })
        wrapped.set(strategy, found)
      }
      return found
    },
    findUnstored: () =>
      [...standing.keys()]
        .filter((target) => state().isolation.get(target)?.breach == null)
        .map((target) => `isolation: a breach of ${target} is not stored`),
    async [Symbol.asyncDispose]() {
      await verdicts?.[Symbol.asyncDispose]()
    },
  }
}
