import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../random.ts'
import { type Cluster, startCluster } from './cluster.ts'
import type { GatewayProcess } from './gateway.ts'
import { startRedis } from './redis.ts'
import { openRelay } from './relay.ts'
import { type Replication, startReplicatedPostgres } from './replicated-postgres.ts'
import { until } from './until.ts'
import { wrongClock } from './wrong-clock.ts'

/** Three instances, each with a network of its own to the database, and whatever may become of all of it. */
export interface Nemesis extends AsyncDisposable {
  readonly cluster: Cluster
  /** Lets one thing after another happen until `done`, and mends it all. Returns how often what happened. */
  strike(random: Random, done: Promise<void>): Promise<Readonly<Record<string, number>>>
}

/** What happens, by its name. It is over when it resolves. */
type Acts = Readonly<Record<string, () => unknown>>

const count = 3

export async function startNemesis(replication: Replication): Promise<Nemesis> {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startReplicatedPostgres(replication))
  const redis = stack.use(await startRedis())
  const networks = await Promise.all(Array.from({ length: count }, () => openRelay(postgres.port)))
  for (const network of networks) stack.use(network)
  const lane = stack.use(await openRelay(redis.port))
  const cluster = stack.use(
    await startCluster({
      count,
      store: (index) => `postgres://postgres@127.0.0.1:${networks[index]?.port}${postgres.path}`,
      config: { lane: `redis://127.0.0.1:${lane.port}` },
      emulator: { wordsPerSecond: 60 },
      timeouts: { recoverMs: 20_000 },
      env: wrongClock,
    }),
  )

  /** What strikes each of the three at its own pace: one instance, the database, Redis. */
  function actsOf(random: Random): readonly Acts[] {
    /** For up to so many ms. */
    const upTo = (ms: number) => delay(random.int(ms))
    return [
      {
        'an instance is killed': async () => {
          const victim = random.pick(cluster.instances)
          await victim.kill('SIGKILL')
          await upTo(1_000)
          await restart(victim)
        },
        'an instance stands still': async () => {
          const victim = random.pick(cluster.instances)
          victim.signal('SIGSTOP')
          // Longer than the others wait until it is dead to them, or shorter.
          await upTo(6_000)
          victim.signal('SIGCONT')
        },
        'the clock of an instance is off': () => random.pick(cluster.instances).signal('SIGUSR2'),
      },
      {
        'connections of an instance break': () => random.pick(networks).cut(),
        'connections of an instance fall silent': async () => {
          const network = random.pick(networks)
          network.silence()
          await upTo(6_000)
          network.restore()
        },
        'the primary stands still': async () => {
          await postgres.stop()
          await upTo(4_000)
          await postgres.wake()
        },
        'the primary is killed': async () => {
          // Standbys that nobody waits for may be behind; and who is believed to be dead may only stand still.
          if (replication === 'asynchronous') {
            postgres.holdBack()
            await delay(1_000)
          } else if (random.chance(0.5)) await postgres.stop()
          await upTo(2_000)
          await postgres.failOver()
          for (const network of networks) network.cut()
          await postgres.restoreStandby()
        },
      },
      {
        'Redis is killed': async () => {
          await redis.crash()
          await upTo(1_000)
          await redis.start()
        },
        'Redis stands still': async () => {
          redis.signal('SIGSTOP')
          await upTo(2_000)
          redis.signal('SIGCONT')
        },
        'Redis is flushed': () => redis.command('FLUSHALL'),
        'connections to Redis break': () => lane.cut(),
        'connections to Redis fall silent': async () => {
          lane.silence()
          await upTo(2_000)
          lane.restore()
        },
      },
    ]
  }

  const owned = stack.move()
  return {
    cluster,
    async strike(random, done) {
      const counts = new Map<string, number>()
      let isDone = false
      void done.finally(() => (isDone = true)).catch(() => {})

      async function strikeOne(acts: Acts): Promise<void> {
        let names: readonly string[] = []
        while (!isDone) {
          // Each of them once, in any order, and then again.
          if (names.length === 0) names = shuffled(Object.keys(acts), random)
          const [name = '', ...rest] = names
          names = rest
          counts.set(name, (counts.get(name) ?? 0) + 1)
          await acts[name]?.()
          await delay(random.int(1_500))
        }
      }

      await Promise.all([done, ...actsOf(random).map(strikeOne)])
      return Object.fromEntries(counts)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** As a supervisor does: while the database is away, a gateway does not start. */
async function restart(victim: GatewayProcess): Promise<void> {
  await until(
    () =>
      victim.restart().then(
        () => true,
        (error: Error) => {
          if (!isAway.test(error.message)) throw error
          return false
        },
      ),
    'an instance starts again',
  )
}

/** What an instance says that ends because the database went away before or while it began. */
const isAway = /coze-graphql-gateway: (?:the database cannot be used|the store cannot be written)/

function shuffled(names: readonly string[], random: Random): readonly string[] {
  return names
    .map((name) => ({ name, at: random.next() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ name }) => name)
}
