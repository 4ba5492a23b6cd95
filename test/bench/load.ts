import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import {
  idleInput,
  loopInput,
  type RepliesAnswer,
  streamsInput,
  warmInput,
  type Target,
} from './commands.ts'
import { deltaText, type Plan } from './plan.ts'
import { protocols } from './protocols.ts'
import {
  createReplyClient,
  type Follower,
  type ReplyClient,
  type ReplyResult,
  type UserConnections,
} from './reply-client.ts'
import { answerParent } from './rpc.ts'
import { sum } from './statistics.ts'

/** The load client: cheaper than what it measures, and it checks every character. */

const secret = z.string().parse(process.argv[2])
const clients = new Map<string, ReplyClient>()
const idle: UserConnections[] = []

answerParent({
  /** So many replies, one of each session, that start evenly over a time. */
  async streams(input) {
    const { target, from, streams, plan, withinMs } = streamsInput.parse(input)
    const client = clientOf(target)
    const startedAt = performance.now()
    const one = async (index: number): Promise<ReplyResult> => {
      await delay((withinMs * index) / streams)
      using connections = await client.connect()
      return await client.reply(connections, from + index, speaking(plan))
    }
    const results = await Promise.all(Array.from({ length: streams }, (_, index) => one(index)))
    return summary(results, startedAt)
  },
  /** Users who each send their next message when the last reply has ended. */
  async loop(input) {
    const { target, users, isOpen, plan, forMs } = loopInput.parse(input)
    const client = clientOf(target)
    const results: ReplyResult[] = []
    const startedAt = performance.now()
    const one = async (session: number): Promise<void> => {
      using user = await openUser(
        client,
        session,
        isOpen && protocols[target.server].follow !== undefined,
      )
      do results.push(await user.reply(speaking(plan)))
      while (performance.now() - startedAt < forMs)
    }
    await Promise.all(Array.from({ length: users }, (_, session) => one(session)))
    return summary(results, startedAt)
  },
  /** One short reply for each of the first sessions, so that they have talked before. */
  async warm(input) {
    const { target, sessions } = warmInput.parse(input)
    const client = clientOf(target)
    let next = 0
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        using connections = await client.connect()
        for (let session = next++; session < sessions; session = next++) {
          await client.reply(connections, session, { kind: 'whole', deltas: 2 })
        }
      }),
    )
  },
  async openIdle(input) {
    const { target, from, count } = idleInput.parse(input)
    const client = clientOf(target)
    for (let session = from; session < from + count; session += 1) {
      const connections = await client.connect()
      idle.push(connections)
      await client.idle(connections, session)
    }
  },
  closeIdle() {
    for (const connections of idle.splice(0)) connections[Symbol.dispose]()
  },
})
process.send?.({ port: 0 })

function clientOf(target: Target): ReplyClient {
  const key = JSON.stringify(target)
  let client = clients.get(key)
  if (client === undefined) {
    clients.set(key, (client = createReplyClient(target, secret)))
  }
  return client
}

/** A user who reads all replies on one stream, or each on its own. */
async function openUser(
  client: ReplyClient,
  session: number,
  isFollowing: boolean,
): Promise<Follower> {
  if (isFollowing) return await client.follow(session)
  const connections = await client.connect()
  return {
    reply: (plan) => client.reply(connections, session, plan),
    [Symbol.dispose]: () => connections[Symbol.dispose](),
  }
}

function speaking(plan: Plan): Exclude<Plan, { kind: 'idle' }> {
  if (plan.kind === 'idle') throw new TypeError('an idle reply never ends')
  return plan
}

function summary(results: readonly ReplyResult[], startedAt: number): RepliesAnswer {
  return {
    replies: results.length,
    deltas: sum(results.map(({ tally }) => tally.characters)) / deltaText.length,
    events: sum(results.map(({ tally }) => tally.events)),
    firstDeltaMs: results.map(({ firstDeltaMs }) => firstDeltaMs),
    tookMs: performance.now() - startedAt,
  }
}
