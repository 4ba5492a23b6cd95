/**
 * `npm run bench`: what the gateway costs beside its peers, in one interleaved run.
 *
 *   load client ──► passthrough │ express │ yoga │ gateway ──► fake upstream
 *     core 1                      core 0                         core 1
 *
 * Ratios compare; microseconds of different runs do not.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { serverKinds } from './commands.ts'
import { type PostgresServers, postgresSides, startPostgresServers } from './postgres-servers.ts'
import { canPin, startPart } from './processes.ts'
import { formatTable, record, type Recording, type Side, sides, toRows } from './report.ts'
import {
  fullSchedule,
  quickSchedule,
  type Schedule,
  warmSessions,
  type WorkloadName,
  workloadNames,
} from './schedule.ts'
import { liftedRates, startGateway, startPeer, type Subject } from './servers.ts'
import { type Bench, measure, measureIdle, measureStore } from './workloads.ts'

const help = `usage: npm run bench -- [options]

Measures the gateway beside a raw node:http + undici passthrough, Express with the platform's
own SDK, and a GraphQL Yoga server as one would write it first. Needs two cores with nothing
else to do.

  first delta   from the first byte of the message's request to its first delta;
                "added": less what the client waits at the upstream itself
  CPU           user and kernel time of the server's process, all of its threads
  memory        resident, without a forced collection

  --quick           one round: less than five minutes
  --rounds N        interleaved rounds (default ${fullSchedule.rounds})
  --only NAME       only this workload; may be repeated:
                    ${workloadNames.join(', ')}
  --server NAME     only this server; may be repeated: ${serverKinds.join(', ')},
                    and with --postgres: ${postgresSides.join(', ')}
  --postgres        the gateway on PostgreSQL as well: one ("postgres"); two with Redis, where a
                    message is sent to one and read at the other ("lane"); messages of
                    \`serve --workers\` 1 and 2 on all cores ("worker", "workers").
                    PostgreSQL and Redis have the core of the load
  --json            the last line is one line of JSON
  --profile DIR     writes a CPU profile of each measurement to DIR; spoils the figures
  --help
`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [...workloadNames] },
    server: { type: 'string', multiple: true },
    postgres: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) process.stdout.write(help)
else await run()

async function run(): Promise<void> {
  const base = options.quick ? quickSchedule : fullSchedule
  const schedule: Schedule = { ...base, rounds: Number(options.rounds ?? base.rounds) }
  if (!Number.isInteger(schedule.rounds) || schedule.rounds < 1) {
    throw new TypeError(`"--rounds" must be a positive integer, got ${options.rounds}`)
  }
  const chosen = choose('--only', workloadNames, options.only)
  const here = options.postgres ? sides : serverKinds
  const servers = choose('--server', here, options.server ?? here)
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const startedAt = performance.now()
  print(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`)
  print(
    canPin
      ? 'server on core 0; load client and upstream on core 1'
      : 'not pinned (no taskset or one core only): expect noise',
  )
  const recording: Recording = new Map()
  await measureAll(schedule, chosen, servers, recording)
  const rows = toRows(recording)
  print(`\n${formatTable(rows)}\n`)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  print(`medians of ${schedule.rounds} interleaved round(s); ${seconds} s in all`)
  if (options.json) print(JSON.stringify({ node: process.version, pinned: canPin, seconds, rows }))
}

type Measured = (typeof sides)[number]

/** Idle subscriptions and files are measured of those that PostgreSQL changes nothing of; workers are for many messages. */
function isMeasured(name: WorkloadName, side: Measured): boolean {
  if (side === 'worker' || side === 'workers') return name === 'messages'
  return name !== 'idle' || (side !== 'postgres' && side !== 'lane')
}

async function measureAll(
  schedule: Schedule,
  chosen: readonly WorkloadName[],
  servers: readonly Measured[],
  recording: Recording,
): Promise<void> {
  const issuerSecret = randomBytes(32).toString('hex')
  await using upstream = await startPart('others', 'upstream.ts', [])
  const origin = `http://127.0.0.1:${upstream.port}`
  await using load = await startPart('others', 'load.ts', [issuerSecret])
  const bench: Bench = { load, schedule, profiles: options.profile }
  await using own = new AsyncDisposableStack()
  let onPostgres: PostgresServers | undefined
  async function start(side: Measured): Promise<Subject> {
    switch (side) {
      case 'gateway':
        return await startGateway(origin, issuerSecret, liftedRates)
      case 'postgres':
      case 'lane':
      case 'worker':
      case 'workers':
        onPostgres ??= own.use(await startPostgresServers(origin, issuerSecret))
        return await onPostgres.start(side)
      default:
        return await startPeer(side, origin)
    }
  }

  // In fresh processes: memory that a busy server has and uses again would hide what a stream costs.
  if (chosen.includes('idle')) {
    for (const server of servers.filter((side) => isMeasured('idle', side))) {
      note(`idle, ${server}`)
      await using subject = await start(server)
      record(recording, 'idle', server, await measureIdle(bench, subject))
    }
  }
  if (chosen.includes('store') && servers.includes('gateway')) {
    note('store, gateway')
    await using gateway = await startGateway(origin, issuerSecret, liftedRates)
    record(recording, 'store', 'gateway', await measureStore(bench, gateway))
  }

  await using stack = new AsyncDisposableStack()
  const subjects = new Map<Measured, Subject>()
  for (const server of servers) {
    note(`warm-up, ${server}`)
    const subject = stack.use(await start(server))
    subjects.set(server, subject)
    await load.ask('warm', { target: subject.target, sessions: warmSessions }, z.unknown())
  }
  const direct: Subject = { ...upstream, target: { server: 'passthrough', port: upstream.port } }
  for (let round = 0; round < schedule.rounds; round += 1) {
    for (const name of chosen) {
      if (name === 'idle' || name === 'store') continue
      const measured: (readonly [Side, Subject])[] = [...subjects].filter(([side]) =>
        isMeasured(name, side),
      )
      // The client at the upstream itself: what the machine takes without a server between.
      if (name.startsWith('first-delta')) measured.push(['direct', direct])
      const order = round % 2 === 0 ? measured : measured.toReversed()
      for (const [side, subject] of order) {
        note(`round ${round + 1}: ${name}, ${side}`)
        const profiles = side === 'direct' ? undefined : bench.profiles
        record(recording, name, side, await measure({ ...bench, profiles }, subject, name))
      }
    }
  }
}

function choose<const T extends string>(
  option: string,
  all: readonly T[],
  wanted: readonly string[],
): readonly T[] {
  for (const name of wanted) {
    if (!all.some((one) => one === name)) {
      throw new TypeError(`"${option}" must be one of ${all.join(', ')}, got ${name}`)
    }
  }
  return all.filter((name) => wanted.includes(name))
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Progress goes beside the result. */
function note(text: string): void {
  process.stderr.write(`… ${text}\n`)
}
