/**
 * `npm run bench`: what the gateway costs beside a raw passthrough, in one interleaved run.
 *
 *   load client ──► passthrough │ gateway ──► fake upstream
 *     core 1            core 0                  core 1
 *
 * Ratios compare; microseconds of different runs do not.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { canPin, startPart } from './processes.ts'
import { createRecording, formatTable, toRows, toWarnings } from './report.ts'
import type { Recording, Side } from './report.ts'
import {
  measureFirstDelta,
  measureIdle,
  measureSaturated,
  measureStreams,
  measureWarmUp,
} from './scenarios.ts'
import type { Bench } from './scenarios.ts'
import { fullSchedule, quickSchedule, rampMs, scenarioNames } from './schedule.ts'
import type { Schedule, ScenarioName } from './schedule.ts'
import { startGateway, startPassthrough } from './servers.ts'
import type { Subject } from './servers.ts'

const help = `usage: npm run bench -- [options]

Measures the gateway against a raw node:http + undici passthrough.
Needs about three minutes and two cores with nothing else to do.

  CPU per delta      user and kernel time of the server's process, by the deltas the upstream sent;
                     "all in" counts from the first request to the last reply's end
  time to first      from the first byte of the message's request to its first delta, one reply at
  delta              a time; "added": less what the client waits at the upstream itself (median)
  memory             resident, of one more open stream without events, after a full collection

  --quick            one short round: about a minute, rough figures
  --rounds N         interleaved rounds (default 3)
  --only NAME        only this scenario; may be repeated:
                     ${scenarioNames.join(', ')}
  --json             the last line is one line of JSON
  --profile DIR      writes a CPU profile of each measurement to DIR; spoils the figures
  --calibrate        the passthrough against itself: every ratio must be about 1
  --help
`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [...scenarioNames] },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
    calibrate: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) process.stdout.write(help)
else await run()

async function run(): Promise<void> {
  const base = options.quick ? quickSchedule : fullSchedule
  const schedule: Schedule = { ...base, rounds: Number(options.rounds ?? base.rounds) }
  if (!Number.isInteger(schedule.rounds) || schedule.rounds < 1)
    throw new TypeError(`"--rounds" must be a positive integer, got ${options.rounds}`)
  const chosen = scenarioNames.filter((name) => options.only.includes(name))
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const startedAt = performance.now()
  print(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`)
  print(
    canPin
      ? 'server on core 0; load client and upstream on core 1'
      : 'not pinned (no taskset or one core only): expect noise',
  )

  const recording = createRecording()
  await measure(schedule, chosen, recording)

  const rows = toRows(recording)
  print(`\n${formatTable(rows)}\n`)
  for (const warning of toWarnings(recording)) print(`rough: ${warning}`)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  print(`medians of ${schedule.rounds} interleaved round(s); ${seconds} s in all`)
  if (options.json) print(JSON.stringify({ node: process.version, pinned: canPin, seconds, rows }))
}

async function measure(
  schedule: Schedule,
  chosen: readonly ScenarioName[],
  recording: Recording,
): Promise<void> {
  const issuerSecret = randomBytes(32).toString('hex')
  await using upstream = await startPart('others', 'upstream.ts', [])
  const origin = `http://127.0.0.1:${upstream.port}`
  await using load = await startPart('others', 'load.ts', [issuerSecret])
  const bench: Bench = { load, upstream, profiles: options.profile }
  const start: Readonly<Record<Side, () => Promise<Subject>>> = {
    passthrough: () => startPassthrough(origin),
    gateway: () =>
      options.calibrate ? startPassthrough(origin) : startGateway(origin, issuerSecret),
  }
  const sides = ['passthrough', 'gateway'] as const

  // Fresh processes: memory that a busy server has and uses again would hide what a stream costs.
  if (chosen.includes('idle')) {
    for (const side of sides) {
      note(`idle ${side}`)
      await using subject = await start[side]()
      recording.figures.idle[side].push(await measureIdle(bench, subject, schedule.idle))
    }
  }
  if (chosen.every((name) => name === 'idle')) return

  await using passthrough = await start.passthrough()
  await using gateway = await start.gateway()
  const subjects: Readonly<Record<Side, Subject>> = { passthrough, gateway }
  for (const side of sides) {
    note(`warm-up ${side}`)
    const figures = await measureWarmUp(bench, subjects[side], schedule.sessions)
    recording.figures['warm-up'][side].push(figures)
    await measureSaturated({ ...bench, profiles: undefined }, subjects[side], {
      name: 'saturated',
      deltas: 5000,
    })
  }
  for (let round = 0; round < schedule.rounds; round += 1) {
    const order = round % 2 === 0 ? sides : sides.toReversed()
    for (const name of chosen) {
      for (const side of order) {
        note(`round ${round + 1}: ${name} ${side}`)
        await measureScenario(name, side)
      }
    }
  }

  async function measureScenario(name: ScenarioName, side: Side): Promise<void> {
    const subject = subjects[side]
    const record = recording.figures[name][side]
    switch (name) {
      case 'idle':
        return
      case 'first-delta': {
        const options = { count: schedule.firstDeltas, sessions: 20, thinkMs: 0 }
        recording.firstDelta[side].push(...(await measureFirstDelta(bench, subject, options)))
        if (side === 'gateway') return
        // The load client at the upstream itself: what the machine takes without a server between.
        const direct: Subject = {
          ...upstream,
          target: { server: 'passthrough', port: upstream.port },
        }
        const unprofiled = { ...bench, profiles: undefined }
        recording.firstDelta.direct.push(...(await measureFirstDelta(unprofiled, direct, options)))
        return
      }
      case 'streams-1':
      case 'streams-100':
      case 'streams-1000': {
        const streams = Number(name.slice('streams-'.length))
        const { windowMs } = schedule
        record.push(
          await measureStreams(bench, subject, { streams, rampMs: rampMs(streams), windowMs }),
        )
        return
      }
      case 'saturated':
      case 'flood':
        record.push(await measureSaturated(bench, subject, { name, deltas: schedule.burstDeltas }))
    }
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Progress goes beside the result. */
function note(text: string): void {
  process.stderr.write(`… ${text}\n`)
}
