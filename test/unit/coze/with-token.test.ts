import { describe, expect, it } from 'vitest'
import { CozeError } from '../../../src/coze/errors.ts'
import { createTokenResolver, withToken } from '../../../src/coze/token.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { tokenOptions } from '../../kit/fakes/coze-options.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'
import { openResolver } from './open-resolver.ts'

const { signal } = new AbortController()
const refused = () => new CozeError('auth', 'refused', { accepted: 'no' })

describe('withToken', () => {
  it('F3: mints once per session for 100 concurrent refusals, and repeats each call once', async () => {
    const { resolver, minted } = openResolver()
    const accepted = new Set<string>()
    let calls = 0
    const call = async (name: string) =>
      withToken(
        resolver,
        name,
        async ({ token }) => {
          calls += 1
          await Promise.resolve()
          if (token.reveal().endsWith('#1')) throw refused()
          accepted.add(token.reveal())
        },
        signal,
      )
    await Promise.all([resolver.token('alice', signal), resolver.token('bob', signal)])
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => call(index % 2 === 0 ? 'alice' : 'bob')),
    )
    expect(minted.toSorted()).toEqual(['alice#1', 'alice#2', 'bob#1', 'bob#2'])
    expect([...accepted].toSorted()).toEqual(['alice#2', 'bob#2'])
    expect(calls).toBe(200)
  })

  it('F3: gives up after the second refusal', async () => {
    const { resolver, minted } = openResolver()
    const run = async () => Promise.reject(refused())
    await expect(withToken(resolver, 'alice', run, signal)).rejects.toMatchObject({ kind: 'auth' })
    expect(minted).toHaveLength(2)
  })

  it.each([
    new CozeError('auth', 'revoked in mid-stream', { accepted: 'yes' }),
    new CozeError('server', 'HTTP 500', { accepted: 'unknown' }),
    new CozeError('busy', 'busy', { accepted: 'no' }),
  ])(
    'F3: does not repeat what may have been accepted, or was refused otherwise (%s)',
    async (error) => {
      const { resolver } = openResolver()
      let calls = 0
      const run = async () => {
        calls += 1
        throw error
      }
      await expect(withToken(resolver, 'alice', run, signal)).rejects.toBe(error)
      expect(calls).toBe(1)
    },
  )

  it('T15: drops only the token that failed', async () => {
    const { resolver, reveal } = openResolver()
    const stale = await resolver.token('alice', signal)
    resolver.drop(stale)
    expect(await reveal('alice')).toBe('alice#2')
    resolver.drop(stale)
    expect(await reveal('alice')).toBe('alice#2')
  })

  it('has no other token to offer where one is shared by all sessions', async () => {
    const token = new Secret('pat_1')
    const resolver = createTokenResolver({
      client: { request: async () => Promise.reject(new Error('not called')) },
      credentials: { type: 'shared-token', baseUrl: 'http://studio.example', token },
      clock: createFakeClock(),
      newId: randomId,
      metrics: uncounted,
      ...tokenOptions,
    })
    expect((await resolver.token('alice', signal)).target).toEqual({
      baseUrl: 'http://studio.example',
      token,
    })
    let calls = 0
    const run = async () => {
      calls += 1
      throw refused()
    }
    await expect(withToken(resolver, 'alice', run, signal)).rejects.toMatchObject({ kind: 'auth' })
    expect(calls).toBe(1)
  })
})
