import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../process/cluster.ts'
import type { Person } from '../process/system.ts'
import { createRandom, type Random } from '../random.ts'
import { isTerminal } from './recorder.ts'
import { createTalk, type SendResult, type Talk } from './talk.ts'

export interface LoadOptions {
  /** The fewest words of an answer; the most are a hundred more. */
  readonly leastWords: number
  /** How often a message is sent again under its key before that counts as a failure. */
  readonly retries: number
  /** Over all of them. */
  readonly replies: number
  /** Names the run that is to be repeated, as far as it can be. */
  readonly seed?: number
  /** How many people there are; each has one conversation. */
  readonly people?: number
}

/** People who send one message after another, each read to its end over connections that are cut or end by themselves. */
export interface Load {
  /** Names the run where it fails. */
  readonly seed: number
  readonly random: Random
  readonly talk: Talk
  /** Resolves when all replies have ended. */
  readonly done: Promise<void>
  /** Replies that have ended. */
  readonly ended: number
  /** What no client may meet: messages that were not accepted at last, and refusals of cursors. */
  readonly failures: readonly string[]
  /** How each reply ended, and how often. */
  readonly ends: ReadonlyMap<string, number>
}

/** A reader that hears nothing for so long goes elsewhere, in ms. */
const silenceMs = 4_000
/** Between two tries, in ms. */
const pauseMs = 100
/** A store that has lost a conversation says so each time; one that is on its way to a standby may say so once. */
const maxNotFound = 50

const assistants = ['bot', 'flow'] as const

/** The replies of one run. `CLUSTER_REPLIES=<count>` runs so many. */
export function repliesOr(usual: number): number {
  // oxlint-disable-next-line node/no-process-env
  return Number(process.env['CLUSTER_REPLIES'] ?? usual)
}

export function startLoad(
  cluster: Cluster,
  {
    leastWords,
    retries,
    replies,
    seed = Math.floor(Math.random() * 2 ** 31),
    people: count = 12,
  }: LoadOptions,
): Load {
  const { client } = cluster
  const random = createRandom(seed)
  const talk = createTalk(cluster)
  const people = Array.from({ length: count }, (_, index) => cluster.person(`person-${index}`))
  const failures: string[] = []
  const ends = new Map<string, number>()
  const left = Array.from({ length: replies }, (_, index) => index).values()
  let ended = 0

  async function trySend(who: Person, input: Parameters<Talk['trySend']>[1]) {
    try {
      return await talk.trySend(who, input)
    } catch {
      // The connection broke before the answer.
      return undefined
    }
  }

  async function send(who: Person, index: number, conversationId: string) {
    const text = `/long ${leastWords + random.int(100)}`
    const input = { text, conversationId, idempotencyKey: `${who.name}-${index}` }
    let result: SendResult | undefined
    let notFound = 0
    for (let tries = 0; tries <= retries && notFound < maxNotFound; tries += 1) {
      if (tries > 0) await delay(pauseMs)
      result = await trySend(who, input)
      if (result?.__typename === 'SendMessageSuccess') return result.reply
      if (result?.__typename === 'NotFoundError') notFound += 1
    }
    failures.push(`message ${index}: ${JSON.stringify(result)}`)
    return undefined
  }

  async function read(who: Person, replyId: string): Promise<string> {
    let after: string | undefined
    for (;;) {
      const cutAfter = random.next() < 0.5 ? 200 + random.int(3_000) : Infinity
      try {
        const reading = { reader: `reader of ${replyId}`, as: who.name, token: who.token, replyId }
        const followed = await talk.recorder.follow(client, { ...reading, after, cutAfter })
        using stream = followed.stream
        if (stream.status === 200) {
          const last = await follow(followed)
          after = followed.cursor ?? after
          if (last !== undefined) return last
          for (const { extensions, message } of followed.errors) {
            if (extensions?.code !== 'UNAVAILABLE') failures.push(`${after}: ${message}`)
          }
        } else if (stream.status !== 503) {
          failures.push(`${after}: ${stream.status} ${await stream.refusal}`)
          return 'refused'
        }
      } catch {
        // It broke before its head.
      }
      await delay(pauseMs)
    }
  }

  async function follow(followed: Awaited<ReturnType<Talk['recorder']['follow']>>) {
    for (;;) {
      const event = await followed.next(silenceMs).catch(() => {
        followed.stream.cut()
        return followed.next()
      })
      if (event === undefined) return undefined
      if (isTerminal(event)) return event.__typename + codeOf(event)
    }
  }

  async function begin(who: Person, assistantId: string): Promise<string> {
    for (;;) {
      try {
        return await talk.startConversation(who, assistantId)
      } catch {
        await delay(pauseMs)
      }
    }
  }

  async function live(who: Person, assistantId: string): Promise<void> {
    const conversationId = await begin(who, assistantId)
    for (const index of left) {
      const reply = await send(who, index, conversationId)
      if (reply === undefined) continue
      const end = await read(who, reply.id)
      ends.set(end, (ends.get(end) ?? 0) + 1)
      ended += 1
    }
  }

  const lives = people.map((who, index) =>
    live(who, assistants[index % assistants.length] ?? 'bot'),
  )
  return {
    seed,
    random,
    talk,
    done: Promise.all(lives).then(() => undefined),
    get ended() {
      return ended
    },
    failures,
    ends,
  }
}

function codeOf(event: object): string {
  return 'failure' in event ? ` ${(event.failure as { readonly code: string }).code}` : ''
}
