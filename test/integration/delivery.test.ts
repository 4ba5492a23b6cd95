import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { createRandom } from '../kit/random.ts'
import { readWithCuts } from '../kit/clients/reading.ts'
import { isTerminal } from '../kit/clients/recorder.ts'
import { figure } from '../kit/process/soak.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, untilStatus } from '../kit/clients/talk.ts'

const cutsWanted = figure(100, 1_000)
const paths = { flow: '/v1/workflows/chat', bot: '/v3/chat' } as const

describe('P2: no gap, no doubled text, in order', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it.each(['flow', 'bot'] as const)(
    'gives a subscription that opens in the middle of a reply all of it (%s)',
    async (assistantId) => {
      const talk = createTalk(system)
      const alice = system.person(`late-${assistantId}`)
      await system.emulator.faults(paths[assistantId], { kind: 'pause', afterDeltas: 7 })
      const { id } = await talk.send(alice, { text: '/think Hm, well.\n/long 20', assistantId })
      await system.emulator.until({ held: 'pause' })
      const followed = await talk.recorder.follow(system.client, {
        reader: 'late',
        as: alice.name,
        token: alice.token,
        replyId: id,
      })
      const first = await followed.next()
      expect(first?.__typename).toBe('ReplyStarted')
      const early = await followed.next()
      expect(early?.__typename).toBe('ReplyDelta')
      await system.emulator.release()
      const rest = await followed.take()
      expect(rest.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(await followed.stream.ended).toBe('complete')
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it('gives a subscription that opens after the end all of the reply', async () => {
    const talk = createTalk(system)
    const alice = system.person('after-the-end')
    const { id } = await talk.send(alice, '/long 50')
    await untilStatus(talk, alice, id, 'COMPLETED')
    const events = await talk.listen(alice, id)
    expect(events.at(0)?.__typename).toBe('ReplyStarted')
    expect(events.at(-1)).toMatchObject({ text: expect.stringMatching(/^stone-1 .* lamp-50$/) })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it(
    `survives ${cutsWanted} cuts at random bytes, resumed with Last-Event-ID`,
    async () => {
      const talk = createTalk(system)
      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = createRandom(seed)
      let cuts = 0
      for (let round = 0; cuts < cutsWanted; round += 1) {
        const alice = system.person(`cut-${round}`)
        const readings = ['flow', 'bot'].map(async (assistantId) => {
          const text = `/speed 300 /think ${'Let me see. '.repeat(8)}\n/say 你好 😀🎉 ${round}\n/long 90`
          const { id } = await talk.send(alice, { text, assistantId })
          const counts = ['POST', 'GET'].map((method) =>
            readWithCuts(system, talk.recorder, {
              reader: `${assistantId}-${method}-${round}`,
              who: alice,
              replyId: id,
              method: method === 'GET' ? 'GET' : 'POST',
              cutAfter: () => 1 + Math.floor(random.next() * 1_500),
            }),
          )
          return Promise.all(counts)
        })
        cuts += (await Promise.all(readings)).flat().reduce((sum, count) => sum + count, 0)
      }
      await talk.settle()
      expect(check(talk.recorder.history), `seed ${seed}`).toEqual([])
    },
    figure(120_000, 900_000),
  )

  it('follows a whole session over several replies, from a snapshot on', async () => {
    const talk = createTalk(system)
    const alice = system.person('whole-session')
    await talk.say(alice, '/long 5')
    let after: string | undefined = await talk.cursor(alice)
    const replies = [
      await talk.send(alice, { text: '/long 30', assistantId: 'flow' }),
      await talk.send(alice, { text: '/think Hm.\n/long 31', assistantId: 'bot' }),
      await talk.send(alice, { text: '/long 32', assistantId: 'bot' }),
    ]
    const ended = new Set<string>()
    for (let round = 0; ended.size < replies.length; round += 1) {
      const followed = await talk.recorder.follow(system.client, {
        reader: 'all',
        as: alice.name,
        token: alice.token,
        after,
        by: round % 2 === 0 ? 'argument' : 'header',
        cutAfter: 700 + round * 50,
      })
      await followed.take((event) => {
        if (isTerminal(event)) ended.add(event.replyId)
        return ended.size === replies.length
      })
      followed.stream.cut()
      after = followed.cursor
    }
    expect([...ended].sort()).toEqual(replies.map((reply) => reply.id).sort())
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it('filters by conversation without a gap', async () => {
    const talk = createTalk(system)
    const alice = system.person('filtered')
    const [one, other] = [
      await talk.startConversation(alice, 'flow'),
      await talk.startConversation(alice, 'bot'),
    ]
    const after = await talk.cursor(alice)
    const followed = await talk.recorder.follow(system.client, {
      reader: 'one',
      as: alice.name,
      token: alice.token,
      conversationId: one,
      after,
    })
    const sent = await Promise.all([
      talk.send(alice, { text: '/long 21', conversationId: other }),
      talk.send(alice, { text: '/long 22', conversationId: one }),
      talk.send(alice, { text: '/long 23', conversationId: other }),
      talk.send(alice, { text: '/long 24', conversationId: one }),
    ])
    let ends = 0
    const events = await followed.take((event) => isTerminal(event) && (ends += 1) === 2)
    followed.stream.cut()
    const wanted = sent.filter((reply) => reply.conversation.id === one).map((reply) => reply.id)
    expect(new Set(events.map((event) => event.replyId))).toEqual(new Set(wanted))
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })
})
