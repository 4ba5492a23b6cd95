import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { check } from '../kit/history/checker.ts'
import { gatewayCommand } from '../kit/process/gateway.ts'
import { readMeter } from '../kit/process/metrics.ts'
import { isTerminal } from '../kit/clients/recorder.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until, within } from '../kit/process/until.ts'

/**
 * Loaded into each thread of the gateway. From SIGUSR2 on no commit comes back: each keeps its thread, as in a kernel whose
 * disk does not answer. Such a wait is to open a pipe that nobody writes to.
 */
const hangingDisk = (pipe: string) => `
  import { existsSync, openSync, writeFileSync, writeSync } from 'node:fs'
  import { DatabaseSync } from 'node:sqlite'
  import { isMainThread } from 'node:worker_threads'
  const hangs = ${JSON.stringify(hangsFile(pipe))}
  const { prepare } = DatabaseSync.prototype
  DatabaseSync.prototype.prepare = function (sql, ...more) {
    const statement = prepare.call(this, sql, ...more)
    if (sql !== 'COMMIT') return statement
    const { run } = statement
    statement.run = () => {
      if (existsSync(hangs)) {
        writeSync(2, 'a sync hangs\\n')
        openSync(${JSON.stringify(pipe)})
      }
      return run.call(statement)
    }
    return statement
  }
  if (isMainThread) {
    process.on('SIGUSR2', () => {
      writeFileSync(hangs, '')
      process.stderr.write('the disk hangs\\n')
    })
  }`

const hangsFile = (pipe: string) => `${pipe}.hangs`

