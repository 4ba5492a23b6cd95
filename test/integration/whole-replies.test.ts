import { describe, expect, it } from 'vitest'
import { ReplyDocument } from '../../schema/operations/generated/graphql.ts'
import { check } from '../kit/history/checker.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { createRandom } from '../kit/random.ts'
import { isTerminal, type ReplyEventData } from '../kit/clients/recorder.ts'
import { figure } from '../kit/process/soak.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type SendResult, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const people = 60
const replies = figure(120, 2_000)
/** After how many ends the gateway is killed, and the platform restarted. */
const killEvery = 55
const restartEvery = 70
const words = 30

/** What one reply came to. */
interface Outcome {
  readonly who: Person
  readonly wanted: string
  readonly status: string
  readonly code: string | undefined
  readonly text: string
}

describe.each(['cloud', 'studio'] as const)('60 people who chat at once (%s)', (dialect) => {
  it(
    `F9 F21 T26: read ${replies} replies whole or as failed while connections are cut, the gateway is killed and the platform restarts`,
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = createRandom(seed)
      await using proxy = await openCuttingProxy(() =>
        random.next() < 0.2 ? 300 + Math.floor(random.next() * 12_000) : Infinity,
      )
      await using system = await startSystem({
        dialect,
        baseUrl: proxy.url,
        emulator: { wordsPerSecond: 200 },
        timeouts: { recoverMs: 5_000, retryMs: 2_000, circuitMs: 500 },
        limits: {
          messagesPerMinute: 100_000,
          maxCost: 1_000_000_000,
          costPerSecond: 1_000_000_000,
        },
        assistants: { quota: { startsPerSecond: 10_000, maxRunning: 1_000 } },
      })
      proxy.forwardTo(system.emulator.url)
      const talk = createTalk(system)
      const outcomes: Outcome[] = []
      let begun = 0
      let isOver = false

      async function chat(number: number): Promise<void> {
        const who = system.person(`person-${number}`)
        const assistantId = number % 2 === 0 ? 'flow' : 'bot'
        for (let count = 0; begun < replies; count += 1) {
          begun += 1
          const wanted = Array.from({ length: words }, (_, at) => `p${number}m${count}w${at}`).join(
            ' ',
          )
          const replyId = await send(talk, who, {
            text: `/say ${wanted}`,
            assistantId,
            idempotencyKey: `${number}-${count}`,
          })
          const end = await read(system, talk, who, replyId)
          const snapshot = await persist(() => talk.ask(who, ReplyDocument, { id: replyId }))
          outcomes.push({
            who,
            wanted,
            status: end.__typename,
            code: end.__typename === 'ReplyFailed' ? end.failure.code : undefined,
            text: snapshot?.reply?.text ?? '',
          })
        }
      }

      async function killNowAndThen(): Promise<void> {
        for (let at = killEvery; at < replies; at += killEvery) {
          await until(() => outcomes.length >= at || isOver, `${at} replies to end`, 300_000)
          if (isOver) return
          await system.gateway.kill('SIGKILL')
          talk.recorder.add({ type: 'crash' })
          await system.gateway.restart()
        }
      }

      async function restartNowAndThen(): Promise<void> {
        for (let at = restartEvery; at < replies; at += restartEvery) {
          await until(() => outcomes.length >= at || isOver, `${at} replies to end`, 300_000)
          if (isOver) return
          await system.emulator.restart()
        }
      }

      const talking = Promise.all(Array.from({ length: people }, (_, number) => chat(number)))
      await Promise.all([
        talking.finally(() => (isOver = true)),
        killNowAndThen(),
        restartNowAndThen(),
      ])

      const ends: Record<string, number> = {}
      for (const { status, code } of outcomes) {
        const end = code ?? status
        ends[end] = (ends[end] ?? 0) + 1
      }
      console.log(`${dialect}, seed ${seed}: ${proxy.cuts} cuts, ${JSON.stringify(ends)}`)
      for (const { who, wanted, status, text } of outcomes) {
        if (status === 'ReplyCompleted') expect(text, `${who.name}, seed ${seed}`).toBe(wanted)
        else expect(wanted.startsWith(text), `${who.name}, seed ${seed}: ${text}`).toBe(true)
      }
      expect(ends).not.toHaveProperty('ISOLATION_BREACH')
      expect(ends['ReplyCompleted']).toBeGreaterThan(replies / 2)
      expect(system.gateway.output).not.toContain('isolation breach')

      // Nobody was quarantined, and everybody is still served.
      proxy.stopCutting()
      for (const assistantId of ['flow', 'bot']) {
        const who = system.person(`afterwards-${assistantId}`)
        const end = await talk.say(who, { text: 'hello', assistantId })
        expect(end).toMatchObject({ __typename: 'ReplyCompleted', text: 'You said: hello' })
      }
      await talk.settle()
      expect(check(talk.recorder.history), `seed ${seed}`).toEqual([])
    },
    figure(180_000, 1_800_000),
  )
})

/** Sends under one key until it is accepted: the gateway may be gone in between. */
async function send(
  talk: Talk,
  who: Person,
  input: Parameters<Talk['trySend']>[1],
): Promise<string> {
  return until(
    async () => {
      const result = await talk.trySend(who, input).catch((): SendResult | undefined => undefined)
      return result?.__typename === 'SendMessageSuccess' ? result.reply.id : undefined
    },
    'a message to be accepted',
    120_000,
  )
}

/** Reads a reply to its end, over as many connections and lives of the gateway as it takes. */
async function read(
  system: System,
  talk: Talk,
  who: Person,
  replyId: string,
): Promise<ReplyEventData> {
  let after: string | undefined
  let seen = 'nothing'
  const attempt = async () => {
    const following = {
      reader: `${who.name} ${replyId}`,
      as: who.name,
      token: who.token,
      replyId,
      after,
    }
    const followed = await talk.recorder.follow(system.client, following).catch(() => undefined)
    if (followed === undefined) return undefined
    using stream = followed.stream
    if (stream.status !== 200) {
      seen = `${stream.status} ${await stream.refusal}`
      return undefined
    }
    const last = (await followed.take(undefined, 120_000)).at(-1)
    seen = `${last?.__typename} at ${after}, then ${await stream.ended}`
    after = followed.cursor
    return last !== undefined && isTerminal(last) ? last : undefined
  }
  try {
    return await until(attempt, `the end of ${replyId}`, 240_000)
  } catch (cause) {
    throw new Error(`${who.name} at ${after} saw ${seen}`, { cause })
  }
}

async function persist<T>(ask: () => Promise<T | undefined>): Promise<T> {
  return until(() => ask().catch(() => undefined), 'an answer', 120_000)
}
