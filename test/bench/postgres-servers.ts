import { readFile } from 'node:fs/promises'
import { Client } from 'pg'
import { startPostgres } from '../kit/process/postgres.ts'
import { startRedis } from '../kit/process/redis.ts'
import { leaveServerCore } from './processes.ts'
import {
  createGatewayConfig,
  type DatabaseUse,
  liftedRates,
  serveByWorkers,
  startConfigured,
  type Subject,
} from './servers.ts'
import { sum } from './statistics.ts'

/**
 * `postgres`: one gateway. `lane`: two, with Redis; what is sent to one is read at the other. `worker` and `workers`:
 * `serve --workers` with one and with two, on all cores.
 */
export const postgresSides = ['postgres', 'lane', 'worker', 'workers'] as const
export type PostgresSide = (typeof postgresSides)[number]

/** Gateways that share a PostgreSQL server, which has the core of the load and waits for its disk. */
export interface PostgresServers extends AsyncDisposable {
  start(side: PostgresSide): Promise<Subject>
}

export async function startPostgresServers(
  upstream: string,
  issuerSecret: string,
): Promise<PostgresServers> {
  await using stack = new AsyncDisposableStack()
  leaveServerCore()
  const server = stack.use(
    await startPostgres([
      'fsync=on',
      'autovacuum=on',
      'shared_buffers=256MB',
      'shared_preload_libraries=pg_stat_statements',
      'pg_stat_statements.track_utility=off',
    ]),
  )
  const redis = stack.use(await startRedis())

  async function startOn(side: PostgresSide): Promise<Subject> {
    await using own = new AsyncDisposableStack()
    const url = await server.newDatabase()
    const name = url.slice(url.lastIndexOf('/') + 1)
    const database = own.use(await watchDatabase(url))
    const config = {
      ...createGatewayConfig({ bench: upstream }, issuerSecret, liftedRates),
      store: `postgres://postgres@127.0.0.1:${server.port}/${name}`,
      ...(side === 'lane' && { lane: redis.url }),
    }
    const isByWorkers = side === 'worker' || side === 'workers'
    const first = own.use(
      isByWorkers
        ? await startConfigured(config, serveByWorkers(side === 'worker' ? 1 : 2))
        : await startConfigured(config),
    )
    const second = side === 'lane' ? own.use(await startConfigured(config)) : undefined
    const owned = own.move()
    return {
      ...first,
      target: { ...first.target, readPort: second?.port },
      database: () => database.use(),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  }

  const owned = stack.move()
  return { start: startOn, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

interface WatchedDatabase extends AsyncDisposable {
  use(): Promise<DatabaseUse>
}

async function watchDatabase(connectionString: string): Promise<WatchedDatabase> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query('CREATE EXTENSION pg_stat_statements')
  return {
    async use() {
      const { rows } = await client.query<{
        readonly calls: string
        readonly own: number
        readonly pids: readonly number[]
      }>(`
        SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
            WHERE d.datname = current_database() AND s.query NOT LIKE '%pg_stat_statements%') AS calls,
          pg_backend_pid() AS own, (SELECT json_agg(pid) FROM pg_stat_activity) AS pids`)
      const [found] = rows
      if (found === undefined) throw new Error('PostgreSQL says nothing of itself')
      const { parent } = await timesOf(found.own)
      const { own, ended } = await timesOf(parent)
      const times = await Promise.all(found.pids.map(timesOf))
      return {
        statements: Number(found.calls),
        cpuMicros: sum([own, ended, ...times.map((one) => one.own)]),
      }
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}

/**
 * User and kernel time of a process, and of its children that have ended: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html,
 * in hundredths of a second.
 */
async function timesOf(pid: number) {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const micros = (from: number) => sum(fields.slice(from, from + 2).map(Number)) * 10_000
  return { parent: Number(fields[1]), own: micros(11), ended: micros(13) }
}
