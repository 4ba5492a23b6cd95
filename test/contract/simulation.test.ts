import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { figure, isSoak } from '../kit/process/soak.ts'
import { seededBugs } from '../sim/bugs/seeded-bugs.ts'
import type { Platform } from '../../src/domain.ts'
import { shareAnswered } from '../sim/causes.ts'
import { digestOf } from '../sim/digest.ts'
import { type FaultRow, faultRows, faultRowsOn } from '../sim/faults.ts'
import type { WriteName } from '../sim/store/commits.ts'
import { type Simulation, simulate, type SimulationOptions } from '../sim/simulate.ts'

/** All faults against this many seeds; the full figure is for `npm run test:soak`. */
const seeds = figure(50, 1000)
/** A seeded bug is to be caught by then. */
const seedsForABug = 150

const platforms: readonly Platform[] = ['cloud', 'studio']

/**
 * `SIM_SEED=<seed>` plays one seed alone, with `SIM_ROWS=<F1,F2,…>` against these faults only, with `SIM_ON=<platform>` on that
 * one, with `SIM_DEATH=<committing|durable>:<commit>` with a death there; else the seed decides.
 */
// oxlint-disable-next-line node/no-process-env
const {
  SIM_SEED: alone,
  SIM_ROWS: rowsAlone,
  SIM_ON: platformAlone,
  SIM_DEATH: death,
} = process.env

/** Faults that found something when they met, or had to stand each other. */
const meetings: readonly { readonly together: readonly FaultRow[] }[] = [
  // A correction that was shown and lost by a crash.
  { together: ['F19', 'F21'] },
  { together: ['F13', 'F9', 'F21'] },
  // A store that refuses what an end or a recovery has to write.
  { together: ['F20', 'F25', 'F32', 'F33'] },
  { together: ['F21', 'F32', 'F33'] },
  { together: ['F23', 'F32', 'F33'] },
  // A run that goes on, since the platform did not take the cancel.
  { together: ['F7', 'F10'] },
  // A breach that has to outlive its gateway, and the fallback that answers meanwhile.
  { together: ['T13', 'F21', 'F32', 'F33'] },
  // Conversations that are left behind, begun anew or shared, which must not be taken for one another.
  { together: ['T13', 'F9', 'F18', 'F41'] },
  // A run that the platform has forgotten, looked up by a gateway that has.
  { together: ['restart', 'F9', 'F10', 'F21'] },
]

/** Where a death must have been tried. */
const onBoth: readonly WriteName[] = [
  'accept',
  'claim',
  'intend',
  'bind',
  'text',
  'finish',
  'clear',
  'delete',
  'erase',
  'outbox',
]
/** A Studio asks for no tools. */
const orderOfWrites = { cloud: [...onBoth, 'action', 'outputs'], studio: onBoth } as const

async function play(seed: number, options: SimulationOptions = {}): Promise<Simulation> {
  const simulation = await simulate(seed, options)
  const { problems, reached, platform } = simulation
  const told = [...new Set(problems)].slice(0, 8).join('\n  ')
  const where = 'vitest run --config test/vitest.config.ts test/contract/simulation.test.ts'
  const rows = options.only === undefined ? '' : ` SIM_ROWS=${options.only.join()}`
  const { crashAt } = options
  const death = crashAt === undefined ? '' : ` SIM_DEATH=${crashAt.moment}:${crashAt.commit}`
  expect
    .soft(
      told,
      `SIM_SEED=${seed} SIM_ON=${platform}${rows}${death} npx ${where} (reached ${[...reached].join(' ')})`,
    )
    .toBe('')
  return simulation
}

