import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { MintedToken } from '../../../src/coze/minting.ts'
import { createSharedTokens } from '../../../src/lane/shared-tokens.ts'
import { createTokenSeal } from '../../../src/lane/token-seal.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import { openTestLane } from '../../kit/fakes/lane.ts'
import { type RedisServer, startRedis } from '../../kit/process/redis.ts'

const { signal } = new AbortController()
const baseUrl = 'https://api.coze.example'

/** One gateway; `mints` is shared by all of them. */
async function openInstance(
  server: RedisServer,
  mints: string[],
  { appId = 'app-1', secret = 'a key of all instances', lifeMs = 60_000 } = {},
) {
  const test = openTestLane(server.url)
  await test.whenHere()
  const tokens = createSharedTokens({
    lane: test.lane,
    seal: createTokenSeal(new Secret(secret)),
    credentials: { baseUrl, appId },
    clock: systemClock,
    newId: randomId,
    maxEntries: 100,
  })
  async function mint(sessionName: string): Promise<MintedToken> {
    mints.push(sessionName)
    const token = new Secret(`secret-${sessionName}-${mints.length}`)
    await turn()
    const expiresAt = performance.now() + lifeMs
    return { sessionName, target: { baseUrl, token }, refreshAt: expiresAt - 30_000, expiresAt }
  }
  return {
    ...test,
    tokens,
    mint,
    obtain: (sessionName: string, minting = mint) =>
      tokens.obtain(sessionName, () => minting(sessionName), signal),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  }
}

const textOf = ({ target }: MintedToken) => target.token.reveal()

describe('access tokens on the lane', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await startRedis()))
  afterAll(() => server[Symbol.asyncDispose]())
  afterEach(async () => void (await server.command('FLUSHALL')))

  it('are minted once per session, however many instances ask at the same time', async () => {
    const mints: string[] = []
    await using stack = new AsyncDisposableStack()
    const instances = await Promise.all(
      Array.from({ length: 4 }, async () => stack.use(await openInstance(server, mints))),
    )
    const sessions = ['alice', 'bob', 'carol']
    const asked = instances.flatMap(({ obtain }) =>
      sessions.map(async (name) => [name, textOf(await obtain(name))]),
    )
    const found = new Set((await Promise.all(asked)).map((pair) => pair.join(' ')))
    expect(mints.toSorted()).toEqual(sessions)
    expect(found.size).toBe(3)
  })

  it('T19, T20: stand there sealed, with neither a token nor a name in clear, and end', async () => {
    const mints: string[] = []
    await using one = await openInstance(server, mints)
    const token = await one.obtain('alice')
    await one.lane.command('token', 'GET', 'x')
    const contents = [...(await server.contents())].filter(([key]) => key.includes('token:'))
    expect(contents.length).toBeGreaterThan(0)
    expect(JSON.stringify([...(await server.contents())])).not.toMatch(/alice|secret|coze\.example/)
    for (const [key] of await server.contents()) {
      expect(await server.command('PTTL', key)).toBeGreaterThan(0)
    }
    expect(textOf(token)).toBe('secret-alice-1')
  })

  it('open for their own session, app and key alone', async () => {
    const mints: string[] = []
    await using one = await openInstance(server, mints)
    await one.obtain('alice')
    await one.obtain('bob')
    const keys = [...(await server.contents()).keys()].filter((key) => /token:[^:]+$/.test(key))
    const [alice = '', bob = ''] = keys
    const [first, second] = await Promise.all(keys.map((key) => server.command('GET', key)))
    await server.command('SET', alice, String(second), 'PX', '60000')
    await server.command('SET', bob, String(first), 'PX', '60000')
    expect(textOf(await one.obtain('alice'))).toBe('secret-alice-3')
    expect(textOf(await one.obtain('bob'))).toBe('secret-bob-4')
    await using otherApp = await openInstance(server, mints, { appId: 'app-2' })
    expect(textOf(await otherApp.obtain('alice'))).toBe('secret-alice-5')
    await using otherKey = await openInstance(server, mints, { secret: 'another key' })
    expect(textOf(await otherKey.obtain('alice'))).toBe('secret-alice-6')
  })

  it('that the upstream refused are taken away from all, and newer ones are not', async () => {
    const mints: string[] = []
    await using one = await openInstance(server, mints)
    await using two = await openInstance(server, mints)
    const refused = await one.obtain('alice')
    const same = await two.obtain('alice')
    expect(textOf(same)).toBe(textOf(refused))
    one.tokens.drop(refused)
    const fresh = await one.obtain('alice')
    expect(textOf(fresh)).toBe('secret-alice-2')
    two.tokens.drop(same)
    expect(textOf(await two.obtain('alice'))).toBe('secret-alice-2')
    expect(mints).toHaveLength(2)
  })

  it('that were refused are not believed again, should the deletion be lost', async () => {
    const mints: string[] = []
    await using one = await openInstance(server, mints)
    const refused = await one.obtain('alice')
    const [[key, value] = ['', '']] = [...(await server.contents())].filter(([name]) =>
      name.includes('token:'),
    )
    one.tokens.drop(refused)
    await one.lane.command('token', 'GET', 'x')
    await server.command('SET', key, String(JSON.parse(value)), 'PX', '60000')
    expect(textOf(await one.obtain('alice'))).toBe('secret-alice-2')
  })

  it('are minted by another instance when the one that mints dies or fails', async () => {
    const mints: string[] = []
    await using one = await openInstance(server, mints)
    await using two = await openInstance(server, mints)
    const { promise: never } = Promise.withResolvers<MintedToken>()
    const begun = Promise.withResolvers<void>()
    void one.obtain('alice', () => {
      begun.resolve()
      return never
    })
    await begun.promise
    expect(textOf(await two.obtain('alice'))).toBe('secret-alice-1')
    await expect(one.obtain('bob', () => Promise.reject(new Error('refused')))).rejects.toThrow(
      'refused',
    )
    expect(textOf(await two.obtain('bob'))).toBe('secret-bob-2')
  })

  it('that are due for a new one hold while another instance mints it', async () => {
    const mints: string[] = []
    await using one = await openInstance(server, mints, { lifeMs: 20_000 })
    await using two = await openInstance(server, mints)
    await one.obtain('alice')
    const begun = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const renewing = two.obtain('alice', async (sessionName) => {
      begun.resolve()
      await go.promise
      return await two.mint(sessionName)
    })
    await begun.promise
    expect(textOf(await one.obtain('alice'))).toBe('secret-alice-1')
    go.resolve()
    expect(textOf(await renewing)).toBe('secret-alice-2')
    expect(textOf(await one.obtain('alice'))).toBe('secret-alice-2')
    expect(mints).toHaveLength(2)
  })

  it('are minted by each instance while the lane is away', async () => {
    const mints: string[] = []
    await using own = await startRedis()
    await using one = await openInstance(own, mints)
    await using two = await openInstance(own, mints)
    await own.crash()
    const [first, second] = await Promise.all([one.obtain('alice'), two.obtain('alice')])
    expect(mints).toEqual(['alice', 'alice'])
    expect(textOf(first)).not.toBe(textOf(second))
  })
})
