import { describe, expect, it } from 'vitest'
import type {
  AssistantId,
  ConversationId,
  ReplyId,
  SessionId,
  SessionName,
} from '../../../src/domain.ts'
import { createEqualShare } from '../../../src/reply/quota-share.ts'
import { createAdmission } from '../../../src/reply/admission.ts'
import { createReplyQueue } from '../../../src/reply/queue.ts'
import type { RunLease } from '../../../src/store/run-lease.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'

const assistantId = 'assistant' as AssistantId
const conversationId = 'conversation' as ConversationId
const session = { id: 'ann' as SessionId, name: 'ann-name' as SessionName }
const conversation = { session, conversationId, assistantId }
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A queue over one conversation of a ledger, whose runs end when the test says so. */
function open(maxRunning: number) {
  const clock = createFakeClock()
  const admission = createAdmission({
    quotas: new Map([[assistantId, { maxRunning, startsPerSecond: 1_000 }]]),
    shareOf: (_id, quota) => createEqualShare(quota, () => 1),
    maxRunningPerSession: 10,
    circuitFailures: 1,
    circuitMs: 1_000,
    clock,
    logger: silentLogger,
    metrics: uncounted,
  })
  const waiting: string[] = []
  const began: string[] = []
  const stopped: string[] = []
  let running: PromiseWithResolvers<void> | undefined

  // Of a lease the queue reads no more than this.
  const leaseOf = (name: string) =>
    ({
      session,
      reply: { id: name as ReplyId, conversationId, assistantId },
      whenLost: new AbortController().signal,
    }) as RunLease

  async function run({ reply }: RunLease, _: unknown, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) {
      stopped.push(`${reply.id}: ${signal.reason.kind}`)
      return false
    }
    began.push(reply.id)
    running = Promise.withResolvers()
    await running.promise
    running = undefined
    return waiting.length > 0
  }

  const queue = createReplyQueue({
    ledger: {
      async claim() {
        const next = running === undefined ? waiting.shift() : undefined
        return next === undefined ? undefined : leaseOf(next)
      },
    },
    runner: { run, send: run, recover: ({ lease }, _, signal) => run(lease, _, signal) },
    traces: { accepted: () => undefined, run: (_, work) => work() },
    admission,
    queueExpiryMs: 60_000,
    clock,
    logger: silentLogger,
  })

  /** A permit that a reply holds. */
  function take(sessionId = session.id) {
    const permit = admission.permit(assistantId, sessionId)
    expect(permit.tryTake()).toBe(true)
    return permit
  }

  return {
    queue,
    began,
    stopped,
    take,
    send: (name: string, permit: ReturnType<typeof take>) => queue.send(leaseOf(name), permit),
    accept: (name: string) => {
      waiting.push(name)
      queue.wake(conversation)
    },
    end: async () => {
      running?.resolve()
      await turn()
    },
  }
}

describe('the queue of a conversation', () => {
  it('leaves no message behind where a worker was waiting for a permit while a message was sent at once', async () => {
    const { queue, began, take, send, accept, end } = open(2)
    const other = take('bob' as SessionId)
    const permit = take()
    // A reply that had ended was cancelled, just before the store told that it had begun the next one.
    queue.wake(conversation)
    send('one', permit)
    accept('two')
    await end()
    other.release()
    await turn()
    accept('three')
    await turn()
    await end()
    await end()
    expect(began).toEqual(['one', 'two', 'three'])
  })

  it('stops a reply that another has met in its conversation upstream before its start was known here', async () => {
    const { queue, began, stopped, take, send, accept } = open(2)
    const isolated = ['one', 'two'].map((name) => name as ReplyId)
    // The store tells of the collision and of the starts in one message, and the guard is quicker.
    queue.stopBreached(isolated)
    queue.interrupt(conversation, 'one' as ReplyId)
    send('one', take())
    accept('two')
    await turn()
    expect([began, stopped]).toEqual([[], ['one: breach', 'two: breach']])
  })
})
