import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { type CozeCall, callRules } from '../../src/coze/calls.ts'
import { createCozeClient } from '../../src/coze/client.ts'
import { CozeError } from '../../src/coze/errors.ts'
import { Secret } from '../../src/lib/secret.ts'
import { toRunFailure } from '../../src/strategy/run-failure.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { answerCall, platformCalls } from '../kit/process/platform-calls.ts'
import { cozeOptions } from '../kit/fakes/coze-options.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'
import { until, within } from '../kit/process/until.ts'

/** What the platform does with a request on a connection that was kept alive. */
type Death = 'destroy' | 'reset' | 'silence' | 'slowness'

/** A client with two idle connections to a platform, both of which can die. */
async function openIdle() {
  const stack = new AsyncDisposableStack()
  const used = new Set<Socket>()
  const seen: { readonly isReused: boolean; readonly authorization: string }[] = []
  const bothUsed = Promise.withResolvers<void>()
  const slow = Promise.withResolvers<void>()
  let death: Death | undefined
  const server = createServer((request, response) => {
    const { socket } = request
    const isReused = used.has(socket)
    used.add(socket)
    if (death !== undefined) {
      seen.push({ isReused, authorization: request.headers.authorization ?? '' })
    }
    if (isReused && death === 'destroy') socket.destroy()
    else if (isReused && death === 'reset') socket.resetAndDestroy()
    else if (isReused && death === 'silence') request.resume()
    else if (death === 'slowness') void slow.promise.then(answer)
    else void answer()

    async function answer() {
      if (used.size === 2) bothUsed.resolve()
      if (death === undefined) await bothUsed.promise
      await answerCall(request, response)
    }
  })
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const clock = createFakeClock()
  const counted: string[] = []
  const client = stack.use(
    createCozeClient({
      clock,
      random: () => 0.5,
      tracer: untraced,
      onFailure: () => undefined,
      metrics: {
        ...uncounted,
        upstreamError: (call, kind, code) => void counted.push(`${call} ${kind} ${code}`),
        upstreamRetried: () => void counted.push('again'),
      },
      ...cozeOptions,
    }),
  )
  const target = { baseUrl: `http://127.0.0.1:${port}`, token: new Secret('access-token') }
  const by = { client, target, clock }
  const warm = () => platformCalls['retrieve-conversation'](by)
  await within(Promise.all([warm(), warm()]), 'two connections')
  // Only in its next turn is a connection free for the next request.
  await turn()
  return {
    clock,
    counted,
    seen,
    call: (call: CozeCall) => within(platformCalls[call](by), `the end of ${call}`),
    die(how: Death) {
      death = how
    },
    /** Closes both connections while nothing happens on them; resolves when the client knows. */
    async closeIdle(then: Death = 'silence') {
      death = then
      await Promise.all(
        [...used].map(async (socket) => {
          socket.end()
          await once(socket, 'close')
        }),
      )
    },
    /** The platform answers what it was slow to answer. */
    answer: () => slow.resolve(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const calls = Object.keys(callRules) as CozeCall[]
const repeated = calls.filter((call) => callRules[call].stage !== 'run' && call !== 'upload')
const runs = calls.filter((call) => callRules[call].stage === 'run')

async function failureOf(outcome: Promise<unknown>): Promise<CozeError> {
  try {
    await outcome
  } catch (error) {
    if (error instanceof CozeError) return error
    throw error
  }
  throw new Error('the call succeeded')
}

describe('a kept-alive connection that is dead', () => {
  it.each(calls)('F43: closed while it was idle, %s never meets it', async (call) => {
    await using idle = await openIdle()
    await idle.closeIdle()
    await idle.call(call)
    expect(idle.seen).toHaveLength(1)
    expect(idle.counted).toEqual([])
  })

  it.each(repeated.flatMap((call) => [[call, 'destroy'] as const, [call, 'reset'] as const]))(
    'F43: %s is repeated once on a new connection when its request meets a %s',
    async (call, death) => {
      await using idle = await openIdle()
      idle.die(death)
      await idle.call(call)
      expect(idle.seen.map(({ isReused }) => isReused)).toEqual([true, false])
      const code = death === 'destroy' ? 'UND_ERR_SOCKET' : 'ECONNRESET'
      expect(idle.counted).toEqual([`${call} unavailable ${code}`, 'again'])
    },
  )

  it.each(repeated)(
    'F43: %s is repeated once on a new connection when its request meets silence',
    async (call) => {
      await using idle = await openIdle()
      idle.die('silence')
      const outcome = idle.call(call)
      await until(async () => idle.seen.length === 1, 'the request on the dead connection')
      // A third of the time for an answer: 15 s, and here 60 s for a token.
      idle.clock.advance(call === 'token' ? 20_001 : 5_001)
      await outcome
      expect(idle.seen.map(({ isReused }) => isReused)).toEqual([true, false])
      expect(idle.counted).toEqual([`${call} unavailable SILENT_CONNECTION`, 'again'])
    },
  )

  it.each(repeated)('a slow answer to %s on a new connection is waited for', async (call) => {
    await using idle = await openIdle()
    await idle.closeIdle('slowness')
    const outcome = idle.call(call)
    await until(async () => idle.seen.length === 1, 'the request on the new connection')
    idle.clock.advance(9_000)
    idle.answer()
    await outcome
    expect(idle.seen).toHaveLength(1)
    expect(idle.counted).toEqual([])
  })

  it('F43: each try for a token signs an assertion of its own, since a jti is accepted once', async () => {
    await using idle = await openIdle()
    idle.die('reset')
    await idle.call('token')
    const jtis = idle.seen.map(({ authorization }) => decodeJwt(authorization.slice(7)).jti)
    expect(new Set(jtis).size).toBe(2)
  })

  it.each(runs.flatMap((call) => [[call, 'destroy'] as const, [call, 'reset'] as const]))(
    'F43: %s is never repeated when its request meets a %s, and its outcome is unknown',
    async (call, death) => {
      await using idle = await openIdle()
      idle.die(death)
      const error = await failureOf(idle.call(call))
      expect(error).toMatchObject({ kind: 'unavailable', accepted: 'unknown', origin: { call } })
      const { failure, outcome } = toRunFailure(error, 'wire')
      expect({ ...failure, outcome }).toMatchObject({
        code: 'UPSTREAM_OUTCOME_UNKNOWN',
        outcome: 'unseen',
      })
      expect(idle.seen).toHaveLength(1)
      expect(idle.counted).not.toContain('again')
    },
  )

  it.each(runs)('F43: %s waits for its first event when it meets silence', async (call) => {
    await using idle = await openIdle()
    idle.die('silence')
    const outcome = failureOf(idle.call(call))
    await until(async () => idle.seen.length === 1, 'the request on the dead connection')
    idle.clock.advance(60_001)
    const error = await outcome
    expect(error).toMatchObject({ kind: 'timeout', systemCode: 'FIRST_EVENT_TIMEOUT' })
    expect(idle.seen).toHaveLength(1)
  })

  it.each(['destroy', 'reset', 'silence'] as const)(
    'F43: upload never uses one, since its content could not be sent again (%s)',
    async (death) => {
      await using idle = await openIdle()
      idle.die(death)
      await idle.call('upload')
      expect(idle.seen.map(({ isReused }) => isReused)).toEqual([false])
    },
  )
})
