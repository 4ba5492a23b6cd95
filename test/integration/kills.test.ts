import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DeleteConversationDocument,
  EraseSessionDocument,
} from '../../schema/operations/generated/graphql.ts'
import { check } from '../kit/history/checker.ts'
import { createRandom } from '../kit/random.ts'
import type { ReplyEventData } from '../kit/clients/recorder.ts'
import { figure } from '../kit/process/soak.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

/** `KILLS=<count>` kills so often. */
// oxlint-disable-next-line node/no-process-env
const { KILLS } = process.env
const kills = Number(KILLS ?? figure(50, 500))
const assistants = ['flow', 'bot', 'flow', 'bot'] as const

/** Somebody with one conversation at a time, whose messages can be told from those of an earlier one. */
interface Survivor {
  readonly who: Person
  readonly assistantId: string
  /** Raised when all that was said is to be gone. */
  generation: number
  conversationId: string | undefined
  /** What the conversation was told, and must still know. */
  colour: string | undefined
  replies: { readonly id: string; readonly conversationId: string }[]
  /** Cursors that its reader was given, in order. */
  readonly cursors: string[]
}

/** What somebody asked for when the gateway died, to be asked again. */
type Act =
  | { readonly type: 'send'; readonly text: string; readonly key: string }
  | { readonly type: 'cancel'; readonly replyId: string }
  | { readonly type: 'delete'; readonly conversationId: string }
  | { readonly type: 'erase' }

