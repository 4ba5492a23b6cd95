import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, untilStatus } from '../kit/clients/talk.ts'

describe('P9: a disconnect is not a cancel', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it.each(['/v1/workflows/chat', '/v3/chat'] as const)(
    'lets a reply run on when its last subscriber goes (%s)',
    async (path) => {
      const assistantId = path === '/v3/chat' ? 'bot' : 'flow'
      const talk = createTalk(system)
      const alice = system.person(`leaves ${assistantId}`)
      await system.emulator.faults(path, { kind: 'pause', afterDeltas: 3 })
      const { id } = await talk.send(alice, { text: '/long 15', assistantId })
      const followed = await talk.recorder.follow(system.client, {
        reader: 'leaver',
        as: alice.name,
        token: alice.token,
        replyId: id,
      })
      await followed.next()
      followed.stream.cut()
      await system.emulator.until({ held: 'pause' })
      await system.emulator.release()
      await untilStatus(talk, alice, id, 'COMPLETED')
      expect((await system.emulator.state()).requests['POST /v3/chat/cancel']).toBeUndefined()
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it.each(['/v1/workflows/chat', '/v3/chat'] as const)(
    'cancels a running reply on request, once, for all who listen (%s)',
    async (path) => {
      const assistantId = path === '/v3/chat' ? 'bot' : 'flow'
      const talk = createTalk(system)
      const alice = system.person(`cancels ${assistantId}`)
      await system.emulator.faults(path, { kind: 'pause', afterDeltas: 3 })
      const { id } = await talk.send(alice, { text: '/long 15', assistantId })
      const followed = await talk.recorder.follow(system.client, {
        reader: 'listener',
        as: alice.name,
        token: alice.token,
        replyId: id,
      })
      await followed.take((event) => event.__typename === 'ReplyDelta')
      expect(await talk.cancel(alice, id)).toBe('CANCELLED')
      expect(await talk.cancel(alice, id)).toBe('CANCELLED')
      expect((await followed.take()).at(-1)).toMatchObject({
        __typename: 'ReplyCancelled',
        upstreamCancelled: assistantId === 'bot',
      })
      await system.emulator.release()
      const next = await talk.say(alice, { text: 'and now?', assistantId })
      expect(next).toMatchObject({ text: 'You said: and now?', contextReset: path !== '/v3/chat' })
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it('leaves a finished reply as it is when it is cancelled', async () => {
    const talk = createTalk(system)
    const alice = system.person('too late')
    const { id } = await talk.send(alice, 'done already')
    await talk.ending(alice, id)
    expect(await talk.cancel(alice, id)).toBe('COMPLETED')
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })
})
