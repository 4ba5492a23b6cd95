import { isTerminal, type Platform, type ReplyEvent } from '../../src/domain.ts'
import type { History } from '../kit/history/history.ts'
import { noBug, type SeededBug } from './bugs/seeded-bug.ts'
import { createClient } from './client.ts'
import type { FaultRow } from './faults.ts'
import { intrude } from './intruder.ts'
import { judge } from './judge.ts'
import { people as everybody } from './people.ts'
import { openSubscriber, type Subscriber } from './reader.ts'
import type { WriteName } from './store/commits.ts'
import { type CrashPoint, createSupervisor } from './supervisor.ts'
import { createWorld, type World } from './world.ts'

export interface SimulationOptions {
  /** What answers upstream; undefined: the seed decides. */
  readonly platform?: Platform | undefined
  /** Exactly these faults may happen; undefined: the seed draws them. */
  readonly only?: readonly FaultRow[] | undefined
  readonly bug?: SeededBug | undefined
  /** A crash that comes whatever faults there are. */
  readonly crashAt?: CrashPoint | undefined
}

export interface Simulation {
  readonly seed: number
  readonly platform: Platform
  readonly history: History
  /** Nothing when all is well. */
  readonly problems: readonly string[]
  readonly drawn: ReadonlySet<FaultRow>
  readonly reached: ReadonlySet<FaultRow>
  /** Replies by their status. */
  readonly ends: Readonly<Record<string, number>>
  readonly steps: number
  /** Readers that were told that their place in the log is gone. */
  readonly expiries: number
  /** What each commit wrote, in order. */
  readonly commits: readonly (readonly WriteName[])[]
}

/** How long trouble lasts, and how long all replies may take to end after it, in virtual ms. */
const troubleMs = 75_000
const deadlineMs = 20 * 60_000
const settleMs = 90_000

/**
 * Plays one seed from the first message to the last look. Everything is virtual but the code under test:
 *
 *     people (client, reader, intruder) ──▶ reply engine ──▶ strategies, tokens, guard ──▶ network ──▶ upstream
 *              │                                │                                     (cuts, refusals)  (a model)
 *              │ what they see                  ▼
 *              ▼                          ledger and log ──▶ disk (durable │ volatile: a crash takes the latter)
 *           history ──▶ checker
 *
 * A supervisor keeps a gateway running, and kills, freezes, drains and replaces it. Time passes only when nothing is left
 * to do, and every choice is the seed's: the same seed gives the same history, byte for byte.
 */
export async function simulate(
  seed: number,
  { platform, only, bug = noBug, crashAt }: SimulationOptions = {},
): Promise<Simulation> {
  const world = createWorld(seed, { platform, only, flaw: bug.flaw })
  const { timeline, faults } = world
  const random = world.random.fork('story')
  const supervisor = createSupervisor(world, bug, crashAt)
  const people = everybody.slice(0, random.between(2, 4))
  const subscribers: Subscriber[] = []
  let talking = people.length

  for (const person of people) {
    const client = createClient(world, supervisor, person)
    const hear = (event: ReplyEvent) => {
      if (event.type === 'action-required') client.answerTools(event.replyId, event.toolCalls)
      if (event.type === 'completed') client.goOn(event.conversationId)
    }
    const subscribe = (wanted: Subscriber['wanted']) => {
      const name = `${person}-${subscribers.length}`
      subscribers.push(openSubscriber(world, supervisor, person, name, wanted, hear))
    }
    subscribe({})
    client.onReply((reply) => {
      if (subscribers.length > 24) return
      if (random.chance(0.5)) subscribe({ replyId: reply.id })
      if (random.chance(0.2)) subscribe({ conversationId: reply.conversationId })
    })
    void intrude(world, supervisor, person)
    void client.talk(random.between(2, 7)).finally(() => (talking -= 1))
  }

  await timeline.run(() => false, troubleMs)
  faults.heal()
  supervisor.heal()
  const hasEnded = () =>
    talking === 0 &&
    supervisor.serving !== undefined &&
    isAllDone(world) &&
    [...world.disk.state.replies.values()].every(({ told }) => isTerminal(told.status))
  const isOver = await timeline.run(hasEnded, deadlineMs)
  if (!isOver) world.problems.push(...findUndone(world))
  let isRestarted = !random.chance(0.3)
  if (!isRestarted) void supervisor.restart().finally(() => (isRestarted = true))
  for (const subscriber of subscribers) subscriber.behave()
  await timeline.run(() => false, timeline.clock.monotonic() + settleMs)

  const gateway = supervisor.serving
  if (gateway === undefined) throw new Error(`seed ${seed}: there is no gateway at the end`)
  let problems: readonly string[] | undefined
  const judging = judge(world, gateway, people, subscribers).then((found) => (problems = found))
  await timeline.run(() => problems !== undefined, timeline.clock.monotonic() + settleMs)
  if (problems === undefined) {
    problems = [...world.problems, 'the log cannot be read to its end']
  } else await judging

  supervisor.end()

  const ends: Record<string, number> = {}
  for (const { told } of world.disk.state.replies.values()) {
    const end = told.failure?.code ?? told.status
    ends[end] = (ends[end] ?? 0) + 1
  }
  return {
    seed,
    platform: world.platform,
    history: world.history,
    problems,
    drawn: faults.drawn,
    reached: faults.reached,
    ends,
    steps: timeline.steps,
    expiries: world.expiries,
    commits: world.commits,
  }
}

/** What is owed is done; what was put off before the clock was set back is due an hour later. */
function isAllDone({ disk, faults, timeline }: World): boolean {
  const owed = [...disk.state.outbox.values()]
  const now = timeline.clock.now()
  return owed.length === 0 || (faults.reached.has('F40') && owed.every(({ dueAt }) => dueAt > now))
}

function findUndone({ disk: { state } }: World): readonly string[] {
  const open = [...state.replies.values()].filter(({ told }) => !isTerminal(told.status))
  const problems = [...state.outbox.values()].map(
    ({ work }) => `${work.type} is still owed at the deadline, after ${work.attempts} attempts`,
  )
  if (open.length > 0 || problems.length === 0) {
    problems.push('not all replies have ended by the deadline')
  }
  return problems
}
