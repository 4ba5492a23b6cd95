import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { repliesOr, startLoad } from '../kit/clients/load.ts'
import { check } from '../kit/history/checker.ts'
import { checkAndKeep } from '../kit/history/kept.ts'
import { startCluster } from '../kit/process/cluster.ts'
import { ask } from '../kit/process/instances.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { openRelay } from '../kit/process/relay.ts'
import { startStandby } from '../kit/process/standby.ts'
import { until } from '../kit/process/until.ts'

const replies = repliesOr(40)

/** A primary with two standbys that its writes wait for or not, and a relay to whichever of them takes writes. */
async function startServers(replication: 'synchronous' | 'asynchronous') {
  await using stack = new AsyncDisposableStack()
  const primary = stack.use(await startPostgres())
  const database = await primary.newDatabase()
  const stream = stack.use(await openRelay(primary.port))
  const first = stack.use(await startStandby(stream.port, 'one'))
  stack.use(await startStandby(stream.port, 'other'))
  if (replication === 'synchronous') {
    await ask(database, `ALTER SYSTEM SET synchronous_standby_names = '2 (one, other)'`)
    await ask(database, 'SELECT pg_reload_conf()')
    const synchronous = `SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`
    await until(
      async () => (await ask(database, synchronous)).length === 2,
      'both standbys are synchronous',
    )
  }
  let port = primary.port
  const relay = stack.use(await openRelay(() => port))
  const owned = stack.move()
  return {
    url: `postgres://postgres@127.0.0.1:${relay.port}${new URL(database).pathname}`,
    /** The standbys receive nothing any more. */
    holdBack: () => stream.silence(),
    /** The primary dies, and a standby takes its place. */
    async failOver() {
      await primary.crash()
      await first.promote()
      port = first.port
      relay.cut()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function startLoaded(replication: 'synchronous' | 'asynchronous') {
  await using stack = new AsyncDisposableStack()
  const servers = stack.use(await startServers(replication))
  const cluster = stack.use(
    await startCluster({
      store: servers.url,
      emulator: { wordsPerSecond: 60 },
      timeouts: { recoverMs: 20_000 },
    }),
  )
  const load = startLoad(cluster, { leastWords: 50, retries: 200, replies })
  await until(() => load.ended >= replies / 4, 'some replies have ended')
  const owned = stack.move()
  return { servers, load, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

describe('three instances whose PostgreSQL fails over to a standby', () => {
  it(`P2 P3 P5 P10: F28: F29: lose nothing that was acknowledged where that is synchronous, and double nothing, in ${replies} replies`, async () => {
    await using system = await startLoaded('synchronous')
    const { servers, load } = system
    const { seed, random, talk } = load
    await delay(random.int(1_000))
    talk.recorder.add({ type: 'crash' })
    await servers.failOver()
    await load.done
    expect(load.failures, `seed ${seed}`).toEqual([])
    await talk.settle()
    expect(await checkAndKeep(talk.recorder.history, `failover-${seed}`)).toEqual([])
    expect(load.ends.get('ReplyCompleted') ?? 0).toBeGreaterThan(replies / 2)
  })

  it('F29: F44: lose what was acknowledged last where that is not synchronous, and show nothing else in its place', async () => {
    await using system = await startLoaded('asynchronous')
    const { servers, load } = system
    const { seed, talk } = load
    servers.holdBack()
    const before = load.ended
    await until(() => load.ended >= before + replies / 8, 'replies that no standby has')
    talk.recorder.add({ type: 'crash' })
    await servers.failOver()
    await load.done
    const { history } = talk.recorder
    const isForeign = (problem: string) => /foreign|another session/.test(problem)
    await talk.settle()
    const problems = check(history)
    expect(problems, `seed ${seed}`).not.toEqual([])
    expect(problems.filter(isForeign)).toEqual([])
    // Whoever has read what is lost is told so.
    for (const failure of load.failures) expect(failure).toMatch(/404|410|no longer has the events/)
  })
})