/** Nothing here waits: how long it takes is how busy the machine is. */
describe.skipIf(alone !== undefined)('simulation', { timeout: 900_000 }, () => {
  it(`breaks no rule in ${seeds} seeds with all faults`, async () => {
    const reached = new Map<FaultRow, number>()
    const played = new Set<Platform>()
    for (let seed = 1; seed <= seeds; seed += 1) {
      const simulation = await play(seed)
      played.add(simulation.platform)
      for (const row of simulation.reached) reached.set(row, (reached.get(row) ?? 0) + 1)
    }
    expect(played).toEqual(new Set(platforms))
    if (!isSoak) return
    for (const row of faultRows) {
      const share = platforms.filter((platform) => faultRowsOn(platform).includes(row)).length / 2
      const least = (seeds / 100) * share
      expect(reached.get(row) ?? 0, `seeds that reach ${row}`).toBeGreaterThanOrEqual(least)
    }
  })

  it.each(platforms)('completes every reply on %s where nothing goes wrong', async (platform) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { ends, reached } = await play(seed, { platform, only: [] })
      expect(reached.size).toBe(0)
      expect(ends['COMPLETED']).toBeGreaterThan(0)
    }
  })

  it.each(platforms.flatMap((platform) => faultRowsOn(platform).map((row) => ({ row, platform }))))(
    'reaches $row on $platform, breaks no rule by it, and answers what it can',
    async ({ row, platform }) => {
      let isReached = false
      let answered = 0
      let all = 0
      for (let seed = 1; seed <= figure(8, 100) || (!isReached && seed <= 40); seed += 1) {
        const { reached, ends } = await play(seed, { platform, only: [row, ...needed(row)] })
        isReached ||= reached.has(row)
        answered += (ends['COMPLETED'] ?? 0) + (ends['CANCELLED'] ?? 0)
        all += Object.values(ends).reduce((sum, count) => sum + count, 0)
      }
      expect(isReached).toBe(true)
      expect(answered / all).toBeGreaterThanOrEqual(shareAnswered(row, platform))
    },
  )

  it.each(meetings)('breaks no rule where $together meet', async ({ together }) => {
    for (let seed = 1; seed <= figure(12, 200); seed += 1) await play(seed, { only: together })
  })

  it.each(platforms)(
    'breaks no rule on %s where a gateway dies just before a write is on disk, or just after',
    async (platform) => {
      const deaths = new Map<string, number>()
      const missed = () => orderOfWrites[platform].filter((name) => !deaths.has(`durable ${name}`))
      for (let seed = 1; seed <= figure(6, 60) || (missed().length > 0 && seed <= 60); seed += 1) {
        // Actions are asked for by a fault.
        const only: readonly FaultRow[] = seed % 2 === 0 ? [] : ['F18']
        const { commits } = await simulate(seed, { platform, only })
        for (const moment of ['committing', 'durable'] as const) {
          for (const [index, writes] of commits.entries()) {
            const fresh = writes.filter((name) => !isEnough(deaths, `${moment} ${name}`))
            if (fresh.length === 0) continue
            for (const name of fresh) count(deaths, `${moment} ${name}`)
            await play(seed, { platform, only, crashAt: { moment, commit: index + 1 } })
          }
        }
      }
      expect(missed()).toEqual([])
    },
  )

  it('tells the same history for the same seed, in this process and in another', async () => {
    const some = [1, 2, 3, 4, 5]
    const here: string[] = []
    for (const seed of some) here.push(await digestOf(seed))
    for (const seed of some.toReversed()) expect(await digestOf(seed)).toBe(here[seed - 1])
    expect(new Set(here).size).toBe(some.length)
    const script = fileURLToPath(new URL('../sim/digest.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...some.map(String)])
    expect(stdout.trim().split('\n')).toEqual(here)
  })

  it.each(
    seededBugs.flatMap((bug) =>
      platforms
        .filter((platform) => bug.onlyOn === undefined || bug.onlyOn === platform)
        .map((platform) => ({ ...bug, platform })),
    ),
  )('catches on $platform a seeded bug: $name', async ({ bug, rows, tells, platform }) => {
    for (let seed = 1; seed <= seedsForABug; seed += 1) {
      const { problems } = await simulate(seed, { platform, bug: bug(), only: rows })
      if (problems.some((problem) => tells.test(problem))) return
    }
    expect.fail(`not caught in ${seedsForABug} seeds`)
  })
})

describe.skipIf(alone === undefined)('simulation of one seed', () => {
  it(`breaks no rule in seed ${alone}`, async () => {
    const only = rowsAlone && faultRows.filter((row) => rowsAlone.split(',').includes(row))
    const platform = platforms.find((one) => one === platformAlone)
    const [moment, commit] = death?.split(':') ?? []
    const isKnown = moment === 'committing' || moment === 'durable'
    const crashAt = isKnown ? ({ moment, commit: Number(commit) } as const) : undefined
    await play(Number(alone), { platform, crashAt, ...(only && { only }) })
  })
})

function isEnough(deaths: ReadonlyMap<string, number>, where: string): boolean {
  return (deaths.get(where) ?? 0) >= figure(2, 100)
}

function count(deaths: Map<string, number>, where: string): void {
  deaths.set(where, (deaths.get(where) ?? 0) + 1)
}

/** What a fault needs beside it to happen at all: what is lost is lost by a crash. */
function needed(row: FaultRow): readonly FaultRow[] {
  return row === 'F34' ? ['F21'] : []
}
