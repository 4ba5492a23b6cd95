import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../kit/clients/client.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { check } from '../kit/history/checker.ts'
import { startGateway } from '../kit/process/gateway.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

/** Gives the command of a gateway more options. */
const withOptions = (...options: readonly string[]) => [
  'sh',
  '-c',
  `exec "$@" ${options.join(' ')}`,
  'sh',
]

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

async function startWorkers(drainMs = 20_000): Promise<System> {
  const store = await server.newDatabase()
  return await startSystem({
    config: { store },
    timeouts: { drainMs, recoverMs: 20_000 },
    within: withOptions('--workers', '2'),
  })
}

/** The processes that listen, by their latest line in the log. */
function pidsOf({ gateway }: System): ReadonlyMap<number, number> {
  const found = gateway.output.matchAll(/"worker":(\d+),"pid":(\d+),"msg":"worker listens"/g)
  return new Map([...found].map(([, worker, pid]) => [Number(worker), Number(pid)]))
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function areGone(workers: ReadonlyMap<number, number>): Promise<void> {
  expect(workers.size).toBe(2)
  const pids = [...workers.values()]
  await until(() => !pids.some(isAlive), 'the workers to be gone')
}

async function metricsOf({ gateway }: System): Promise<string> {
  return await (await fetch(gateway.metricsUrl ?? '')).text()
}

describe('serve --workers', () => {
  it('serves one port by all of them: any connection finds what any other has said, and metrics are told of each', async () => {
    await using system = await startWorkers()
    const talk = createTalk(system)
    const people = Array.from({ length: 12 }, (_, index) => system.person(`person-${index}`))
    for (const who of people) {
      // Each with a connection of its own, which the kernel gives to one of them.
      using client = createClient(system.gateway.url)
      const own = createTalk({ client, emulator: system.emulator }, talk.recorder)
      const reply = await own.send(who, { text: '/long 9', assistantId: 'bot' })
      expect(await talk.ending(who, reply.id)).toMatchObject({ __typename: 'ReplyCompleted' })
      await own.settle()
    }
    expect(check(talk.recorder.history)).toEqual([])
    const metrics = await metricsOf(system)
    for (const worker of [1, 2]) {
      expect(metrics).toMatch(RegExp(`coze_gateway_request_seconds_count{.*worker="${worker}"`))
      expect(metrics).toContain(`process_resident_memory_bytes{worker="${worker}"}`)
    }
    expect(metrics.match(/^# TYPE coze_gateway_messages_total /gm)).toHaveLength(1)
    expect(await system.gateway.kill('SIGTERM')).toBe(0)
    await areGone(pidsOf(system))
  })

  it('F21: starts a worker again that dies, says so, and goes on serving meanwhile', async () => {
    await using system = await startWorkers()
    const talk = createTalk(system)
    const who = system.person('survives')
    const [first = 0, second = 0] = [...pidsOf(system).values()]
    process.kill(first, 'SIGKILL')
    await until(
      () => system.gateway.output.includes('worker ended: it is started again'),
      'the death to be told',
    )
    using client = createClient(system.gateway.url)
    const own = createTalk({ client, emulator: system.emulator }, talk.recorder)
    expect(await own.say(who, { text: 'hello', assistantId: 'bot' })).toMatchObject({
      __typename: 'ReplyCompleted',
    })
    await until(() => pidsOf(system).get(1) !== first, 'another worker in its place')
    expect(pidsOf(system).get(2)).toBe(second)
    const metrics = await metricsOf(system)
    for (const worker of [1, 2])
      expect(metrics).toContain(`nodejs_heap_used_bytes{worker="${worker}"}`)
    await own.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it('F20: drains all by one signal, and ends all at once by a second one', async () => {
    await using system = await startWorkers(60_000)
    const talk = createTalk(system)
    const who = system.person('drained')
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 3 })
    const { id } = await talk.send(who, { text: '/long 12', assistantId: 'bot' })
    const reader = { reader: 'drained', as: who.name, token: who.token, replyId: id }
    const followed = await talk.recorder.follow(system.client, reader)
    await system.emulator.until({ held: 'pause' })
    system.gateway.signal('SIGTERM')
    await until(() => system.gateway.output.split('"draining"').length > 3, 'all to drain')
    await system.emulator.release()
    expect((await followed.take()).at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    expect(await system.gateway.exited).toBe(0)
    await areGone(pidsOf(system))

    await system.gateway.restart()
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 3 })
    await talk.send(who, { text: '/long 12', assistantId: 'bot' })
    await system.emulator.until({ held: 'pause' })
    system.gateway.signal('SIGTERM')
    await until(() => system.gateway.output.split('"draining"').length > 6, 'all to drain again')
    expect(await system.gateway.kill('SIGTERM')).toBe(1)
    await areGone(pidsOf(system))
  })

  it('leaves no worker behind when the parent is killed', async () => {
    await using system = await startWorkers()
    const pids = pidsOf(system)
    await system.gateway.kill('SIGKILL')
    await areGone(pids)
  })

  it.each<[string, readonly string[], object, RegExp]>([
    [
      'a SQLite file',
      ['--workers', '2'],
      {},
      /ended with 2:[^]*needs a PostgreSQL server as "store"/,
    ],
    [
      'a number that is none',
      ['--workers', 'all'],
      {},
      /ended with 2:[^]*a number from 1 to 64, got all/,
    ],
    [
      'a database that cannot be reached',
      ['--workers', '2'],
      { store: 'postgres://nobody@127.0.0.1:1/gateway' },
      /ended with 1:[^]*the database cannot be used/,
    ],
  ])('does not start with %s, and says why once', async (_, options, config, problem) => {
    await using system = await startSystem()
    const { configFile } = system.gateway
    const refused: unknown = await startGateway(
      `${configFile}.workers`,
      { ...system.config, store: `sqlite:${system.storeFile}.workers`, ...config },
      {},
      withOptions(...options),
    ).catch(({ message }: Error) => message)
    expect(refused).toMatch(problem)
    expect(refused).not.toMatch(/coze-graphql-gateway: [^]*coze-graphql-gateway: /)
  })
})
