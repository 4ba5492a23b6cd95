import { describe, expect, it } from 'vitest'
import { repliesOr, startLoad } from '../kit/clients/load.ts'
import { check } from '../kit/history/checker.ts'
import { keep } from '../kit/history/kept.ts'
import { startNemesis } from '../kit/process/nemesis.ts'
import type { Replication } from '../kit/process/replicated-postgres.ts'
import { figure } from '../kit/process/soak.ts'

const replies = repliesOr(figure(500, 10_000))

async function play(replication: Replication, replies: number) {
  await using nemesis = await startNemesis(replication)
  const load = startLoad(nemesis.cluster, {
    leastWords: 20,
    // On a busy machine a failover takes its time.
    retries: 1_000,
    replies,
    people: figure(32, 96),
  })
  const { seed, random, talk, ends, failures } = load
  talk.recorder.add({ type: 'crash' })
  const acts = await nemesis.strike(random.fork('nemesis'), load.done)
  await talk.settle({ atOnce: 8 })
  const { history } = talk.recorder
  const problems = check(history)
  const verdict = {
    replication,
    seed,
    replies,
    acts,
    ends: Object.fromEntries(ends),
    failures,
    problems,
  }
  return {
    ...verdict,
    completed: ends.get('ReplyCompleted') ?? 0,
    file: await keep(`nemesis-${replication}-${seed}`, verdict, history),
  }
}

const timeout = figure(900_000, 5_400_000)

describe(
  'three instances, a primary with two standbys and Redis, of which any dies, stands still, is cut off or has a wrong clock',
  { timeout },
  () => {
    it(`P2 P3 P5 P10: F21: F23: F28: F29: F40: F46: lose no message and double none in ${replies} replies`, async () => {
      const { problems, failures, acts, ends, completed, file } = await play('synchronous', replies)
      expect([...failures, ...problems], file).toEqual([])
      expect(
        Object.values(ends).reduce((sum, count) => sum + count),
        file,
      ).toBe(replies)
      // There are twelve, and a load of few replies has no time for all of them.
      expect(Object.keys(acts).length, file).toBeGreaterThanOrEqual(8)
      expect(ends, file).not.toHaveProperty('ReplyFailed EXPIRED')
      // Most of them go on: the platform tells how a Bot's reply ended.
      expect(completed, file).toBeGreaterThan(replies / 2)
    })

    it('F29: F44: lose what was acknowledged last where no standby was waited for, and show nothing else in its place', async () => {
      const { problems, failures, file } = await play('asynchronous', repliesOr(figure(80, 2_000)))
      expect(problems, file).not.toEqual([])
      expect(
        problems.filter((problem) => !isLoss.test(problem)),
        file,
      ).toEqual([])
      // Whoever has read what is lost is told so.
      for (const failure of failures) expect(failure, file).toMatch(isRefusal)
    })
  },
)

/** Rules of the checker that a store breaks which has lost what it acknowledged; no other rule is broken by that. */
const isLoss =
  /^(?:1: .* missed |2: .* is another event |3: .* (?:never ended|ended at )|6: .* (?:made|became) )/
const isRefusal = /404|410|no longer has the events|NOT_FOUND/
