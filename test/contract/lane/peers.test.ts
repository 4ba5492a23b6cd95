import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPeerChannel } from '../../../src/lane/peer-channel.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { openTestLane, prefix, type TestLane } from '../../kit/fakes/lane.ts'
import {
  answerOf,
  completed,
  finish,
  openSession,
  runReply,
} from '../../kit/fakes/stored-replies.ts'
import { readAt } from '../../kit/fakes/session-reader.ts'
import { type Instance, openInstance } from '../../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../../kit/process/postgres.ts'
import { type RedisServer, startRedis } from '../../kit/process/redis.ts'
import { until } from '../../kit/process/until.ts'

const text = (offset: number, said: string) => [{ kind: 'ANSWER', offset, text: said } as const]

describe('running text on the lane', () => {
  let postgres: PostgresServer
  let redis: RedisServer
  beforeAll(async () => {
    ;[postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  })
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  /** Two instances whose time stands still: nothing is asked for regularly, and no text is written to the disk. */
  async function openTwo(secrets = ['the same key', 'the same key']) {
    await using stack = new AsyncDisposableStack()
    const url = await postgres.newDatabase()
    const instances: (Instance & { readonly lane: TestLane })[] = []
    for (const [index, secret] of secrets.entries()) {
      const lane = stack.use(openTestLane(redis.url))
      await lane.whenHere()
      const peers = stack.use(
        openPeerChannel({
          lane: lane.lane,
          instance: `instance-${index}`,
          secret: new Secret(secret),
          clock: systemClock,
        }),
      )
      instances.push({ ...stack.use(await openInstance(url, { peers })), lane })
    }
    const [one, other] = instances
    if (one === undefined || other === undefined) throw new Error('there are two')
    await one.beat()
    const owned = stack.move()
    return { one, other, [Symbol.asyncDispose]: () => owned.disposeAsync() }
  }

  it('P2: reaches readers of other instances ahead of the store, from the start of a reply to its end', async () => {
    await using two = await openTwo()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = readAt(other, session)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'one '))
    await until(() => answerOf(reader.events, run) === 'one ', 'the first text')
    await run.append(text(4, 'two '))
    await until(() => answerOf(reader.events, run) === 'one two ', 'the next text')
    await finish(run, completed('one two three'))
    await until(() => reader.events.some(({ type }) => type === 'completed'), 'the end')
    expect(answerOf(reader.events, run)).toBe('one two three')
    const types = reader.events.map(({ type }) => type)
    expect(types).toEqual(['started', 'delta', 'delta', 'delta', 'completed'])
  })

  it('P2: that was said before a reader came is said again by the instance that runs the reply, ahead of the store', async () => {
    await using two = await openTwo()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'one '))
    using reader = readAt(other, session)
    await until(() => answerOf(reader.events, run) === 'one ', 'what was said before')
    await run.append(text(4, 'two '))
    await until(() => answerOf(reader.events, run) === 'one two ', 'what is said now')
    await finish(run, completed('one two '))
  })

  it('P2: is said again to each reader that comes late, also where an earlier one has left', async () => {
    await using two = await openTwo()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    for (const said of ['first ', 'second ', 'third ']) {
      const run = await runReply(one.store, session)
      await run.append(text(0, said))
      using reader = readAt(other, session, undefined, { replyId: run.reply.id })
      await until(() => answerOf(reader.events, run) === said, said)
      await finish(run, completed(said))
      await until(() => reader.events.some(({ type }) => type === 'completed'), 'the end')
    }
  })

  it('reaches the instances that read some of it, and no others', async () => {
    await using two = await openTwo()
    const { one, other } = two
    const listeners = async (name: string) => {
      const answer = await redis.command('PUBSUB', 'NUMSUB', `${prefix}peers:${name}`)
      return Array.isArray(answer) ? Number(answer[1]) : undefined
    }
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'one '))
    expect(await listeners(one.name)).toBe(0)
    using reader = readAt(other, session)
    await until(() => answerOf(reader.events, run) === 'one ', 'the text')
    expect(await listeners(one.name)).toBe(1)
    expect(await listeners(other.name)).toBe(0)
    await finish(run, completed('one '))
  })

  it('is not listened to any more a minute after the last reader of the instance', async () => {
    await using server = openTestLane(redis.url)
    await server.whenHere()
    const clock = createFakeClock()
    const secret = new Secret('the same key')
    using peers = openPeerChannel({ lane: server.lane, instance: 'reader', secret, clock })
    const listeners = async () => {
      const answer = await redis.command('PUBSUB', 'NUMSUB', `${prefix}peers:writer`)
      return Array.isArray(answer) ? Number(answer[1]) : undefined
    }
    peers.follow('writer')
    await until(async () => (await listeners()) === 1, 'the subscription')
    clock.advance(59_000)
    peers.follow('writer')
    clock.advance(59_000)
    await until(async () => (await listeners()) === 1, 'the subscription to be there still')
    clock.advance(61_000)
    await until(async () => (await listeners()) === 0, 'the end of the subscription')
  })

  it('P2: that is lost is made up for by the store, and what follows comes fast again', async () => {
    await using two = await openTwo()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = readAt(other, session)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'one '))
    await until(() => answerOf(reader.events, run) === 'one ', 'the first text')
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await run.append(text(4, 'two '))
    let answer = 'one two '
    await until(async () => {
      await run.append(text(answer.length, '.'))
      answer += '.'
      one.clock.advance(250)
      other.clock.advance(100)
      return answerOf(reader.events, run).startsWith('one two ..')
    }, 'the store to make up for it')
    await run.append(text(answer.length, 'fast'))
    await until(() => answerOf(reader.events, run) === `${answer}fast`, 'the rest')
    await finish(run, completed(`${answer}fast`))
    await until(() => reader.events.some(({ type }) => type === 'completed'), 'the end')
    expect(answerOf(reader.events, run)).toBe(`${answer}fast`)
  })

  it('T19: is nothing to whoever has not the key, neither to read nor to write', async () => {
    await using two = await openTwo(['a key', 'another key'])
    const { one, other } = two
    const heard: string[] = []
    const spy = createClient({ url: redis.url })
    spy.on('error', () => {})
    await spy.connect()
    await spy.pSubscribe(`${prefix}peers*`, (message) => void heard.push(message))
    const session = await openSession(one.store.ledger)
    using reader = readAt(other, session)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'a secret word'))
    await until(() => heard.length > 0, 'the message')
    expect(heard.join()).not.toMatch(/secret|word/)
    expect(heard.join()).not.toContain(session.id)
    for (const message of [...heard, 'instance-0.', 'x', '', 'instance-0.AAAA']) {
      for (const channel of ['peers', 'peers:instance-0', 'peers:instance-1:asked']) {
        await redis.command('PUBLISH', prefix + channel, message)
      }
    }
    spy.destroy()
    expect(reader.events).toEqual([])
    expect(JSON.stringify([...(await redis.contents())])).not.toMatch(/secret|word/)
    await finish(run, completed('a secret word'))
  })
})
