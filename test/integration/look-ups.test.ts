import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  ConversationDocument,
  RateAnswerDocument,
} from '../../schema/operations/generated/graphql.ts'
import { platforms } from '../kit/process/platforms.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const listPath = '/v3/chat/message/list'

interface Killed {
  readonly id: string
  /** The beginning of the answer, which is on disk. */
  readonly begun: string
  readonly whole: string
}

/** A Bot's reply of which some text is on disk, and whose gateway is then killed. */
async function killInTheMiddle(system: System, talk: Talk, who: Person): Promise<Killed> {
  await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 12 })
  const words = Array.from({ length: 30 }, (_, n) => `${who.name}-${n + 1}`)
  const text = words.join(' ')
  const { id } = await talk.send(who, { text, assistantId: 'bot' })
  await system.emulator.until({ held: 'pause' })
  // The message itself does not begin so.
  const begun = `You said: ${words[0]} `
  // Text is shown at once, and written in groups behind that.
  await until(
    async () => (await readFile(`${system.storeFile}-wal`)).includes(begun),
    'the text to be on disk',
  )
  await system.gateway.kill('SIGKILL')
  await system.emulator.release()
  return { id, begun, whole: `You said: ${text}` }
}

describe.each(platforms)('the end of a lost run on %s', (platform, options) => {
  let system: System
  let talk: Talk
  let whole: string
  let people = 0
  let who: Person
  beforeAll(async () => {
    system = await startSystem({ ...options, timeouts: { recoverMs: 60_000 } })
    talk = createTalk(system)
    whole = textOf(
      await talk.say(system.person('witness'), { text: '/long 30', assistantId: 'bot' }),
    )
    expect(whole).toContain('-30')
  })
  afterAll(() => system[Symbol.asyncDispose]())
  beforeEach(async () => {
    await system.emulator.clearFaults()
    await system.emulator.release()
    who = system.person(`person-${(people += 1)}`)
  })

  it('is the whole answer of a Bot whose gateway is killed in its middle', async () => {
    const { id, whole: answer } = await killInTheMiddle(system, talk, who)
    await system.gateway.restart()
    const completed = { __typename: 'ReplyCompleted', text: answer }
    expect(await talk.ending(who, id)).toMatchObject(completed)
  })

  it('is the whole answer of a Bot whose stream is cut', async () => {
    await system.emulator.faults('/v3/chat', { kind: 'cut', afterDeltas: 9 })
    expect(await talk.say(who, { text: '/long 30', assistantId: 'bot' })).toMatchObject({
      __typename: 'ReplyCompleted',
      text: whole,
    })
  })

  it('is the whole answer of a Bot whose stream is cut before its first event', async () => {
    await system.emulator.faults('/v3/chat', { kind: 'lostReply' })
    expect(await talk.say(who, { text: '/long 30', assistantId: 'bot' })).toMatchObject({
      __typename: 'ReplyCompleted',
      text: whole,
    })
  })

  it('is proven for a Workflow that has said everything and is done, but not complete', async () => {
    await system.emulator.faults('/v1/workflows/chat', { kind: 'noTerminal', done: true })
    expect(await talk.say(who, { text: '/long 30', assistantId: 'flow' })).toMatchObject({
      __typename: 'ReplyCompleted',
      text: whole,
    })
    await system.emulator.faults('/v1/workflows/chat', { kind: 'noTerminal', done: true })
    expect(await talk.say(who, { text: '/two', assistantId: 'flow' })).toMatchObject({
      __typename: 'ReplyCompleted',
      contextReset: false,
    })
  })

  it('is unknown for a Workflow whose stream is cut in the middle of its answer', async () => {
    await system.emulator.faults('/v1/workflows/chat', { kind: 'cut', afterDeltas: 9 })
    const { id } = await talk.send(who, { text: '/long 30', assistantId: 'flow' })
    expect(await talk.ending(who, id)).toMatchObject({ failure: { code: 'UPSTREAM_TRUNCATED' } })
    const { text = '' } = (await talk.snapshot(who, id)) ?? {}
    expect(text).toContain('-9')
    expect(whole.startsWith(text)).toBe(true)
  })

  it('keeps no session in a Workflow conversation that has vanished, and runs no message twice', async () => {
    await talk.say(who, { text: 'my secret is heron', assistantId: 'flow' })
    const path = 'POST /v1/workflows/chat'
    const before = (await system.emulator.state()).requests[path] ?? 0
    await system.emulator.vanish()
    const first = await talk.say(who, { text: 'what is my secret?', assistantId: 'flow' })
    const runs = ((await system.emulator.state()).requests[path] ?? 0) - before
    if (platform === 'Studio') {
      // It says no more than that something is broken: whether the message has run is not known.
      expect(first).toMatchObject({
        __typename: 'ReplyFailed',
        failure: { code: 'UPSTREAM_ERROR' },
      })
      expect(runs).toBe(1)
      expect(
        await talk.say(who, { text: 'what is my secret?', assistantId: 'flow' }),
      ).toMatchObject({ text: 'Your secret is heron.', contextReset: true })
    } else {
      expect(first).toMatchObject({ text: 'Your secret is heron.', contextReset: true })
    }
  })

  it('tells what a Bot has used', async () => {
    expect(await talk.say(who, { text: 'hi', assistantId: 'bot' })).toMatchObject({
      usage: { inputTokens: expect.any(Number), outputTokens: expect.any(Number) },
    })
  })

  it('is a failure where an error comes before an end', async () => {
    expect(
      await talk.say(who, { text: '/say so far\n/error 103200002 broken', assistantId: 'bot' }),
    ).toMatchObject({ __typename: 'ReplyFailed', failure: { code: 'UPSTREAM_ERROR' } })
  })

  it('is told to be cancelled upstream where the platform has agreed', async () => {
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 1 })
    const { id } = await talk.send(who, { text: '/long 30', assistantId: 'bot' })
    await until(async () => (await talk.snapshot(who, id))?.text !== '', 'the first text')
    await talk.cancel(who, id)
    expect(await talk.ending(who, id)).toMatchObject({
      __typename: 'ReplyCancelled',
      upstreamCancelled: true,
    })
  })

  it('is left behind where a Bot may still write: the next message goes on elsewhere, and says so', async () => {
    await talk.say(who, { text: 'my secret is heron', assistantId: 'bot' })
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 1 })
    const { id } = await talk.send(who, { text: '/long 30', assistantId: 'bot' })
    await until(async () => (await talk.snapshot(who, id))?.text !== '', 'the first text')
    await system.emulator.faults('/v3/chat/cancel', { kind: 'status', status: 503, body: 'busy' })
    await talk.cancel(who, id)
    expect(await talk.ending(who, id)).toMatchObject({
      __typename: 'ReplyCancelled',
      upstreamCancelled: false,
    })
    expect(await talk.say(who, { text: 'what is my secret?', assistantId: 'bot' })).toMatchObject({
      text: 'Your secret is heron.',
      contextReset: true,
    })
  })

  it('is asked for once where the platform has no such call', async () => {
    const path = 'POST /v1/conversations/:conversation_id/messages/:message_id/feedback'
    const { id } = await talk.send(who, { text: 'hi', assistantId: 'bot' })
    await talk.ending(who, id)
    const conversation = (await talk.snapshot(who, id))?.conversation.id ?? ''
    const found = await talk.ask(who, ConversationDocument, { id: conversation, last: 1 })
    const messageId = found?.conversation?.messages.edges[0]?.node.id ?? ''
    const input = { messageId, rating: 'LIKE' } as const
    const rate = async () => await talk.ask(who, RateAnswerDocument, { input })
    const results = [await rate(), await rate()]
    const { requests } = await system.emulator.state()
    if (platform === 'Studio') {
      const refused = { rateAnswer: { code: 'NOT_SUPPORTED' } }
      expect(results).toMatchObject([refused, refused])
      expect(requests[path]).toBe(1)
    } else {
      expect(requests[path]).toBe(2)
    }
  })
})

