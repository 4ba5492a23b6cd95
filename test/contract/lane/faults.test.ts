import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestLane } from '../../kit/fakes/lane.ts'
import { openRelay } from '../../kit/process/relay.ts'
import { type RedisServer, startRedis } from '../../kit/process/redis.ts'
import { until } from '../../kit/process/until.ts'

const away = 'the lane is away: everything goes on without it, more slowly'

describe('F46: a lane whose Redis', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await startRedis()))
  afterAll(() => server[Symbol.asyncDispose]())

  it('is there answers, and says so once', async () => {
    await using test = openTestLane(server.url)
    const { lane, log, whenHere } = test
    await whenHere()
    expect(await lane.command('token', 'SET', 'a', '1', 'PX', '1000')).toBe('OK')
    expect(await lane.command('token', 'GET', 'a')).toBe('1')
    expect(await server.command('GET', 'test:a')).toBe('1')
    expect(log).toEqual(['the lane is connected'])
  })

  it('is not there at the start costs nothing, and is told once', async () => {
    await using relay = await openRelay(1)
    await using test = openTestLane(`redis://127.0.0.1:${relay.port}`)
    expect(await test.lane.command('token', 'GET', 'a')).toBeUndefined()
    await until(() => test.log.length > 0, 'the lane to be told')
    expect(test.log).toEqual([`${away} (unreachable)`])
    expect(test.asked.every((one) => one.startsWith('probe'))).toBe(true)
  })

  it('hangs (SIGSTOP) costs what is on its way the time limit, and what comes after nothing', async () => {
    await using test = openTestLane(server.url)
    const { lane, log, asked, whenHere } = test
    await whenHere()
    server.signal('SIGSTOP')
    const together = Array.from({ length: 100 }, () => lane.command('token', 'GET', 'a'))
    expect(await Promise.all(together)).toEqual(together.map(() => undefined))
    const before = asked.length
    for (let count = 0; count < 100; count += 1) {
      expect(await lane.command('token', 'GET', 'a')).toBeUndefined()
    }
    expect(asked.slice(before).filter((one) => !one.startsWith('probe'))).toEqual([])
    server.signal('SIGCONT')
    await whenHere()
    expect(await lane.command('token', 'SET', 'a', '1', 'PX', '1000')).toBe('OK')
    expect(log).toEqual(['the lane is connected', `${away} (timeout)`, 'the lane is back'])
  })

  it('restarts is used again, and has forgotten', async () => {
    await using own = await startRedis()
    await using test = openTestLane(own.url)
    await test.whenHere()
    await own.crash()
    await test.whenAway()
    expect(await test.lane.command('token', 'GET', 'a')).toBeUndefined()
    await own.start()
    await test.whenHere()
    await until(() => test.losses === 1, 'the loss to be counted')
    expect(test.log.slice(-2).toSorted()).toEqual([
      'the lane has forgotten what it held',
      'the lane is back',
    ])
  })

  it('is flushed goes on, and is told', async () => {
    await using own = await startRedis()
    await using test = openTestLane(own.url)
    await test.whenHere()
    await own.command('FLUSHALL')
    await until(() => test.losses === 1, 'the loss to be counted')
    expect(test.lane.isHere).toBe(true)
    expect(test.log).toEqual(['the lane is connected', 'the lane has forgotten what it held'])
  })

  it.each([
    ['is full and evicts nothing', ['--maxmemory-policy', 'noeviction'], 'full'],
    ['may only be read', [], 'readonly'],
  ] as const)('%s is away', async (_name, settings, reason) => {
    await using own = await startRedis(settings)
    await using test = openTestLane(own.url)
    await test.whenHere()
    const break_ =
      reason === 'full'
        ? ['CONFIG', 'SET', 'maxmemory', '1']
        : ['REPLICAOF', '127.0.0.1', String(server.port)]
    await own.command(...break_)
    await test.whenAway()
    expect(test.log.at(-1)).toBe(`${away} (${reason})`)
    expect(await test.lane.command('token', 'SET', 'a', '1', 'PX', '1000')).toBeUndefined()
    await own.command(
      ...(reason === 'full' ? ['CONFIG', 'SET', 'maxmemory', '0'] : ['REPLICAOF', 'NO', 'ONE']),
    )
    await test.whenHere()
  })

  it('evicts what it likes stays here', async () => {
    await using own = await startRedis(['--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-lru'])
    await using test = openTestLane(own.url)
    await test.whenHere()
    for (let count = 0; count < 400; count += 1) {
      await own.command('SET', `k${count}`, 'x'.repeat(10_000))
    }
    expect((await own.contents()).size).toBeLessThan(400)
    const write = () => test.lane.command('token', 'SET', 'a', '1', 'PX', '60000')
    await until(async () => (await write()) === 'OK', 'a write to succeed')
    expect(test.log.filter((line) => line.includes('(full)'))).toEqual([])
  })

  it('is slow is away, until it is fast again', async () => {
    await using relay = await openRelay(server.port)
    await using test = openTestLane(`redis://127.0.0.1:${relay.port}`)
    await test.whenHere()
    relay.delay(3_000)
    expect(await test.lane.command('token', 'GET', 'a')).toBeUndefined()
    expect(test.lane.isHere).toBe(false)
    relay.delay(0)
    await test.whenHere()
    expect(test.log).toEqual(['the lane is connected', `${away} (timeout)`, 'the lane is back'])
  })

  it('loses its connections is back soon', async () => {
    await using relay = await openRelay(server.port)
    await using test = openTestLane(`redis://127.0.0.1:${relay.port}`)
    await test.whenHere()
    relay.cut()
    const write = () => test.lane.command('token', 'SET', 'a', '1', 'PX', '1000')
    await until(async () => (await write()) === 'OK', 'the lane to take a command')
  })

  it('hears nothing of a connection that is half open gets another one', async () => {
    await using relay = await openRelay(server.port)
    await using test = openTestLane(`redis://127.0.0.1:${relay.port}`)
    await test.whenHere()
    relay.silence()
    expect(await test.lane.command('token', 'GET', 'a')).toBeUndefined()
    relay.restore()
    await test.whenHere()
    expect(await test.lane.command('token', 'SET', 'a', '1', 'PX', '1000')).toBe('OK')
  })
})
