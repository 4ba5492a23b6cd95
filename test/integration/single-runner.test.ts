import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, untilStatus } from '../kit/clients/talk.ts'

const paths = { flow: '/v1/workflows/chat', bot: '/v3/chat' } as const

describe.each(['flow', 'bot'] as const)(
  'P4: one running reply per conversation (%s)',
  (assistantId) => {
    const path = paths[assistantId]
    let system: System
    beforeAll(async () => {
      system = await startSystem({ limits: { maxQueued: 3 } })
    })
    afterAll(() => system[Symbol.asyncDispose]())

    /** A conversation in which a reply runs and is held. */
    async function hold(name: string) {
      const talk = createTalk(system)
      const who = system.person(name)
      await system.emulator.faults(path, { kind: 'pause', afterDeltas: 1 })
      const running = await talk.send(who, { text: `/long 9 ${name}`, assistantId })
      await system.emulator.until({ held: 'pause' })
      const conversationId = running.conversation.id
      return { talk, who, running, conversationId }
    }

    it('QUEUE: lets messages wait their turn, in order, and says how many come first', async () => {
      const { talk, who, running, conversationId } = await hold('queue')
      const calls = (await system.emulator.state()).chats.length
      const waiting = []
      for (const text of ['one', 'two', 'three']) {
        waiting.push(await talk.send(who, { text, conversationId }))
      }
      expect(waiting.map((reply) => reply.status)).toEqual(['QUEUED', 'QUEUED', 'QUEUED'])
      expect(waiting.map((reply) => reply.queuePosition)).toEqual([0, 1, 2])
      expect(await talk.trySend(who, { text: 'four', conversationId })).toMatchObject({
        code: 'QUEUE_FULL',
        retryAfterMs: expect.any(Number),
      })
      expect((await system.emulator.state()).chats).toHaveLength(calls)

      await system.emulator.release()
      for (const { id } of [running, ...waiting]) {
        expect(await talk.ending(who, id)).toMatchObject({ __typename: 'ReplyCompleted' })
      }
      const begun = (await system.emulator.state()).chats.slice(calls).map(({ request }) => request)
      expect(begun.map((request) => JSON.stringify(request))).toEqual(
        ['one', 'two', 'three'].map((text) => expect.stringContaining(JSON.stringify(text))),
      )
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    })

    it('runs replies of different conversations side by side', async () => {
      const { talk, who, running } = await hold('side by side')
      const conversationId = await talk.startConversation(who, assistantId)
      const other = await talk.say(who, { text: 'meanwhile', conversationId })
      expect(other).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(await talk.snapshot(who, running.id)).toMatchObject({ status: 'RUNNING' })
      await system.emulator.release()
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    })

    it('REJECT: refuses a message while another reply runs, and takes it afterwards', async () => {
      const { talk, who, running, conversationId } = await hold('reject')
      const input = { text: 'now or never', conversationId, onBusy: 'REJECT' } as const
      expect(await talk.trySend(who, input)).toMatchObject({
        code: 'CONVERSATION_BUSY',
        retryAfterMs: expect.any(Number),
      })
      await system.emulator.release()
      await untilStatus(talk, who, running.id, 'COMPLETED')
      expect(await talk.say(who, input)).toMatchObject({ __typename: 'ReplyCompleted' })
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    })

    it('INTERRUPT: cancels the running reply and those that wait', async () => {
      const { talk, who, running, conversationId } = await hold('interrupt')
      const waiting = await talk.send(who, { text: 'patient', conversationId })
      const input = { text: 'urgent', conversationId, onBusy: 'INTERRUPT' } as const
      const urgent = await talk.send(who, input)
      expect(await talk.ending(who, running.id)).toMatchObject({ __typename: 'ReplyCancelled' })
      await system.emulator.release()
      expect(await talk.ending(who, urgent.id)).toMatchObject({ __typename: 'ReplyCompleted' })
      expect(await talk.ending(who, waiting.id)).toMatchObject({ __typename: 'ReplyCancelled' })
      await talk.settle()
      expect(talk.recorder.history).toContainEqual({ type: 'chats', replyId: waiting.id, count: 0 })
      expect(check(talk.recorder.history)).toEqual([])
    })

    it('cancels a reply that still waits, without ever asking upstream', async () => {
      const { talk, who, conversationId } = await hold('cancel waiting')
      const waiting = await talk.send(who, { text: 'never asked', conversationId })
      expect(await talk.cancel(who, waiting.id)).toBe('CANCELLED')
      await system.emulator.release()
      await talk.settle()
      expect(talk.recorder.history).toContainEqual({ type: 'chats', replyId: waiting.id, count: 0 })
      expect(check(talk.recorder.history)).toEqual([])
    })
  },
)
