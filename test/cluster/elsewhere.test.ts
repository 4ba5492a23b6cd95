import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DeleteConversationDocument,
  SubmitToolOutputsDocument,
} from '../../schema/operations/generated/graphql.ts'
import { createClient } from '../kit/clients/client.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { check } from '../kit/history/checker.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { until } from '../kit/process/until.ts'

describe('a reply that another instance runs', () => {
  let server: PostgresServer
  let cluster: Cluster
  beforeAll(async () => {
    server = await startPostgres()
    cluster = await startCluster({
      store: await server.newDatabase(),
      count: 2,
      emulator: { wordsPerSecond: 20 },
    })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  /** The same history, told at each of the two. */
  function talks(): readonly [Talk, Talk] & Disposable {
    const stack = new DisposableStack()
    const clients = cluster.instances.map(({ url }) =>
      stack.adopt(createClient(url), (client) => client[Symbol.dispose]()),
    )
    const [first, second] = clients
    if (first === undefined || second === undefined) throw new Error('expected two')
    const here = createTalk({ client: first, emulator: cluster.emulator })
    const there = createTalk({ client: second, emulator: cluster.emulator }, here.recorder, 'there')
    return Object.assign([here, there] as const, { [Symbol.dispose]: () => stack.dispose() })
  }

  const isRunning = async (talk: Talk, who: Parameters<Talk['snapshot']>[0], id: string) =>
    ((await talk.snapshot(who, id))?.text ?? '') !== ''

  it.each(['bot', 'flow'])(
    'is cancelled with the text that is stored (%s)',
    async (assistantId) => {
      using pair = talks()
      const [here, there] = pair
      here.recorder.add({ type: 'crash' })
      const who = cluster.person(`cancel-${assistantId}`)
      const reply = await here.send(who, { text: '/long 200', assistantId })
      const endings = [here.ending(who, reply.id), there.ending(who, reply.id)]
      await until(() => isRunning(there, who, reply.id), 'some text')
      expect(await there.cancel(who, reply.id)).toBe('CANCELLED')
      for (const ending of endings) expect((await ending).__typename).toBe('ReplyCancelled')
      const { id: conversationId } = reply.conversation
      const next = await there.say(who, { text: 'and now?', conversationId })
      expect(next).toMatchObject({ __typename: 'ReplyCompleted', contextReset: true })
      await here.settle()
      expect(check(here.recorder.history)).toEqual([])
    },
  )

  it('is interrupted by a message that then comes first', async () => {
    using pair = talks()
    const [here, there] = pair
    here.recorder.add({ type: 'crash' })
    const who = cluster.person('interrupt')
    const reply = await here.send(who, { text: '/long 200', assistantId: 'bot' })
    const ending = here.ending(who, reply.id)
    await until(() => isRunning(there, who, reply.id), 'some text')
    const { id: conversationId } = reply.conversation
    const next = await there.say(who, { text: 'stop!', conversationId, onBusy: 'INTERRUPT' })
    expect((await ending).__typename).toBe('ReplyCancelled')
    expect(next.__typename).toBe('ReplyCompleted')
    await here.settle()
    expect(check(here.recorder.history)).toEqual([])
  })

  it('is cancelled before its conversation is deleted', async () => {
    using pair = talks()
    const [here, there] = pair
    const who = cluster.person('delete')
    const reply = await here.send(who, { text: '/long 200', assistantId: 'bot' })
    await until(() => isRunning(there, who, reply.id), 'some text')
    const { id: conversationId } = reply.conversation
    const deleted = await there.ask(who, DeleteConversationDocument, { input: { conversationId } })
    expect(deleted?.deleteConversation.__typename).toBe('DeleteConversationSuccess')
    expect(await here.snapshot(who, reply.id)).toBeUndefined()
  })

  it('goes on with the tool outputs that are brought to another instance', async () => {
    using pair = talks()
    const [here, there] = pair
    const who = cluster.person('tools')
    const reply = await here.send(who, { text: '/tool weather', assistantId: 'bot' })
    const ending = here.ending(who, reply.id)
    const toolCalls = await until(async () => {
      const found = await there.snapshot(who, reply.id)
      return found?.status === 'ACTION_REQUIRED' ? found.toolCalls : undefined
    }, 'the reply waits for tool outputs')
    const outputs = toolCalls.map(({ callId }) => ({ callId, output: 'sunny' }))
    const input = { replyId: reply.id, outputs }
    const taken = await there.ask(who, SubmitToolOutputsDocument, { input })
    expect(taken?.submitToolOutputs.__typename).toBe('SubmitToolOutputsSuccess')
    expect((await ending).__typename).toBe('ReplyCompleted')
    await here.settle()
    expect(check(here.recorder.history)).toEqual([])
  })
})
