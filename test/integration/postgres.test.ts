import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTalk, untilStatus } from '../kit/clients/talk.ts'
import { check } from '../kit/history/checker.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

describe('a gateway on PostgreSQL', () => {
  let server: PostgresServer
  let system: System
  beforeAll(async () => {
    server = await startPostgres()
    const store = await server.newDatabase()
    system = await startSystem({ config: { store }, timeouts: { recoverMs: 20_000 } })
  })
  afterAll(async () => {
    await system[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const isReady = async () => (await fetch(`${system.gateway.url}/health/ready`)).status === 200

  it.each(['flow', 'bot'])(
    'keeps the context of a conversation over a restart (%s)',
    async (assistantId) => {
      const talk = createTalk(system)
      const who = system.person(`restart-${assistantId}`)
      const first = await talk.send(who, { text: 'My colour is teal.', assistantId })
      await talk.ending(who, first.id)
      expect(await system.gateway.kill('SIGTERM')).toBe(0)
      await system.gateway.restart()
      const conversationId = first.conversation.id
      const answer = await talk.say(who, { text: 'What is my colour?', conversationId })
      expect(answer).toMatchObject({
        __typename: 'ReplyCompleted',
        text: expect.stringContaining('teal'),
      })
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it('F21: brings a reply to one end after a kill, once the dead instance has been silent for long enough', async () => {
    const talk = createTalk(system)
    const who = system.person('killed')
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 3 })
    const reply = await talk.send(who, { text: '/long 9 killed', assistantId: 'bot' })
    await system.emulator.until({ held: 'pause' })
    await system.gateway.kill('SIGKILL')
    talk.recorder.add({ type: 'crash' })
    await system.emulator.release()
    await system.gateway.restart()
    await untilStatus(talk, who, reply.id, 'COMPLETED')
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it.each([
    { how: 'has crashed', leave: () => server.crash(), comeBack: () => server.start() },
    {
      how: 'stands still',
      leave: () => server.signal('SIGSTOP'),
      comeBack: () => server.signal('SIGCONT'),
    },
  ])(
    'F28: refuses messages while the server $how, shows what runs to who reads it, and ends it when it is back',
    async ({ how, leave, comeBack }) => {
      const talk = createTalk(system)
      const who = system.person(how)
      await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 3 })
      const reply = await talk.send(who, { text: '/long 9 away', assistantId: 'bot' })
      const reader = { reader: 'stays', as: who.name, token: who.token, replyId: reply.id }
      const reading = await talk.recorder.follow(system.client, reader)
      await system.emulator.until({ held: 'pause' })
      await leave()
      await until(async () => !(await isReady()), 'the gateway to be not ready')
      expect(await talk.trySend(who, { text: 'now?', assistantId: 'bot' })).toBeUndefined()
      await system.emulator.release()
      // All of it has come, and its end waits for the server.
      const said = await reading.take(
        (event) => event.__typename === 'ReplyDelta' && event.text.includes('9'),
      )
      expect(said.at(-1)).toMatchObject({ __typename: 'ReplyDelta' })
      await comeBack()
      await until(isReady, 'the gateway to be ready')
      const rest = await reading.take((event) => event.__typename === 'ReplyCompleted')
      expect(rest).toMatchObject([{ __typename: 'ReplyCompleted' }])
      expect(await talk.say(who, { text: 'again', assistantId: 'bot' })).toMatchObject({
        __typename: 'ReplyCompleted',
      })
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )
})
