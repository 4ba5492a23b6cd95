/** The load client: cheaper than what it measures, and it counts every character. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { idleInput, sequenceInput, streamsInput, warmInput } from './commands.ts'
import type { Target } from './commands.ts'
import type { Connection } from './connection.ts'
import { deltaText } from './plan.ts'
import { createReplyClient } from './reply-client.ts'
import type { ReplyClient, ReplyResult } from './reply-client.ts'
import { answerParent } from './rpc.ts'
import { sum } from './statistics.ts'

const secret = z.string().parse(process.argv[2])
const clients = new Map<string, ReplyClient>()
const idle: Connection[] = []

const current = {
  characters: 0,
  flowing: Promise.withResolvers<void>(),
  results: Promise.resolve<ReplyResult[]>([]),
}

answerParent({
  /** Starts streams, and answers at once. */
  streams(input) {
    const { target, sessions, plan, rampMs } = streamsInput.parse(input)
    const client = clientOf(target)
    let silent = sessions
    current.characters = 0
    current.flowing = Promise.withResolvers<void>()
    const { flowing } = current
    const one = async (session: number): Promise<ReplyResult> => {
      if (rampMs > 0) await delay((rampMs * session) / sessions)
      using connection = await client.connect()
      let flows = false
      return await client.reply(connection, session, plan, (characters) => {
        current.characters += characters
        if (flows || characters === 0) return
        flows = true
        silent -= 1
        if (silent === 0) flowing.resolve()
      })
    }
    current.results = Promise.all(Array.from({ length: sessions }, (_, session) => one(session)))
    current.results.catch((error: unknown) => flowing.reject(error))
    // Whoever asks for either hears of the failure; nobody asking is no reason to crash.
    flowing.promise.catch(() => {})
  },
  /** Answers when every stream has had its first delta. */
  async flowing() {
    await current.flowing.promise
  },
  progress: () => ({ deltas: current.characters / deltaText.length, atMs: performance.now() }),
  async finished() {
    const results = await current.results
    return {
      deltas: sum(results.map((result) => result.tally.characters)) / deltaText.length,
      events: sum(results.map((result) => result.tally.events)),
      firstDeltaMs: results.map((result) => result.firstDeltaMs),
    }
  },
  /** One reply after the other, on one connection. */
  async sequence(input) {
    const { target, sessions, count, plan } = sequenceInput.parse(input)
    const client = clientOf(target)
    using connection = await client.connect()
    const results: ReplyResult[] = []
    for (let i = 0; i < count; i += 1)
      results.push(await client.reply(connection, i % sessions, plan, () => {}))
    return results.map((result) => result.firstDeltaMs)
  },
  /** One short reply for each caller. */
  async warm(input) {
    const { target, sessions, concurrency, plan } = warmInput.parse(input)
    const client = clientOf(target)
    let next = 0
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        using connection = await client.connect()
        for (let session = next++; session < sessions; session = next++)
          await client.reply(connection, session, plan, () => {})
      }),
    )
  },
  async openIdle(input) {
    const { target, from, count } = idleInput.parse(input)
    const client = clientOf(target)
    for (let session = from; session < from + count; session += 1) {
      const connection = await client.connect()
      idle.push(connection)
      await client.idle(connection, session)
    }
  },
  closeIdle() {
    for (const connection of idle.splice(0)) connection[Symbol.dispose]()
  },
})
process.send?.({ port: 0 })

function clientOf(target: Target): ReplyClient {
  const key = `${target.server}:${target.port}`
  let client = clients.get(key)
  if (client === undefined)
    clients.set(key, (client = createReplyClient(target.server, target.port, secret)))
  return client
}
