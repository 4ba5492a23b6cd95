import { randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { figure } from '../kit/process/soak.ts'
import { playRound, type RoundReport, stepNames } from '../kit/random-scenarios/round.ts'

/**
 * `STEPS=<count>` takes so many, half of them on each platform; `STEPS_ON=studio` on that alone. `STEPS_SEED=<seed>` takes the
 * same again, `STEPS_FROM=<step>` from there on.
 */
// oxlint-disable-next-line node/no-process-env
const { STEPS, STEPS_ON, STEPS_SEED, STEPS_FROM } = process.env
const seed = Number(STEPS_SEED ?? randomInt(2 ** 31))
const first = Number(STEPS_FROM ?? 0)
const steps = Number(STEPS ?? figure(8_000, 1_000_000))

/** Each round has a gateway and an upstream of its own, so that nothing grows with the number of steps. */
const perRound = 1_000
/** Rounds under way at once: each waits for its last replies at its end. */
const lanes = 5
/** The platform of a round, and what mixes sessions up in it, in turn. */
const settings = [
  { dialect: 'cloud', leak: undefined },
  { dialect: 'studio', leak: undefined },
  { dialect: 'cloud', leak: 'staticConversation' },
  { dialect: 'studio', leak: 'staticConversation' },
  { dialect: 'cloud', leak: undefined },
  { dialect: 'studio', leak: undefined },
  { dialect: 'cloud', leak: 'sharedName' },
  { dialect: 'studio', leak: undefined },
] as const
const chosen = settings.filter(({ dialect }) => STEPS_ON === undefined || dialect === STEPS_ON)

async function play(): Promise<readonly RoundReport[]> {
  const reports: RoundReport[] = []
  let next = first
  async function lane(): Promise<void> {
    while (next < first + steps && reports.every(({ complaints }) => complaints.length === 0)) {
      const from = next
      next += perRound
      const about = chosen[Math.floor(from / perRound) % chosen.length] ?? settings[0]
      const count = Math.min(perRound, first + steps - from)
      reports.push(await playRound({ seed, from, steps: count, atOnce: 16, ...about }))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return reports
}

function sum(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const [name, count] of counts.flatMap((each) => Object.entries(each))) {
    total[name] = (total[name] ?? 0) + count
  }
  return total
}

describe('steps at random over a gateway in this process', () => {
  it(
    'T1 T2 T13 F21: show no session an event or a word of another, and each its own',
    async () => {
      console.log(`takes ${steps} steps at random from step ${first} of seed ${seed}`)
      const startedAt = performance.now()
      const reports = await play()
      const seconds = (performance.now() - startedAt) / 1_000
      const outcomes = sum(reports.map((report) => report.outcomes))
      const ends = sum(reports.map((report) => report.ends))
      const total = (of: (report: RoundReport) => number) =>
        reports.reduce((sum, report) => sum + of(report), 0)
      const [taken, sessions, heard] = [
        total((report) => report.steps),
        total((report) => report.sessions),
        total((report) => report.heard),
      ]
      console.log(
        `${taken} steps at random from step ${first} of seed ${seed}, ${(taken / seconds).toFixed(0)} per second; of ${sessions} sessions ${heard} heard of themselves: ${JSON.stringify({ ends, outcomes })}`,
      )
      expect(reports.flatMap(({ complaints }) => complaints).join('\n')).toBe('')
      if (steps < 5 * perRound) return
      // All of it has happened.
      expect(heard).toBeGreaterThan(sessions / 2)
      expect(ends).toMatchObject({
        completed: expect.any(Number),
        cancelled: expect.any(Number),
        ISOLATION_BREACH: expect.any(Number),
      })
      const kinds = Object.keys(outcomes).map((outcome) => outcome.split(':')[0])
      expect(stepNames.filter((name) => !kinds.includes(name))).toEqual([])
      expect(outcomes).toMatchObject({
        'crash: died': expect.any(Number),
        'resume: followed': expect.any(Number),
        'erase: EraseSessionSuccess': expect.any(Number),
        'trespass: Subscription.replies.after': expect.any(Number),
      })
      // Most are broken off by a death.
      if (steps >= 100 * perRound) expect(outcomes).toHaveProperty(['probe: ISOLATED'])
    },
    24 * 3_600_000,
  )
})
