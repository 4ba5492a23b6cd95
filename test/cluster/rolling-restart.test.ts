import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrations } from '../../src/store/postgres/schema.ts'
import { repliesOr, startLoad } from '../kit/clients/load.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { check } from '../kit/history/checker.ts'
import { checkAndKeep } from '../kit/history/kept.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { ask } from '../kit/process/instances.ts'
import { makeNextVersion } from '../kit/process/next-version.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { figure } from '../kit/process/soak.ts'
import { until } from '../kit/process/until.ts'

const replies = repliesOr(figure(80, 1_000))

describe('three instances that are replaced one after another', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  /** @param program of the new ones; undefined: they are as the old ones were */
  async function replaceAll(cluster: Cluster, name: string, program?: string): Promise<void> {
    const load = startLoad(cluster, { leastWords: 50, retries: 1, replies })
    const { seed, talk } = load
    const share = Math.floor(replies / (cluster.instances.length + 1))
    for (const [turn, instance] of cluster.instances.entries()) {
      await until(() => load.ended >= (turn + 1) * share, 'some replies have ended')
      expect(await instance.kill('SIGTERM')).toBe(0)
      await instance.restart(program)
    }
    await load.done
    expect(load.failures, `seed ${seed}`).toEqual([])
    await talk.settle()
    expect(await checkAndKeep(talk.recorder.history, `${name}-${seed}`)).toEqual([])
    expect([...load.ends]).toEqual([['ReplyCompleted', replies]])
  }

  const calm = { emulator: { wordsPerSecond: 100 }, timeouts: { drainMs: 20_000 } }
  const clean = `fail no message of a client that retries once with its key, and leave no gap, in ${replies} replies`

  it(`F20: ${clean}`, async () => {
    await using cluster = await startCluster({ store: await server.newDatabase(), ...calm })
    await replaceAll(cluster, 'rolling-restart')
  })

  it(`F20: ${clean}, where the new ones change the tables under the old ones`, async () => {
    const store = await server.newDatabase()
    await using next = await makeNextVersion()
    await using cluster = await startCluster({ store, ...calm })
    await replaceAll(cluster, 'rolling-upgrade', next.program)
    const [version] = await ask(store, `SELECT value FROM meta WHERE name = 'version'`)
    expect(Number(version?.['value'])).toBe(migrations.length + 1)
  })

  it('F20: go on with a reply of a Bot that takes longer than the drain of the one that runs it', async () => {
    const store = await server.newDatabase()
    await using cluster = await startCluster({
      store,
      count: 2,
      emulator: { wordsPerSecond: 20 },
      timeouts: { drainMs: 300 },
    })
    const talk = createTalk(cluster)
    talk.recorder.add({ type: 'crash' })
    const who = cluster.person('patient')
    const { id } = await talk.send(who, { text: '/long 200', assistantId: 'bot' })
    const isShown = async () => ((await talk.snapshot(who, id))?.text ?? '') !== ''
    await until(isShown, 'some text')
    const isRunner = ({ output }: { readonly output: string }) => output.includes('is left to')
    for (const instance of cluster.instances) {
      await untilBeats(store, 2)
      expect(await instance.kill('SIGTERM')).toBe(0)
      if (isRunner(instance)) break
      await instance.restart()
    }
    expect(cluster.instances.some(isRunner)).toBe(true)
    expect(await talk.ending(who, id)).toMatchObject({ __typename: 'ReplyCompleted' })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })
})

/** Resolves once so many instances have said that they live since all of them are there: each knows of the others. */
async function untilBeats(store: string, count: number): Promise<void> {
  const beats = async () =>
    new Map(
      (await ask(store, 'SELECT name, beat FROM instance')).map(({ name, beat }) => [
        name,
        Number(beat),
      ]),
    )
  const first = await until(async () => {
    const found = await beats()
    return found.size === count && found
  }, 'all instances are there')
  await until(async () => {
    const now = await beats()
    return [...first].every(([name, beat]) => (now.get(name) ?? 0) >= beat + 2)
  }, 'all instances know of each other')
}
