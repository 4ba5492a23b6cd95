import type { Platform } from '../../src/domain.ts'
import type { OnBreach } from '../../src/domain/isolation.ts'
import type { NewId } from '../../src/lib/id.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { StoreError } from '../../src/store/store.ts'
import type { Step } from '../kit/history/history.ts'
import { describeError } from './fault-text.ts'
import { createFaults, type FaultRow, type Faults } from './faults.ts'
import { createNetwork, type Network } from './network.ts'
import { type Random, createRandom } from '../kit/random.ts'
import type { DiskFlaw } from './store/flaw.ts'
import type { DiskWeather, WriteName } from './store/commits.ts'
import { createMemoryDisk, type MemoryDisk } from './store/store.ts'
import { createTimeline, type Timeline } from './timeline.ts'
import { createUpstream } from './upstream/upstream.ts'
import { createUpstreamWorld, type UpstreamWorld } from './upstream/world.ts'

/** When a gateway may die. */
export type Moment = 'delivered' | 'committing' | 'durable' | 'correcting'

/** All that a seed makes, and what is recorded of it. */
export interface World {
  readonly seed: number
  /** What answers upstream. */
  readonly platform: Platform
  /** What the operator takes it for: a Studio may be configured as the cloud. */
  readonly configuredAs: Platform
  /** How long an answer of the store is on its way, in ms. */
  readonly answerMs: () => number
  /** How long events outlive their reply, in ms. */
  readonly retentionMs: number
  /** Runs that an assistant may have at once. */
  readonly maxRunning: number
  /** What becomes of an assistant that shares conversations. */
  readonly onBreach: OnBreach
  readonly random: Random
  readonly timeline: Timeline
  readonly faults: Faults
  readonly upstream: UpstreamWorld
  readonly network: Network
  readonly disk: MemoryDisk
  readonly newId: NewId
  readonly logger: Logger
  readonly history: Step[]
  /** Cursors that were refused because the log was trimmed. */
  expiries: number
  /** Replies that somebody asked to cancel. */
  readonly cancels: Set<string>
  /** Conversations that somebody asked to delete. */
  readonly deletedConversations: Set<string>
  /** People who asked to erase all that they have. */
  readonly erasedPeople: Set<string>
  /** What the simulation itself found wrong. */
  readonly problems: string[]
  /** Moments at which a gateway may die: the supervisor decides. */
  onMoment: (moment: Moment) => void
  /** What each commit was to write, in order. */
  readonly commits: (readonly WriteName[])[]
}

const startAt = Date.UTC(2026, 0, 1)

export function createWorld(
  seed: number,
  options: {
    /** Default: the seed decides. */
    readonly platform: Platform | undefined
    readonly only: readonly FaultRow[] | undefined
    readonly flaw: DiskFlaw | undefined
  },
): World {
  const { only, flaw } = options
  const random = createRandom(seed)
  const drawn = random.fork('platform')
  const platform = options.platform ?? drawn.pick(['cloud', 'studio'])
  const timeline = createTimeline(startAt)
  const faults = createFaults(random.fork('faults'), platform, only)
  const { clock } = timeline
  const problems: string[] = []
  const upstream = createUpstreamWorld({ platform, clock, random: random.fork('upstream'), faults })
  const world: World = {
    seed,
    platform,
    configuredAs: platform === 'cloud' ? 'cloud' : drawn.pick(['cloud', 'studio']),
    answerMs: createDistance(random.fork('distance')),
    maxRunning: random.fork('permits').pick([1, 3, 1_000, 1_000]),
    onBreach: random.fork('settings').pick(['quarantine', 'fallback', 'alert']),
    retentionMs: random.fork('retention').chance(0.15) ? 5_000 : 24 * 3_600_000,
    random,
    timeline,
    faults,
    upstream,
    network: createNetwork({
      clock,
      random: random.fork('network'),
      faults,
      upstream: createUpstream(upstream),
      onDelivered: () => world.onMoment('delivered'),
    }),
    disk: createMemoryDisk({
      clock,
      weather: createWeather(random.fork('disk'), faults, () => world),
      newId: createCountingIds('st'),
      flaw,
    }),
    newId: createCountingIds('id'),
    logger: createSuspiciousLogger(problems),
    history: [],
    expiries: 0,
    cancels: new Set(),
    deletedConversations: new Set(),
    erasedPeople: new Set(),
    problems,
    onMoment() {},
    commits: [],
  }
  upstream.onCorrecting = () => world.onMoment('correcting')
  upstream.onMeeting = (replyId, running) => {
    problems.push(`${replyId} goes where ${running.replyId} still runs`)
  }
  watchDeletions(world)
  return world
}

/** Only what is owed is deleted upstream, and nobody is answered any more where that is so. */
function watchDeletions({ disk, upstream, problems, faults }: World): void {
  const isOwed = (upstreamId: string) =>
    disk.state.everOwed.some(
      (work) => work.type === 'delete-conversation' && work.upstream.conversationId === upstreamId,
    )
  upstream.onDeleting = ({ id }) => {
    if (!isOwed(id)) problems.push(`${id} is deleted upstream, and nobody owes that`)
  }
  upstream.onSending = (replyId, id) => {
    // Who woke up beside the one that took over may send once more, for nobody.
    if (faults.reached.has('F23') || upstream.conversations.get(id)?.isShared === true) return
    if (isOwed(id)) problems.push(`${replyId} goes to ${id}, whose deletion is owed`)
  }
}

/** Ids of 22 characters that are the same for the same seed. */
function createCountingIds(prefix: string): NewId {
  let ids = 0
  return () => {
    ids += 1
    return prefix + String(ids).padStart(20, '0')
  }
}

/** In most worlds the store is in the process; in some it is across a network, where answers overtake each other. */
function createDistance(random: Random): () => number {
  const isFar = random.chance(0.3)
  return () => (isFar ? random.between(0, 3) : 0)
}

function createWeather(random: Random, faults: Faults, world: () => World): DiskWeather {
  /** Until when commits fail, and how. */
  let outage: { readonly until: number; readonly kind: 'full' | 'unavailable' } | undefined
  return {
    commitMs: () =>
      faults.isDrawn('F32') && random.chance(0.05)
        ? random.between(200, 4000)
        : random.between(1, 5),
    outage() {
      const now = world().timeline.clock.monotonic()
      if (outage !== undefined && now < outage.until) {
        if (faults.isDrawn(outage.kind === 'full' ? 'F33' : 'F32')) return outage.kind
      }
      const until = now + random.pick([1, 300, 3000, 10_000])
      if (faults.strikes('F33', 0.03)) outage = { until, kind: 'full' }
      else if (faults.strikes('F32', 0.03)) outage = { until, kind: 'unavailable' }
      else return undefined
      faults.reach(outage.kind === 'full' ? 'F33' : 'F32')
      return outage.kind
    },
    onCommitting(writes) {
      world().commits.push(writes)
      world().onMoment('committing')
    },
    onDurable: () => world().onMoment('durable'),
    onLost(count) {
      if (count > 0) faults.reach('F34')
    },
  }
}

/** A gateway that logs an error which is not the store's, or that ends a worker, has a fault of its own. */
function createSuspiciousLogger(problems: string[]): Logger {
  return {
    debug() {},
    info() {},
    warn() {},
    error({ err }, message) {
      const isExpected = err === undefined || err instanceof StoreError
      if (isExpected && message !== 'a conversation worker failed') return
      const what = describeError(err)
      problems.push(`log: ${message}: ${what}`)
    },
  }
}