async function openFolder() {
  const path = await mkdtemp(join(tmpdir(), 'drain-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

async function statusOf(url: string): Promise<number | undefined> {
  const [response] = (await once(get(url), 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

/** A reply that is held upstream, and somebody who has seen its first words. */
async function hold(system: System, talk: Talk) {
  const who = system.person('alice')
  await system.emulator.faults('/v1/workflows/chat', { kind: 'pause', afterDeltas: 3 })
  const { id } = await talk.send(who, '/long 12')
  const followed = await talk.recorder.follow(system.client, {
    reader: 'alice',
    as: who.name,
    token: who.token,
    replyId: id,
  })
  const events = await followed.take((event) => event.__typename === 'ReplyDelta')
  await system.emulator.until({ held: 'pause' })
  return { who, id, followed, events }
}

describe('the end of a gateway', () => {
  it('F20: drains on SIGTERM: refuses what is new, lets replies end, exits with 0', async () => {
    await using system = await startSystem({ timeouts: { drainMs: 60_000 } })
    const talk = createTalk(system)
    const { who, id, followed } = await hold(system, talk)
    expect(await statusOf(`${system.gateway.url}/health/ready`)).toBe(200)

    system.gateway.signal('SIGTERM')
    await until(
      async () => (await statusOf(`${system.gateway.url}/health/ready`)) === 503,
      'the gateway is not ready any more',
    )
    expect(await statusOf(`${system.gateway.url}/health/live`)).toBe(200)
    const refused = await system.client.call({
      token: who.token,
      query: 'mutation { sendMessage(input: { text: "late" }) { __typename } }',
    })
    expect(refused.body).toContain('DRAINING')

    await system.emulator.release()
    const events = await followed.take()
    expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    expect(await system.gateway.exited).toBe(0)

    await system.gateway.restart()
    expect(await talk.ending(who, id)).toEqual(events.at(-1))
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it('F20: closes WebSockets on SIGTERM with a code on which clients connect again, read and idle ones', async () => {
    await using system = await startSystem({ timeouts: { drainMs: 10_000 } })
    const { token } = system.person('alice')
    const url = `${system.gateway.url.replace('http', 'ws')}/graphql`
    const sockets = [1, 2].map(() => new WebSocket(url, 'graphql-transport-ws'))
    const closes = sockets.map(async (socket) => {
      const [code] = await once(socket, 'close')
      return code
    })
    const told = sockets.map((socket) => once(socket, 'message'))
    await Promise.all(sockets.map((socket) => once(socket, 'open')))
    for (const socket of sockets) {
      const payload = { authorization: `Bearer ${token}` }
      socket.send(JSON.stringify({ type: 'connection_init', payload }))
    }
    await Promise.all(told)
    const query = 'subscription { replies { cursor } }'
    sockets[0]?.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
    await until(
      async () => (await readMeter(system.gateway, 'coze_gateway_subscriptions_open')) === 1,
      'the subscription',
    )
    expect(await system.gateway.kill('SIGTERM')).toBe(0)
    expect(await Promise.all(closes)).toEqual([1012, 1012])
  })

  it('F20: ends what does not end in time as SHUTDOWN; subscribers go on afterwards', async () => {
    await using system = await startSystem({ timeouts: { drainMs: 300 } })
    const talk = createTalk(system)
    const { who, id, followed, events } = await hold(system, talk)
    const everything = await talk.recorder.follow(system.client, {
      reader: 'all',
      as: who.name,
      token: who.token,
      after: events[0]?.cursor,
    })
    expect(await system.gateway.kill('SIGTERM')).toBe(0)
    events.push(...(await followed.take()))
    await everything.take()
    expect(await everything.stream.ended).toBe('closed')
    expect(everything.stream.frames.findLast((frame) => frame.retry !== undefined)).toBeDefined()

    await system.emulator.release()
    await system.gateway.restart()
    expect(await talk.ending(who, id)).toMatchObject({
      __typename: 'ReplyFailed',
      failure: { code: 'SHUTDOWN' },
    })
    const last = events.at(-1)
    if (last && !isTerminal(last)) {
      const resumed = await talk.recorder.follow(system.client, {
        reader: 'alice',
        as: who.name,
        token: who.token,
        replyId: id,
        after: last.cursor,
      })
      expect((await resumed.take()).at(-1)).toMatchObject({ failure: { code: 'SHUTDOWN' } })
    }
    expect(await talk.say(who, 'are you back?')).toMatchObject({ text: 'You said: are you back?' })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it('F22: ends at once on a second signal, with 1, and is consistent after it', async () => {
    await using system = await startSystem({ timeouts: { drainMs: 30_000, recoverMs: 3_000 } })
    const talk = createTalk(system)
    const { who, id, followed } = await hold(system, talk)
    system.gateway.signal('SIGTERM')
    await until(
      async () => (await statusOf(`${system.gateway.url}/health/ready`)) === 503,
      'the gateway is not ready any more',
    )
    expect(await system.gateway.kill('SIGTERM')).toBe(1)
    const last = (await followed.take()).at(-1)
    talk.recorder.add({ type: 'crash' })
    await system.emulator.release()
    await system.gateway.restart()
    const resumed = await talk.recorder.follow(system.client, {
      reader: 'alice',
      as: who.name,
      token: who.token,
      replyId: id,
      after: last?.cursor,
    })
    await resumed.take()
    expect(await resumed.stream.ended).toBe('complete')
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it.each([
    ['F20: comes with 1 soon after its time to drain, though the disk hangs', 200, 1],
    ['F22: comes at once on a second signal, with 1, though the disk hangs', 600_000, 2],
  ] as const)('%s', async (_name, drainMs, signals) => {
    await using folder = await openFolder()
    const pipe = join(folder.path, 'pipe')
    execFileSync('mkfifo', [pipe])
    const script = encodeURIComponent(hangingDisk(pipe))
    await using system = await startSystem({
      timeouts: { drainMs, recoverMs: 3_000 },
      env: { NODE_OPTIONS: `--import=data:text/javascript,${script}` },
    })
    const { gateway } = system
    const talk = createTalk(system)
    const { who, id, followed } = await hold(system, talk)
    gateway.signal('SIGUSR2')
    await until(() => gateway.output.includes('the disk hangs'), 'the disk to hang')
    const unanswered = system.client
      .call({
        token: system.person('bob').token,
        query: 'mutation { sendMessage(input: { text: "hello" }) { __typename } }',
      })
      .catch(() => undefined)
    await until(() => gateway.output.includes('a sync hangs'), 'a sync to hang')
    gateway.signal('SIGTERM')
    await until(() => gateway.output.includes('"draining"'), 'the signal to be heard')
    if (signals === 2) gateway.signal('SIGTERM')
    expect(await within(gateway.exited, 'the end of the gateway', 60_000)).toBe(1)
    expect(await unanswered).toBeUndefined()
    await followed.take()
    talk.recorder.add({ type: 'crash' })
    await system.emulator.release()
    await rm(hangsFile(pipe))
    await gateway.restart()
    await talk.ending(who, id)
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it.each([
    ['an exception', `throw new Error('planted')`],
    ['a rejection', `Promise.reject(new Error('planted'))`],
  ])(
    'F25: %s that nobody caught is logged, lets replies end, and ends the process with 1',
    async (_, fault) => {
      const script = encodeURIComponent(`process.on('SIGUSR2', () => { ${fault} })`)
      await using system = await startSystem({
        timeouts: { drainMs: 60_000 },
        env: { NODE_OPTIONS: `--import=data:text/javascript,${script}` },
      })
      const talk = createTalk(system)
      const { who, id, followed } = await hold(system, talk)
      system.gateway.signal('SIGUSR2')
      await until(
        async () => (await statusOf(`${system.gateway.url}/health/ready`)) === 503,
        'the gateway is not ready any more',
      )
      await system.emulator.release()
      const events = await followed.take()
      expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(await system.gateway.exited).toBe(1)
      expect(system.gateway.output).toMatch(/"level":"error".*planted.*uncaught error/)
      await system.gateway.restart()
      expect(await talk.ending(who, id)).toEqual(events.at(-1))
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it('F32: a second gateway on the same file refuses to start and says why', async () => {
    await using system = await startSystem()
    const [command, ...args] = gatewayCommand(system.gateway.configFile)
    const second = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let output = ''
    second.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code] = (await once(second, 'close')) as [number]
    expect(code).not.toBe(0)
    expect(output).toMatch(/in use|another/i)
    const talk = createTalk(system)
    expect(await talk.say(system.person('alice'), 'still there?')).toMatchObject({
      __typename: 'ReplyCompleted',
    })
  })
})
