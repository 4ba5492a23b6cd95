import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { readMeter, readMetrics } from '../kit/process/metrics.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const manual = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

describe('the metrics of a gateway', () => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem({
      limits: { maxQueued: 0, circuitFailures: 1, maxRunningPerSession: 2 },
      timeouts: { retryMs: 0, circuitMs: 100 },
    })
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  /** The values of one meter by its labels, such as `status="200",kind="query"`. */
  async function meter(name: string): Promise<Readonly<Record<string, number>>> {
    const lines = (await readMetrics(system.gateway)).split('\n')
    const pattern = new RegExp(`^coze_gateway_${name}(?:\\{(.*)\\})? (\\S+)$`)
    return Object.fromEntries(
      lines.flatMap((line) => {
        const [, labels = '', value] = pattern.exec(line) ?? []
        return value === undefined ? [] : [[labels, Number(value)]]
      }),
    )
  }

  it('tell of requests by kind and status, refused ones included', async () => {
    const who = system.person('requests')
    await talk.say(who, 'hello')
    await system.client.call({ token: who.token, query: '{ viewer { sessionFingerprint } }' })
    await system.client.call({ token: 'nobody', query: '{ viewer { sessionFingerprint } }' })
    const requests = await meter('request_seconds_count')
    expect(requests).toMatchObject({
      'kind="query",status="200"': expect.any(Number),
      'kind="mutation",status="200"': 1,
      'kind="subscription",status="200"': 1,
      'kind="none",status="401"': 1,
    })
  })

  it('tell of messages and replies, how they ended and how soon they began', async () => {
    const who = system.person('replies')
    const before = (await meter('first_delta_seconds_count'))[''] ?? 0
    await talk.say(who, 'hello')
    await talk.say(who, '/fail 5000 x')
    await talk.trySend(who, { text: ' ' })
    expect((await meter('first_delta_seconds_count'))['']).toBeGreaterThan(before)
    expect(await meter('replies_ended_total')).toMatchObject({
      'status="COMPLETED",code=""': expect.any(Number),
      'status="FAILED",code="UPSTREAM_ERROR"': 1,
    })
    expect(await talk.trySend(who, { text: 'x', assistantId: 'nobody' })).toMatchObject({
      code: 'NOT_FOUND',
    })
    const messages = await meter('messages_total')
    expect(messages['outcome="accepted"']).toBeGreaterThanOrEqual(2)
    expect(messages).toMatchObject({ 'outcome="INVALID_INPUT"': 1, 'outcome="NOT_FOUND"': 1 })
  })

  it('tell how many replies wait and run, and why a message was refused', async () => {
    const who = system.person('queues')
    const { id } = await talk.send(who, { text: '/slow 1 /long 50', assistantId: 'bot' })
    await until(async () => (await talk.snapshot(who, id))?.text !== '', 'the first text')
    expect(await meter('replies_running')).toMatchObject({ 'assistant="bot"': 1 })
    expect(await talk.trySend(who, { text: 'wait', assistantId: 'bot' })).toMatchObject({
      code: 'QUEUE_FULL',
    })
    expect(await meter('messages_total')).toMatchObject({ 'outcome="QUEUE_FULL"': 1 })
    await talk.cancel(who, id)
    expect(await meter('replies_running')).toMatchObject({ 'assistant="bot"': 0 })
    expect(await meter('replies_ended_total')).toMatchObject({ 'status="CANCELLED",code=""': 1 })
  })

  it('tell of access tokens, and how often one was at hand', async () => {
    const before = await meter('access_tokens_total')
    const who = system.person('tokens')
    await talk.say(who, { text: 'one', assistantId: 'bot' })
    await talk.say(who, { text: 'two', assistantId: 'bot' })
    const after = await meter('access_tokens_total')
    const grown = (label: string) => (after[label] ?? 0) - (before[label] ?? 0)
    expect(grown('outcome="minted"')).toBe(1)
    expect(grown('outcome="reused"')).toBeGreaterThanOrEqual(2)
  })

  it('tell of upstream calls by call and outcome, with the code of what failed', async () => {
    const who = system.person('upstream')
    await talk.say(who, '/error 4011 x')
    const calls = await meter('upstream_call_seconds_count')
    expect(calls).toMatchObject({
      'call="token",outcome="ok"': expect.any(Number),
      'call="create-conversation",outcome="ok"': expect.any(Number),
      'call="workflow-chat",outcome="ok"': expect.any(Number),
      'call="bot-chat",outcome="aborted"': 1,
    })
    expect(await meter('upstream_errors_total')).toMatchObject({
      'call="workflow-chat",kind="quota",code="4011"': 1,
    })
    const deleted = await talk.startConversation(who, 'bot')
    await talk.say(who, { text: 'hello', conversationId: deleted })
    await system.client.call({
      token: who.token,
      query: `mutation { deleteConversation(input: { conversationId: "${deleted}" }) { __typename } }`,
    })
    expect(await meter('upstream_call_seconds_count')).toMatchObject({
      'call="delete-conversation",outcome="ok"': 1,
    })
  })

  it('tell of writes of the store', async () => {
    const writes = await meter('store_write_seconds_count')
    expect(writes['']).toBeGreaterThan(0)
  })

  it('tell of open subscriptions, and why they ended', async () => {
    const who = system.person('streams')
    const query = RepliesDocument.toString()
    const stream = await system.client.stream({ token: who.token, query })
    expect((await meter('subscriptions_open'))['']).toBe(1)
    stream.cut()
    await until(async () => (await meter('subscriptions_open'))[''] === 0, 'the stream to end')
    expect(await meter('subscriptions_ended_total')).toMatchObject({
      'reason="client-gone"': 1,
      'reason="completed"': expect.any(Number),
    })
  })

  it('F24: tell how many file descriptors are open, and how many may be', async () => {
    const read = (name: string) => readMeter(system.gateway, name)
    const [before, max] = [await read('process_open_fds'), await read('process_max_fds')]
    const { token } = system.person('many streams')
    const query = RepliesDocument.toString()
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => system.client.stream({ token, query })),
    )
    // The store's check of its file, and connections that were kept alive, may let go of some meanwhile.
    const others = streams.length / 2
    expect(await read('process_open_fds')).toBeGreaterThanOrEqual(before + streams.length - others)
    expect(max).toBeGreaterThan(before)
    for (const stream of streams) stream.cut()
  })

  it('F1: tell of an assistant that cannot be reached', async () => {
    await using lost = await startSystem({
      baseUrl: 'http://127.0.0.1:1',
      limits: { circuitFailures: 1 },
      timeouts: { retryMs: 0 },
    })
    const [who, talk] = [lost.person('circuit'), createTalk(lost)]
    await talk.say(who, 'hello')
    expect(await talk.trySend(who, { text: 'again' })).toMatchObject({
      code: 'ASSISTANT_UNAVAILABLE',
      retryAfterMs: expect.any(Number),
    })
    expect(await readMetrics(lost.gateway)).toContain('circuit_open{assistant="flow"} 1')
  })

  it('T18: are labelled with nothing that a caller chose', async () => {
    const text = await readMetrics(system.gateway)
    const { chats } = await system.emulator.state()
    for (const { sessionName = '', conversationId } of chats) {
      expect(text).not.toContain(sessionName)
      expect(text).not.toContain(conversationId)
    }
    expect(text.replaceAll(/^#.*$/gm, '')).not.toMatch(/queues|hello|Replies\b/)
  })

  it('are all told of in the manual of operators', async () => {
    const names = [...(await readMetrics(system.gateway)).matchAll(/^# TYPE (coze_\w+)/gm)]
    expect(names.length).toBeGreaterThan(10)
    for (const [, name = ''] of names) expect(manual).toContain(`\`${name}\``)
  })
})
