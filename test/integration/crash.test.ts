import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DeleteConversationDocument,
  EraseSessionDocument,
} from '../../schema/operations/generated/graphql.ts'
import type { FaultInput } from '../../src/emulator/faults.ts'
import type { RoutePath } from '../../src/emulator/routes.ts'
import { check } from '../kit/history/checker.ts'
import { createRandom, type Random } from '../kit/random.ts'
import type { ReplyEventData } from '../kit/clients/recorder.ts'
import { figure } from '../kit/process/soak.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const kills = figure(10, 100)
const assistants = ['flow', 'bot'] as const
type AssistantId = (typeof assistants)[number]
const chatPaths = { flow: '/v1/workflows/chat', bot: '/v3/chat' } as const

/** Where a reply stands when the gateway dies: the upstream holds it there, and so many events have been seen. */
interface Death {
  readonly path: RoutePath
  readonly fault: FaultInput
  readonly seen: number
}

function chooseDeath(assistantId: AssistantId, kill: number, random: Random): Death {
  const path = chatPaths[assistantId]
  const afterDeltas = Math.floor(random.next() * 25)
  const name = assistantId
  switch (kill % 5) {
    case 0:
      return { path: '/v1/conversation/create', fault: { kind: 'hold', name }, seen: 0 }
    case 1:
      return { path, fault: { kind: 'hold', name }, seen: 1 }
    case 2:
      return { path, fault: { kind: 'stall', afterDeltas, name }, seen: 1 }
    default:
      return { path, fault: { kind: 'pause', afterDeltas, name }, seen: afterDeltas > 0 ? 2 : 1 }
  }
}

/** A reply that was cut down, and how far its reader came. */
interface Victim {
  readonly assistantId: AssistantId
  readonly who: Person
  readonly replyId: string
  readonly after: string | undefined
  /** What the conversation was told before, and must still know. */
  readonly colour: string
  readonly told: boolean
}