describe('P2 P3 P10: kill -9 at random moments', () => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem({
      timeouts: { recoverMs: 20_000 },
      emulator: { wordsPerSecond: 150 },
    })
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it(
    `F21: ${kills} times, also while it recovers, deletes and erases: every cursor stays right, the context is kept, nothing owed is forgotten`,
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = createRandom(seed)
      const below = (count: number) => Math.floor(random.next() * count)
      const survivors = assistants.map((assistantId, index): Survivor => ({
        who: system.person(`survivor-${index}`),
        assistantId,
        generation: 0,
        conversationId: undefined,
        colour: undefined,
        replies: [],
        cursors: [],
      }))
      const refusals: string[] = []
      for (let kill = 0; kill < kills; kill += 1) {
        const told = survivors[kill % survivors.length]
        if (told !== undefined) await keepContext(told, kill)
        const acts = survivors.map((survivor) => choose(survivor, kill, below))
        const reading = survivors.map((survivor) => follow(survivor, below, refusals))
        const asked = survivors.map((survivor, index) => ask(survivor, acts[index]))
        await setTimeout(below(400))
        await die()
        await Promise.all([...asked, ...reading])
        if (kill % 3 === 0) {
          await system.gateway.startAndKill(below(1_200))
          talk.recorder.add({ type: 'crash' })
        }
        await system.gateway.restart()
        // Whoever heard nothing asks again.
        for (const [index, survivor] of survivors.entries()) await ask(survivor, acts[index], true)
      }
      for (const survivor of survivors) {
        await keepContext(survivor, kills)
        const last = follow(survivor, () => 0, refusals, survivor.replies.at(-1)?.id)
        await last
      }
      expect(refusals, `seed ${seed}`).toEqual([])
      // All of it has happened.
      for (const { cursors } of survivors) expect(cursors.length).toBeGreaterThan(kills)
      const deletions = survivors.reduce((sum, { generation }) => sum + generation, 0)
      if (kills >= 20) expect(deletions).toBeGreaterThan(0)
      await talk.settle({ deleted: await findDeleted(survivors) })
      expect(check(talk.recorder.history), `seed ${seed}`).toEqual([])
      await until(
        async () => (await findLeftBehind(survivors)).length === 0,
        'what is owed to the platform is done',
      )
    },
    figure(1_200_000, 7_200_000),
  )

  async function die(): Promise<void> {
    await system.gateway.kill('SIGKILL')
    talk.recorder.add({ type: 'crash' })
  }

  /** The conversation knows what it was told before the last deaths; then it is told something else. */
  async function keepContext(survivor: Survivor, kill: number): Promise<void> {
    const { who, assistantId, generation, colour } = survivor
    if (colour !== undefined) {
      const answer = await say(survivor, 'what is my colour?')
      expect(answer).toMatchObject({ text: `Your colour is ${colour}.` })
    }
    survivor.conversationId ??= await talk.startConversation(who, assistantId)
    const next = `${who.name}-g${generation}-${kill}`
    await say(survivor, `my colour is ${next}`)
    survivor.colour = next
  }

  async function say(survivor: Survivor, text: string): Promise<ReplyEventData> {
    const { who, assistantId, conversationId, replies } = survivor
    const input = { text, assistantId, ...(conversationId !== undefined && { conversationId }) }
    const { id, conversation } = await talk.send(who, input)
    replies.push({ id, conversationId: conversation.id })
    return await talk.ending(who, id)
  }

  function choose(survivor: Survivor, kill: number, below: (count: number) => number): Act {
    const { who, conversationId, replies } = survivor
    const dice = below(20)
    const last = replies.at(-1)
    if (dice === 0) return { type: 'erase' }
    if (dice <= 2 && conversationId !== undefined) return { type: 'delete', conversationId }
    if (dice === 3 && last !== undefined) return { type: 'cancel', replyId: last.id }
    return { type: 'send', text: `/long ${10 + below(40)}`, key: `${who.name}-${kill}` }
  }

  /** @param isAgain it is answered: there is nothing that it could be killed by. */
  async function ask(survivor: Survivor, act: Act | undefined, isAgain = false): Promise<void> {
    if (act === undefined) return
    const { who, assistantId } = survivor
    try {
      switch (act.type) {
        case 'send': {
          const { conversationId } = survivor
          const sent = await talk.trySend(who, {
            text: act.text,
            assistantId,
            idempotencyKey: act.key,
            ...(conversationId !== undefined && { conversationId }),
          })
          if (sent?.__typename !== 'SendMessageSuccess') break
          const { id, conversation } = sent.reply
          survivor.conversationId = conversation.id
          survivor.replies.push({ id, conversationId: conversation.id })
          break
        }
        case 'cancel':
          await talk.cancel(who, act.replyId)
          break
        case 'delete': {
          const { conversationId } = act
          await talk.ask(who, DeleteConversationDocument, { input: { conversationId } })
          break
        }
        case 'erase':
          await talk.ask(who, EraseSessionDocument, {})
      }
    } catch (error) {
      // The gateway died before it answered.
      if (isAgain) throw error
    }
    if (!isAgain || (act.type !== 'delete' && act.type !== 'erase')) return
    survivor.conversationId = undefined
    survivor.colour = undefined
    survivor.generation += 1
  }

  /** Reads on from the last cursor, or from an earlier one, until the gateway dies. */
  async function follow(
    survivor: Survivor,
    below: (count: number) => number,
    refusals: string[],
    replyId?: string,
  ): Promise<void> {
    const { who, cursors } = survivor
    const after =
      replyId !== undefined
        ? undefined
        : below(4) === 0
          ? cursors[below(cursors.length)]
          : cursors.at(-1)
    try {
      const followed = await talk.recorder.follow(system.client, {
        reader: replyId === undefined ? `reader of ${who.name}` : `last reader of ${who.name}`,
        as: who.name,
        token: who.token,
        after,
        ...(replyId !== undefined && { replyId }),
      })
      const { stream } = followed
      if (stream.status !== 200) refusals.push(`${after}: ${await stream.refusal}`)
      for (;;) {
        const event = await followed.next()
        if (event === undefined) break
        cursors.push(event.cursor)
      }
      for (const { message } of followed.errors) refusals.push(`${after}: ${message}`)
    } catch {
      // The gateway died before it answered.
    }
  }

  async function findDeleted(survivors: readonly Survivor[]): Promise<readonly string[]> {
    const deleted: string[] = []
    for (const { who, replies, conversationId } of survivors) {
      for (const reply of replies) {
        if (reply.conversationId === conversationId) continue
        if ((await talk.snapshot(who, reply.id)) === undefined) deleted.push(reply.id)
      }
    }
    return deleted
  }

  /** Upstream conversations that hold a word of what was deleted. */
  async function findLeftBehind(survivors: readonly Survivor[]): Promise<readonly string[]> {
    const { conversations } = await system.emulator.state()
    return conversations.flatMap(({ id, messages }) =>
      messages.some(({ content }) =>
        survivors.some(({ who, generation }) =>
          Array.from({ length: generation }, (_, g) => `${who.name}-g${g}-`).some((word) =>
            content.includes(word),
          ),
        ),
      )
        ? id
        : [],
    )
  }
})
