import { describe, expect, it } from 'vitest'
import { StoreError, StoreOpenError } from '../../../../src/store/store.ts'
import { createSpokenClient, done, failed } from '../../../kit/fakes/spoken-engine.ts'

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
describe('the client of an engine', () => {
  it('posts all calls of a turn in one message, in their order', async () => {
    const { client, posted, open } = createSpokenClient()
    open()
    void client.call('ping', { at: 1 })
    await Promise.resolve()
    void client.call('waiting', {})
    await nextTurn()
    void client.call('ping', { at: 2 })
    await nextTurn()
    expect(posted.map((calls) => calls.map(({ id, method }) => [id, method]))).toEqual([
      [
        [1, 'ping'],
        [2, 'waiting'],
      ],
      [[3, 'ping']],
    ])
  })

  it('changes memory in the order of the answers, before anybody is told', async () => {
    const { client, answer, open, commits } = createSpokenClient()
    open()
    const order: string[] = []
    const one = client
      .call('ping', { at: 1 }, () => void order.push('one'))
      .then(() => order.push('told'))
    const two = client.call('ping', { at: 2 }, () => void order.push('two'))
    answer(done(1), done(2))
    await Promise.all([one, two])
    expect(order).toEqual(['one', 'two', 'told'])
    expect(commits).toEqual([2])
  })

  it('tells a failure of the store from a bug, once that it fails, and when it writes again', async () => {
    const parts = createSpokenClient()
    const { client, answer, open } = parts
    open()
    const calls = [1, 2, 3].map((at) => client.call('ping', { at }))
    answer(failed(1, 'full'), failed(2, 'unavailable'), failed(3))
    const [full, unavailable, bug] = await Promise.allSettled(calls)
    expect(full).toMatchObject({ reason: { kind: 'full' } })
    expect(unavailable).toMatchObject({ reason: { kind: 'unavailable' } })
    expect(bug).toMatchObject({ reason: expect.not.objectContaining({ kind: expect.anything() }) })
    expect([client.isFailing, parts.failures]).toEqual([true, 1])
    // A read tells nothing of that.
    const read = client.call('waiting', {})
    answer(done(4, []))
    await read
    expect(client.isFailing).toBe(true)
    const ping = client.call('ping', { at: 5 })
    answer(done(5))
    await ping
    expect(client.isFailing).toBe(false)
  })

  it('F28: takes a store for failing by no answer that one call alone has lost', async () => {
    const parts = createSpokenClient()
    const { client, answer, open } = parts
    open()
    const lost = client.call('ping', { at: 1 })
    answer(failed(1, 'unavailable', 'call'))
    await expect(lost).rejects.toMatchObject({ kind: 'unavailable' })
    expect([client.isFailing, parts.failures]).toEqual([false, 0])
  })

  it('F28: gives a store that is away up once it was borne with for long enough, and a full one at once', async () => {
    const parts = createSpokenClient({ bearMs: 1_000 })
    const { client, clock, answer, open } = parts
    open()
    const fail = async (id: number, kind: 'full' | 'unavailable') => {
      const call = client.call('ping', { at: id })
      answer(failed(id, kind))
      await expect(call).rejects.toMatchObject({ kind })
    }
    await fail(1, 'unavailable')
    clock.advance(999)
    expect([client.isFailing, client.isGivenUp]).toEqual([true, false])
    const ping = client.call('ping', { at: 2 })
    answer(done(2))
    await ping
    await fail(3, 'unavailable')
    clock.advance(999)
    expect(client.isGivenUp).toBe(false)
    clock.advance(1)
    expect([client.isGivenUp, parts.givenUp]).toEqual([true, 1])
    const back = client.call('ping', { at: 4 })
    answer(done(4))
    await back
    await fail(5, 'full')
    expect([client.isGivenUp, parts.givenUp, clock.pending]).toEqual([true, 2, 0])
  })

  it('keeps the process alive while it opens and while calls wait', async () => {
    const { client, answer, open, kept } = createSpokenClient()
    open()
    const call = client.call('ping', { at: 1 })
    await nextTurn()
    answer(done(1))
    await call
    expect(kept).toEqual([false, true, false])
  })

  it('F25: fails all calls when the engine dies, takes no other, and lets the process end as by any uncaught exception', async () => {
    const { client, died, die, open } = createSpokenClient()
    open()
    const waiting = client.call('ping', { at: 1 })
    const crash = new Error('out of memory')
    die(crash)
    die(new Error('the engine has ended'))
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable', cause: crash })
    await expect(client.call('ping', { at: 2 })).rejects.toBeInstanceOf(StoreError)
    expect(died).toEqual([crash])
    await client[Symbol.asyncDispose]()
  })

  it('refuses to open as the engine does, and when it dies before it has opened', async () => {
    const refused = createSpokenClient()
    refused.say({ type: 'refused', message: 'in use by another gateway' })
    await expect(refused.client.opened).rejects.toThrow(
      new StoreOpenError('in use by another gateway'),
    )
    await refused.client[Symbol.asyncDispose]()
    expect(refused.isTerminated).toBe(true)

    const dead = createSpokenClient()
    dead.die(new Error('no memory'))
    await expect(dead.client.opened).rejects.toThrow('no memory')
    expect(dead.died).toEqual([])
  })

  it('closes once what was posted before is done', async () => {
    const parts = createSpokenClient()
    const { client, answer, open, posted } = parts
    open()
    const last = client.call('ping', { at: 1 })
    const closing = client[Symbol.asyncDispose]()
    await expect(client.call('ping', { at: 2 })).rejects.toThrow('the store is closed')
    expect(posted.flat().map(({ method }) => method)).toEqual(['ping', 'close'])
    expect(parts.isTerminated).toBe(false)
    answer(done(1))
    answer(done(2))
    await Promise.all([last, closing])
  })

  it('F25: is closed at once where the engine dies meanwhile, and tells whoever still waits', async () => {
    const parts = createSpokenClient()
    const { client, die, died, open } = parts
    open()
    const last = client.call('ping', { at: 1 })
    const closing = client[Symbol.asyncDispose]()
    const crash = new Error('out of memory')
    die(crash)
    const settled = await Promise.race([
      Promise.allSettled([last, closing]),
      nextTurn().then(() => 'still waiting'),
    ])
    const reason = { kind: 'unavailable', cause: crash }
    expect(settled).toMatchObject([{ reason }, { reason }])
    expect([died, parts.isTerminated]).toEqual([[], true])
  })

  it('F30: gives up closing after a time when the disk hangs, and tells whoever still waits', async () => {
    const parts = createSpokenClient()
    const { client, clock, open } = parts
    open()
    const last = client.call('ping', { at: 1 })
    const closing = client[Symbol.asyncDispose]()
    clock.advance(60_000)
    await expect(closing).rejects.toThrow('could not be closed in time')
    await expect(last).rejects.toBeInstanceOf(StoreError)
    expect(parts.isTerminated).toBe(true)
  })
})