describe('P2 P3: kill -9 in the middle of replies', () => {
  let system: System
  let talk: Talk
  /** Replies of which nothing is left. */
  const deleted: string[] = []
  beforeAll(async () => {
    system = await startSystem({ timeouts: { recoverMs: 20_000 } })
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it(
    `F21: ${kills} times, some during recovery: one end each, cursors stay valid, the conversations go on`,
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = createRandom(seed)
      const victims: Victim[] = []
      for (let kill = 0; kill < kills; kill += 1) {
        const begun = await Promise.all(
          assistants.map((assistantId) => begin(assistantId, kill, random)),
        )
        await system.gateway.kill('SIGKILL')
        talk.recorder.add({ type: 'crash' })
        victims.push(...(await Promise.all(begun.map((one) => one.afterDeath()))))
        await system.emulator.release()
        await system.gateway.restart()
      }
      await Promise.all(victims.map((victim) => goOn(victim)))
      await talk.settle({ deleted })
      expect(check(talk.recorder.history), `seed ${seed}`).toEqual([])
    },
    figure(600_000, 1_200_000),
  )

  /** Brings a reply to where the next death finds it. */
  async function begin(assistantId: AssistantId, kill: number, random: Random) {
    const who = system.person(`${assistantId}-${kill}`)
    const colour = `blue-${kill}`
    const death = chooseDeath(assistantId, kill, random)
    // Only the first message of a conversation opens the upstream one.
    const told = death.path !== '/v1/conversation/create'
    if (told) await talk.say(who, { text: `my colour is ${colour}`, assistantId })

    await system.emulator.faults(death.path, death.fault)
    const { id: replyId } = await talk.send(who, { text: `/long 4${kill}`, assistantId })
    await system.emulator.until({ held: assistantId })
    const followed = await talk.recorder.follow(system.client, {
      reader: `survivor-${who.name}`,
      as: who.name,
      token: who.token,
      replyId,
    })
    const events: (ReplyEventData | undefined)[] = []
    while (events.length < death.seen) events.push(await followed.next())
    return {
      async afterDeath(): Promise<Victim> {
        events.push(...(await followed.take()))
        return { assistantId, who, replyId, after: events.at(-1)?.cursor, colour, told }
      },
    }
  }

  async function goOn({ assistantId, who, replyId, after, colour, told }: Victim) {
    const followed = await talk.recorder.follow(system.client, {
      reader: `survivor-${who.name}`,
      as: who.name,
      token: who.token,
      replyId,
      after,
    })
    await followed.take(undefined, 60_000)
    expect(await followed.stream.ended).toBe('complete')
    if (!told) await talk.say(who, { text: `my colour is ${colour}`, assistantId })
    const answer = await talk.say(who, { text: 'what is my colour?', assistantId })
    expect(answer).toMatchObject({ text: `Your colour is ${colour}.` })
  }

  it('F21: keeps the text that a query has told, and takes back what was shown and lost', async () => {
    const list = '/v1/conversation/message/list'
    for (let kill = 0; kill < 5; kill += 1) {
      const [hasty, patient] = [system.person(`hasty-${kill}`), system.person(`patient-${kill}`)]
      const shown = new Map<Person, { id: string; events: ReplyEventData[] }>()
      for (const who of [patient, hasty]) {
        await system.emulator.faults(chatPaths.flow, { kind: 'pause', afterDeltas: 12 })
        const { id } = await talk.send(who, '/long 30')
        await system.emulator.until({ held: 'pause' })
        const followed = await talk.recorder.follow(system.client, {
          reader: who.name,
          as: who.name,
          token: who.token,
          replyId: id,
        })
        const events = await followed.take(
          (event) => 'text' in event && event.text.endsWith('-12 '),
        )
        shown.set(who, { id, events })
        if (who === patient) {
          const told = async () => (await talk.snapshot(who, id))?.text.endsWith('-12 ')
          await until(told, 'a query tells the text')
        }
      }
      await system.gateway.kill('SIGKILL')
      talk.recorder.add({ type: 'crash' })
      // The upstream knows nothing any more, so what is on disk is all there is.
      const gone = { kind: 'jsonError', code: 4002 } as const
      await system.emulator.repeatFaults(list, shown.size, gone)
      await system.gateway.restart()
      for (const [who, { id, events }] of shown) {
        const followed = await talk.recorder.follow(system.client, {
          reader: who.name,
          as: who.name,
          token: who.token,
          replyId: id,
          after: events.at(-1)?.cursor,
        })
        const end = (await followed.take()).at(-1)
        expect(end).toMatchObject({ failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' } })
        const kept = who === patient ? /^stone-1 .*-12 $/ : /^(stone-1 .*)?$/
        expect((await talk.snapshot(who, id))?.text).toMatch(kept)
      }
      await system.emulator.release()
    }
    await talk.settle({ deleted })
    expect(check(talk.recorder.history)).toEqual([])
  })

  it('F21: what waited behind a reply that was cut down is answered as well', async () => {
    const [alice, bob] = [system.person('queued'), system.person('waits elsewhere')]
    await system.emulator.faults(chatPaths.flow, { kind: 'pause', afterDeltas: 3 })
    const first = await talk.send(alice, '/long 9')
    const second = await talk.send(alice, 'and then?')
    expect(second).toMatchObject({ conversation: first.conversation, status: 'QUEUED' })
    await system.emulator.until({ held: 'pause' })
    await system.gateway.kill('SIGKILL')
    talk.recorder.add({ type: 'crash' })
    await system.emulator.release()
    await system.gateway.restart()
    await talk.ending(alice, first.id)
    expect(await talk.ending(alice, second.id)).toMatchObject({ text: 'You said: and then?' })
    expect(await talk.say(bob, 'hello')).toMatchObject({ __typename: 'ReplyCompleted' })
    await talk.settle({ deleted })
    expect(check(talk.recorder.history)).toEqual([])
  })

  it.each(assistants)(
    'F21: what %s had begun and nothing of it was sent is run again',
    async (assistantId) => {
      const who = system.person(`${assistantId} not sent`)
      await system.emulator.faults('/v1/conversation/create', { kind: 'hold', name: 'create' })
      const { id } = await talk.send(who, { text: 'still here', assistantId })
      await system.emulator.until({ held: 'create' })
      await system.gateway.kill('SIGKILL')
      talk.recorder.add({ type: 'crash' })
      await system.emulator.release()
      await system.gateway.restart()
      expect(await talk.ending(who, id)).toMatchObject({ text: 'You said: still here' })
      await talk.settle({ deleted })
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it.each(
    assistants.flatMap((assistantId) => [
      [assistantId, 'erases itself'] as const,
      [assistantId, 'deletes the conversation'] as const,
    ]),
  )(
    'F21: once a session of %s %s, what was said is gone here, though nothing of the platform answered any more',
    async (assistantId, way) => {
      const who = system.person(`${assistantId} ${way}`)
      const { id, conversation } = await talk.send(who, {
        text: 'my colour is umber',
        assistantId,
      })
      await talk.ending(who, id)
      const path = '/v1/conversations/:conversation_id'
      await system.emulator.faults(path, { kind: 'hold', name: 'delete' })
      const unanswered = (
        way === 'erases itself'
          ? talk.ask(who, EraseSessionDocument, {})
          : talk.ask(who, DeleteConversationDocument, {
              input: { conversationId: conversation.id },
            })
      ).catch(() => undefined)
      await system.emulator.until({ held: 'delete' })
      await system.gateway.kill('SIGKILL')
      talk.recorder.add({ type: 'crash' })
      expect(await unanswered).toBeUndefined()
      await system.emulator.release('delete')
      await system.gateway.restart()

      expect(await talk.snapshot(who, id)).toBeUndefined()
      const { id: nextId, conversation: next } = await talk.send(who, {
        text: 'what is my colour?',
        assistantId,
      })
      expect(next.id).not.toBe(conversation.id)
      const answer = await talk.ending(who, nextId)
      expect(answer).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(JSON.stringify(answer)).not.toContain('umber')
      deleted.push(id)
      await talk.settle({ deleted })
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it('restarts while nothing runs, and loses nothing', async () => {
    const alice = system.person('quiet')
    const { id } = await talk.send(alice, '/long 12')
    const events = await talk.listen(alice, id)
    await system.gateway.kill('SIGKILL')
    talk.recorder.add({ type: 'crash' })
    await system.gateway.restart()
    expect((await talk.listen(alice, id)).at(-1)).toEqual(events.at(-1))
  })
})
