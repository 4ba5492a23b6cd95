import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import type { SessionLogLimits } from '../../src/store/session-logs.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import type { Mortal } from '../kit/history/log-model.ts'
import { ask } from '../kit/process/instances.ts'
import type { PostgresServer } from '../kit/process/postgres.ts'
import { until } from '../kit/process/until.ts'

export interface PostgresStores {
  open(limits?: SessionLogLimits): Promise<Store>
  /** A process that is killed leaves the database as it is, and is never heard of again. */
  openMortal(limits?: SessionLogLimits): Promise<Mortal>
  /** Several instances on one database. One that is killed lives on, and does not know that it is dead to the others. */
  openSeveral(count: number, limits?: SessionLogLimits): Promise<Mortal>
}

/**
 * Stores of a server, each on a new database: a copy of one that has all tables.
 * @param through the URL by which the gateway reaches a database
 */
export async function createPostgresStores(
  server: PostgresServer,
  through: (url: string) => string = (url) => url,
): Promise<PostgresStores> {
  const empty = await server.newDatabase()
  await (await openOn(empty))[Symbol.asyncDispose]()
  return {
    open: async (limits) => openOn(through(await server.newDatabase(empty)), limits),
    async openMortal(limits) {
      let url = await server.newDatabase(empty)
      let store = await openOn(through(url), limits)
      return {
        get stores() {
          return [store]
        },
        async crash() {
          const killed = store
          url = await server.copyDatabase(url)
          // Known to be dead.
          await ask(url, 'DELETE FROM instance')
          store = await openOn(through(url), limits)
          await killed[Symbol.asyncDispose]()
        },
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      }
    },
    async openSeveral(count, limits) {
      await using stack = new AsyncDisposableStack()
      const direct = await server.newDatabase(empty)
      const url = through(direct)
      const rows = () => ask(direct, 'SELECT name, beat FROM instance')
      const names = async () => (await rows()).map(({ name }) => name)

      async function openOne(owner: AsyncDisposableStack) {
        const before = await names()
        const clock = createFakeClock()
        const store = owner.use(await openOn(url, limits, clock))
        const [name] = (await names()).filter((one) => !before.includes(one))
        return { store, clock, name }
      }

      const instances: Awaited<ReturnType<typeof openOne>>[] = []
      for (let left = count; left > 0; left -= 1) instances.push(await openOne(stack))
      // Each learns of the others by its next beat.
      for (const { clock } of instances) clock.advance(1_000)
      await until(
        async () => (await rows()).every(({ beat }) => Number(beat) > 1),
        'all have beaten',
      )
      const owned = stack.move()
      return {
        get stores() {
          return instances.map(({ store }) => store)
        },
        async crash(index) {
          const name = instances[index]?.name
          instances[index] = await openOne(owned)
          await ask(direct, 'DELETE FROM instance WHERE name = $1', [name])
        },
        pass: (index) => instances[index]?.clock.advance(passMs),
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      }
    },
  }
}

/** What is new of a running reply's text is written by then. */
const passMs = 250

function openOn(
  url: string,
  limits?: SessionLogLimits,
  clock: Clock = systemClock,
): Promise<Store> {
  return openPostgresStore({
    url,
    clock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    ...(limits && { limits }),
  })
}
