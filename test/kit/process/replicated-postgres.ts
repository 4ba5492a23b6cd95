import { ask } from './instances.ts'
import { startPostgres } from './postgres.ts'
import { openRelay } from './relay.ts'
import { type Standby, startStandby } from './standby.ts'
import { until } from './until.ts'

export type Replication = 'synchronous' | 'asynchronous'

/** A server of the group, whichever part it has. */
type Member = Pick<Standby, 'port' | 'crash' | 'signal'> & AsyncDisposable

/** A primary and two standbys, as an operator's tool keeps them: whoever dies is replaced. */
export interface ReplicatedPostgres extends AsyncDisposable {
  /** A database of the group, at the server that takes writes. */
  readonly path: string
  /** The port of the server that takes writes now. */
  readonly port: () => number
  /** The standbys receive nothing any more, in connections that stay. */
  holdBack(): void
  stop(): Promise<void>
  wake(): Promise<void>
  /** Kills the primary, also where it is stopped, and promotes the standby that has received most. */
  failOver(): Promise<void>
  /** Starts a standby in the place of the server that died. */
  restoreStandby(): Promise<void>
}

const settings = [
  // What processes share is a file in the folder of the data, which is gone with it, also after a kill.
  'dynamic_shared_memory_type=mmap',
  // A standby that was away for a while finds all that it missed.
  'wal_keep_size=1GB',
]
/** Each member is synchronous from its first write as a primary on. */
const synchronous = 'synchronous_standby_names=ANY 1 (*)'

export async function startReplicatedPostgres(
  replication: Replication,
): Promise<ReplicatedPostgres> {
  await using stack = new AsyncDisposableStack()
  const first = await startPostgres(settings)
  let primary: Member = first
  const standbys = new Set<Standby>()
  stack.defer(() => primary[Symbol.asyncDispose]())
  const database = await first.newDatabase()
  const stream = stack.use(await openRelay(() => primary.port))
  stack.defer(async () => {
    for (const standby of standbys) await standby[Symbol.asyncDispose]()
  })
  let names = 0

  async function restoreStandby(): Promise<void> {
    names += 1
    const own = replication === 'synchronous' ? [...settings, synchronous] : settings
    standbys.add(await startStandby(stream.port, `standby_${names}`, own))
  }

  await restoreStandby()
  await restoreStandby()
  if (replication === 'synchronous') {
    // Not before there are standbys: its writes would wait for them.
    const [name, value] = synchronous.split('=')
    await ask(database, `ALTER SYSTEM SET ${name} = '${value}'`)
    await ask(database, 'SELECT pg_reload_conf()')
  }
  await until(async () => {
    const found = await ask(database, 'SELECT FROM pg_stat_replication')
    return found.length === standbys.size
  }, 'the standbys receive what is written')
  const owned = stack.move()
  return {
    path: new URL(database).pathname,
    port: () => primary.port,
    holdBack: () => stream.silence(),
    stop: () => primary.signal('SIGSTOP'),
    wake: () => primary.signal('SIGCONT'),
    async failOver() {
      await primary.signal('SIGKILL')
      await primary.crash()
      const lead = await furthest(standbys)
      await lead.promote()
      standbys.delete(lead)
      const dead = primary
      primary = lead
      // Those who were connected to the dead one come to the new one, the other standby among them.
      stream.restore()
      stream.cut()
      await dead[Symbol.asyncDispose]()
    },
    restoreStandby,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The standby that has received most: what was acknowledged is on one of them at least. */
async function furthest(standbys: Iterable<Standby>): Promise<Standby> {
  const received = `SELECT (coalesce(pg_last_wal_receive_lsn(), '0/0') - '0/0')::text AS bytes`
  let best: { readonly standby: Standby; readonly bytes: number } | undefined
  for (const standby of standbys) {
    const [found] = await ask(`postgres://postgres@127.0.0.1:${standby.port}/postgres`, received)
    const bytes = Number(found?.['bytes'])
    if (best === undefined || bytes > best.bytes) best = { standby, bytes }
  }
  if (best === undefined) throw new Error('expected a standby')
  return best.standby
}