describe.each(platforms)('the end of a run that is not found on %s', (_platform, options) => {
  let system: System
  let talk: Talk
  let people = 0
  let who: Person
  beforeAll(async () => {
    system = await startSystem({ ...options, timeouts: { recoverMs: 300 } })
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())
  beforeEach(async () => {
    await system.emulator.clearFaults()
    who = system.person(`person-${(people += 1)}`)
  })

  it.each([
    ['holds no list', '{"code":0,"msg":""}'],
    ['holds an empty list', '{"code":0,"msg":"","data":[]}'],
    ['holds something else', '{"code":0,"msg":"","data":{"rows":1}}'],
    ['is not JSON', 'record not here'],
  ])('is never a part of the answer, where the look-up %s', async (_, body) => {
    const { id, begun, whole: answer } = await killInTheMiddle(system, talk, who)
    await system.emulator.repeatFaults(listPath, 50, { kind: 'status', status: 200, body })
    await system.gateway.restart()
    expect(await talk.ending(who, id)).toMatchObject({
      __typename: 'ReplyFailed',
      failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' },
    })
    const { text = '' } = (await talk.snapshot(who, id)) ?? {}
    expect(text.startsWith(begun)).toBe(true)
    expect(answer.startsWith(text)).toBe(true)
  })

  it('is not proven by an announcement alone, where nothing is listed', async () => {
    const list = '/v1/conversation/message/list'
    await talk.say(who, { text: 'hi', assistantId: 'flow' })
    await system.emulator.faults('/v1/workflows/chat', { kind: 'noTerminal', done: true })
    const body = '{"code":0,"msg":""}'
    await system.emulator.repeatFaults(list, 50, { kind: 'status', status: 200, body })
    expect(await talk.say(who, { text: '/long 30', assistantId: 'flow' })).toMatchObject({
      __typename: 'ReplyFailed',
      failure: { code: 'UPSTREAM_TRUNCATED' },
    })
  })
})

function textOf(event: object): string {
  if ('text' in event && typeof event.text === 'string') return event.text
  throw new Error(`not completed: ${JSON.stringify(event)}`)
}
