import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { chatPaths, failed, json, upstreamFaults } from '../kit/process/upstream-faults.ts'

describe('P3: exactly one terminal event, after each of F3 F4 F6 F7 F8 F9 F10 F11 F12 F13 F14 F15 F16 F17 F18 F19', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      timeouts: {
        // An honest stream must not seem to have fallen silent where the machine is busy.
        idleBotMs: 3_000,
        idleWorkflowMs: 3_000,
        busyWaitMs: 2_000,
        // Neither is to run out: what is tried again is bounded by its number.
        retryMs: 20_000,
        recoverMs: 60_000,
      },
      limits: { maxEventBytes: 131_072, maxReplyBytes: 50_000 },
      // One fault after another: a breach must not keep the next one away.
      assistants: { onBreach: 'alert' },
    })
  })
  afterAll(() => system[Symbol.asyncDispose]())

  const cases = Object.entries(upstreamFaults).flatMap(([name, row]) =>
    (['flow', 'bot'] as const)
      .filter((assistantId) => row.only === undefined || row.only === assistantId)
      .map((assistantId) => [name, assistantId, row] as const),
  )
  it.each(cases)('%s (%s)', async (name, assistantId, row) => {
    const talk = createTalk(system)
    const who = system.person(`${name} ${assistantId}`)
    const path = row.path ?? chatPaths[assistantId]
    // The conversation exists already, so that only the call in question meets the fault.
    await talk.say(who, { text: 'my colour is blue', assistantId })
    const before = await countCalls(chatPaths[assistantId])
    if (row.faults.length > 0) {
      await system.emulator.repeatFaults(path, row.times ?? 1, ...row.faults)
    }
    const { id } = await talk.send(who, { text: row.text ?? '/long 9', assistantId })
    const events = await talk.listen(who, id)
    const calls = (await countCalls(chatPaths[assistantId])) - before
    await system.emulator.clearFaults()
    await system.emulator.release()

    expect(events.at(-1)).toMatchObject(row.end)
    if (row.kept !== undefined) {
      expect(await talk.snapshot(who, id)).toMatchObject({ text: expect.stringMatching(row.kept) })
    }
    if (row.calls !== undefined) expect(calls).toBe(row.calls)
    const next = await talk.say(who, { text: 'what is my colour?', assistantId })
    expect(next).toMatchObject({ text: 'Your colour is blue.' })
    await talk.settle({ corrected: row.corrected ? [id] : [] })
    expect(check(talk.recorder.history)).toEqual([])
  })

  it.each(['flow', 'bot'] as const)(
    'F41: goes on in a new upstream conversation when the stored one is gone (%s)',
    async (assistantId) => {
      const talk = createTalk(system)
      const who = system.person(`F41 ${assistantId}`)
      await talk.say(who, { text: 'my colour is red', assistantId })
      await system.emulator.faults(chatPaths[assistantId], json(4002))
      const answer = await talk.say(who, { text: 'what is my colour?', assistantId })
      expect(answer).toMatchObject({ text: 'Your colour is red.', contextReset: true })
      const later = await talk.say(who, { text: 'and what is my colour now?', assistantId })
      expect(later).toMatchObject({ __typename: 'ReplyCompleted', contextReset: false })
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])
    },
  )

  it('T13: never shows what comes in a conversation that belongs to another session', async () => {
    const talk = createTalk(system)
    const [alice, bob] = [system.person('T13 alice'), system.person('T13 bob')]
    await talk.say(alice, { text: 'my secret is plum', assistantId: 'bot' })
    const { chats } = await system.emulator.state()
    const conversationId = chats.at(-1)?.conversationId ?? ''
    await system.emulator.faults('/v3/chat', { kind: 'sharedConversation', conversationId })
    const { id } = await talk.send(bob, { text: '/say not for you', assistantId: 'bot' })
    const events = await talk.listen(bob, id)
    expect(events.at(-1)).toMatchObject(failed('ISOLATION_BREACH'))
    expect(JSON.stringify(events)).not.toContain('not for you')
    expect(await talk.say(bob, { text: 'hello', assistantId: 'bot' })).toMatchObject({
      text: 'You said: hello',
    })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  async function countCalls(path: string): Promise<number> {
    return (await system.emulator.state()).requests[`POST ${path}`] ?? 0
  }
})

describe('an upstream that cannot be reached', () => {
  it('F1: refuses connections: fails within the time for retries', async () => {
    await using system = await startSystem({
      baseUrl: 'http://127.0.0.1:1',
      timeouts: { retryMs: 1_000 },
    })
    const talk = createTalk(system)
    const end = await talk.say(system.person('nobody there'), 'hello?')
    expect(end).toMatchObject(failed('UPSTREAM_UNAVAILABLE', { retryable: true }))
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  it('F1: leaves the gateway ready, as degraded, and alive while its circuit is open', async () => {
    await using system = await startSystem({
      baseUrl: 'http://127.0.0.1:1',
      timeouts: { retryMs: 0 },
      limits: { circuitFailures: 1 },
    })
    const health = async (which: string) => {
      const { statusCode, body } = await request(`${system.gateway.url}/health/${which}`)
      return [statusCode, await body.json()]
    }
    expect(await health('ready')).toEqual([200, { status: 'ready', durability: 'disk' }])
    await createTalk(system).say(system.person('nobody there'), 'hello?')
    expect(await health('ready')).toEqual([200, { status: 'degraded', durability: 'disk' }])
    expect(await health('live')).toEqual([200, { status: 'live' }])
  })

  it('F2: speaks no TLS: fails, and never falls back to plain', async () => {
    await using plain = await startSystem()
    const baseUrl = plain.emulator.url.replace('http:', 'https:')
    await using system = await startSystem({ baseUrl })
    const talk = createTalk(system)
    const end = await talk.say(system.person('nobody there'), 'hello?')
    expect(end).toMatchObject(failed('UPSTREAM_TLS', { retryable: false }))
    expect((await plain.emulator.state()).requests).toEqual({})
  })
})
