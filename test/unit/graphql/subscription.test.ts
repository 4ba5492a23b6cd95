import { setImmediate as settled } from 'node:timers/promises'
import { parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { limitsSchema } from '../../../src/config/sections/limits.ts'
import { uploadsSchema } from '../../../src/config/sections/uploads.ts'
import { createSelectionCompiler } from '../../../src/graphql/execution/event-renderer.ts'
import { openSubscription } from '../../../src/graphql/execution/subscription.ts'
import { encodeGlobal } from '../../../src/graphql/global-id.ts'
import { schema } from '../../../src/graphql/schema.ts'
import { OneAtATime } from '../../../src/lib/one-at-a-time.ts'
import { createTurns, type SharedTurns } from '../../../src/lib/turns.ts'
import { openBudget } from '../../kit/fakes/budget.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { message } from '../../kit/fakes/engine.ts'
import { unproven } from '../../kit/fakes/gateway.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'
import { assistants, createFakeSession } from '../../kit/fakes/session.ts'

const document = parse(
  'subscription ($id: ID) { replies(replyId: $id) { cursor ... on ReplyDelta { text } } }',
)

/** Subscribes to a reply that has said so many characters. Returns what the subscription has sent. */
async function subscribe(turns: SharedTurns, token: string, length: number) {
  const session = createFakeSession(token)
  const { id } = await session.replies.sendMessage(message('hello'))
  const text = 'x'.repeat(length)
  session.append(id, { type: 'delta', kind: 'ANSWER', offset: 0, text })
  const contextValue = {
    ...session,
    caller: { kind: 'jwt', issuer: 'test', subject: token, scopes: [], expiresAt: 0 },
    fingerprint: token,
    isOperator: false,
    operatorScope: '',
    assistants,
    openingOf: async () => ({ greeting: null, suggestions: [] }),
    isolation: unproven,
    support: undefined,
    keepAliveMs: 12_000,
    limits: limitsSchema.parse({}),
    uploads: uploadsSchema.parse({}),
    metrics: uncounted,
    budget: openBudget(),
    lastEventId: undefined,
  } as const
  const account = {
    turns,
    executions: new OneAtATime<SessionId>(),
    maxBytes: 1_000_000,
    clock: createFakeClock(),
    begin: () => {
      throw new TypeError('a delta is not executed')
    },
    take: () => undefined,
    charge: () => undefined,
  }
  const present = (error: unknown) => {
    throw error
  }
  const opened = await openSubscription(
    { schema, document, contextValue, variableValues: { id: encodeGlobal('Reply', id) } },
    { compile: createSelectionCompiler(), present, account, cost: 1 },
  )
  if (!('follow' in opened)) throw new AggregateError(opened, 'the subscription was refused')
  const sent: string[] = []
  const send = (frames: string) => void sent.push(frames)
  const output = { framing: {}, frame: (payload: string) => payload, send }
  const controller = new AbortController()
  opened.follow(output, controller.signal).catch(() => undefined)
  return { sent, [Symbol.dispose]: () => controller.abort() }
}

/** How many of twenty subscriptions that begin at once have sent something, turn by turn. */
async function beginTwenty(length: number): Promise<readonly number[]> {
  const next: (() => void)[] = []
  const turns = createTurns(131_072, (run) => void next.push(run))
  using stack = new DisposableStack()
  const all: (readonly string[])[] = []
  for (let n = 0; n < 20; n += 1) {
    all.push(stack.use(await subscribe(turns, `caller-${n}`, length)).sent)
  }
  const begun: number[] = []
  for (;;) {
    await settled()
    begun.push(all.filter((sent) => sent.length > 0).length)
    const turn = next.shift()
    if (begun.at(-1) === all.length || !turn) return begun
    turn()
  }
}

describe('subscriptions that begin at once', () => {
  it('do not wait for each other where there is little to read', async () => {
    expect(await beginTwenty(10)).toEqual([20])
  })

  it('take turns where there is much to read', async () => {
    const begun = await beginTwenty(16_000)
    const perTurn = begun.map((count, turn) => count - (begun[turn - 1] ?? 0))
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(8)
    expect(begun.at(-1)).toBe(20)
  })
})
