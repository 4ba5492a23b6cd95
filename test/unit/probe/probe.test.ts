import { parseConfig } from '../../../src/config/config.ts'
import { maxCallsOf } from '../../../src/probe/probe-assistants.ts'
import { describe, expect, it } from 'vitest'
import type { AssistantId } from '../../../src/domain.ts'
import type { Finding } from '../../../src/domain/isolation.ts'
import type { RevealedRows } from '../../../src/isolation/breaches.ts'
import { probe, type ProbeOptions } from '../../../src/probe/probe.ts'
import type { ChatStrategy, RunEvent } from '../../../src/strategy/strategy.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import { createScriptedRecords } from '../../kit/fakes/records.ts'
import { createScriptedStrategy } from '../../kit/fakes/strategy.ts'

/**
 * A Workflow that begins each run with a form: a message is not read, the answer `topic: …` is. It keeps what it is told
 * for its conversation. `shares`: the form waits for whoever comes next.
 */
function createFormFlow({ shares = false } = {}): ChatStrategy {
  const waiting = new Set<string>()
  const told = new Map<string, string[]>()
  let chats = 0

  function answer(conversationId: string, text: string): string {
    const [, topic] = /^topic: ?(.*)$/s.exec(text) ?? []
    if (topic === undefined) return 'The form was not understood.'
    const before = told.get(conversationId) ?? []
    told.set(conversationId, [...before, topic])
    const [number = ''] = /\d{8}/.exec(topic) ?? []
    return before.find((line) => line.includes(number)) ?? 'I do not know.'
  }

  return {
    ...createScriptedStrategy('workflow'),
    async start({ upstream, text }, take) {
      const conversationId = upstream.type === 'id' ? upstream.conversationId : 'named'
      chats += 1
      const ids = { chatId: `chat-${chats}`, conversationId }
      const place = shares ? 'everybody' : conversationId
      const question = { text: 'Which topic?', options: [], fields: [] }
      const events: RunEvent[] = waiting.delete(place)
        ? [
            { type: 'message', ...ids, messageId: 'm', text: answer(conversationId, text) },
            { type: 'completed', ...ids, usage: null },
          ]
        : [
            { type: 'question', ...ids, question },
            { type: 'action-required', ...ids, toolCalls: [] },
          ]
      if (events.length === 2 && events[0]?.type === 'question') waiting.add(place)
      await take([{ type: 'accepted', ...ids }, ...events])
    },
  }
}

async function probeFlow(strategy: ChatStrategy, more: Partial<ProbeOptions> = {}) {
  const report = await probe(
    {
      assistantId: 'flow' as AssistantId,
      strategy,
      platform: 'studio',
      records: createScriptedRecords(),
      hasSharedToken: true,
      describe: (error) => error.message,
      clock: createFakeClock(),
      newId: randomId,
      trials: 1,
      budget: 60,
      ...more,
    },
    new AbortController().signal,
  )
  const of = (layer: Finding['layer']) => report.findings.find((found) => found.layer === layer)
  return { ...report, of }
}

describe('a flow that begins with a form', () => {
  it('cannot be judged without an answer to its form, and the report says which setting gives one', async () => {
    const { verdict, of } = await probeFlow(createFormFlow())
    expect(verdict).toBe('INCONCLUSIVE')
    expect(of('conversation')?.remedy).toContain('"probe.answers"')
  })

  it('is probed with the answer that is configured, in which the message has its place', async () => {
    const answers = ['topic: {message}']
    const { verdict, of } = await probeFlow(createFormFlow(), { answers })
    expect(of('conversation')).toMatchObject({ verdict: 'ISOLATED' })
    expect(verdict).toBe('ISOLATED')
  })

  it('can be tested for a pending question: a stranger is asked anew', async () => {
    const asking = { answers: ['topic: {message}'], questionTrigger: 'Hello.' }
    const isolated = await probeFlow(createFormFlow(), asking)
    expect(isolated.of('pending-question')).toMatchObject({ verdict: 'ISOLATED' })
    expect(isolated.verdict).toBe('ISOLATED')
  })

  it('is not found isolated where the next one who comes answers the form', async () => {
    const asking = { answers: ['topic: {message}'], questionTrigger: 'Hello.' }
    const { verdict } = await probeFlow(createFormFlow({ shares: true }), asking)
    expect(verdict).not.toBe('ISOLATED')
  })
})

describe('a conversation that its first message has revealed', () => {
  let chats = 0
  const named = (rows: RevealedRows): ChatStrategy => ({
    ...createFormFlow(),
    open: async () => ({ type: 'named' }),
    listRevealed: async () => rows,
    async start({ upstream, conversationId: own }, take) {
      const conversationId = upstream.type === 'id' ? upstream.conversationId : `up-${own}`
      chats += 1
      const ids = { chatId: String(200 + chats), conversationId }
      await take([
        { type: 'accepted', ...ids },
        { type: 'completed', ...ids, usage: null },
      ])
    },
  })

  it('is a leak where older messages of others are in it', async () => {
    const others = [{ chatId: '100', createdAt: 1, isOurs: false }]
    const { verdict, of } = await probeFlow(named(others))
    expect(verdict).toBe('LEAKING')
    expect(of('conversation')?.reason).toBe(
      'A conversation that should be new had been used before.',
    )
  })

  it('is none where what is in it is newer, or its own', async () => {
    const harmless = [
      { chatId: '9000000000', createdAt: 1, isOurs: false },
      { chatId: '100', createdAt: 1, isOurs: true },
      { chatId: undefined, createdAt: 1, isOurs: false },
    ]
    expect((await probeFlow(named(harmless))).verdict).toBe('INCONCLUSIVE')
  })
})

describe('a probe that is asked for no number of trials and no budget', () => {
  it.each([
    [{}, 5],
    [{ budget: 7 }, 7],
    [{ budget: 1_000 }, 48],
    [{ budget: 1_000, trials: 1 }, 24],
  ])('has those of the configuration: %j', (asked, calls) => {
    const { assistants } = parseConfig({
      env: {},
      json: {
        issuers: [{ issuer: 'https://id.test', audience: 'gateway', secret: 'i'.repeat(32) }],
        session: { key: 's'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
        assistants: [
          {
            id: 'bot',
            name: 'Bot',
            strategy: 'bot',
            baseUrl: 'http://127.0.0.1:9',
            credentials: { type: 'token', token: 'pat', allowSharedToken: true },
            bot: { botId: '7003' },
          },
        ],
      },
    })
    expect(maxCallsOf(assistants, { trials: 2, budget: 5 }, asked)).toBe(calls)
  })
})
