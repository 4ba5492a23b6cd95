import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type CozeClient, createCozeClient } from '../../src/coze/client.ts'
import { type TokenResolver, createTokenResolver } from '../../src/coze/token.ts'
import type { Message, UpstreamScope } from '../../src/domain.ts'
import type { FaultInput } from '../../src/emulator/faults.ts'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import type { RoutePath } from '../../src/emulator/route-paths.ts'
import { createGuard } from '../../src/isolation/guard.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { randomId } from '../../src/lib/id.ts'
import { Secret } from '../../src/lib/secret.ts'
import type {
  ChatStrategy,
  RunContext,
  RunEvent,
  UpstreamConversation,
} from '../../src/strategy/strategy.ts'
import {
  type RunningEmulator,
  type TestApp,
  createTestApp,
  publicPart,
  startEmulator,
} from '../kit/emulator.ts'
import { answerOf, createHistory, createRun } from '../kit/runs.ts'
import { within } from '../kit/until.ts'

/** What a strategy is made of. */
export interface StrategyParts {
  readonly client: CozeClient
  readonly tokens: TokenResolver
  readonly scope: UpstreamScope
  readonly clock: Clock
  readonly random: () => number
  readonly busyWaitMs?: number
}

export interface StrategyEntry {
  readonly runPath: RoutePath
  readonly open: (parts: StrategyParts) => ChatStrategy
  /** A message that makes the upstream wait for somebody. */
  readonly actionRequest: string
  readonly cancels: boolean
  /** How the platform decides what its documentation leaves open. */
  readonly switches?: EmulatorOptions['switches']
}

interface Talk {
  readonly run: RunContext
  readonly upstream: UpstreamConversation
  /** What the guard let pass. */
  readonly events: readonly RunEvent[]
  readonly answer: string
  readonly error: unknown
}

/** The promises of a {@link ChatStrategy}, kept against an emulator in its own process. */
export function strategyContract(name: string, entry: StrategyEntry): void {
  describe(`strategy: ${name}`, () => {
    const { signal } = new AbortController()
    const stack = new AsyncDisposableStack()
    let app: TestApp
    let emulator: RunningEmulator
    let strategy: ChatStrategy
    let parts: StrategyParts
    let sessions = 0

    beforeAll(async () => {
      app = createTestApp()
      emulator = stack.use(
        await startEmulator({
          apps: [publicPart(app)],
          workflows: [
            { workflowId: 'flow-1', appId: 'coze-app-1' },
            { workflowId: 'flow-2', botId: 'bot-1' },
          ],
          bots: [{ botId: 'bot-1' }],
          wordsPerSecond: 0,
          ...(entry.switches !== undefined && { switches: entry.switches }),
        }),
      )
      const client = stack.use(
        createCozeClient({
          clock: systemClock,
          random: Math.random,
          metrics: { upstreamOddity() {} },
          timeouts: { idleMs: 5000, totalMs: 20_000 },
        }),
      )
      const tokens = stack.use(
        createTokenResolver({
          client,
          clock: systemClock,
          newId: randomId,
          metrics: { tokenMinted() {} },
          credentials: {
            type: 'oauth',
            baseUrl: emulator.url,
            appId: app.appId,
            keyId: app.keyId,
            privateKey: new Secret(app.privateKeyPem),
          },
        }),
      )
      const scope = { origin: emulator.url, account: '' }
      parts = { client, tokens, scope, clock: systemClock, random: Math.random }
      strategy = entry.open(parts)
    })

    afterEach(async () => {
      await emulator.clearFaults()
      await emulator.release()
      expect((await emulator.state()).problems).toEqual([])
    })

    afterAll(async () => stack.disposeAsync())

    /** A session that no other test has. */
    const newSession = (who: string) => `${who}-${(sessions += 1)}`

    async function begin(session: string, conversation?: string) {
      const run = createRun(session, 'reply-1', conversation)
      return { run, upstream: await strategy.open(run, signal) }
    }

    async function talk(
      { run, upstream }: Pick<Talk, 'run' | 'upstream'>,
      text: string,
      options: { readonly history?: readonly Message[]; readonly by?: ChatStrategy } = {},
    ): Promise<Talk> {
      const guard = createGuard({
        conversationId: upstream.type === 'id' ? upstream.conversationId : undefined,
        chatId: undefined,
      })
      const events: RunEvent[] = []
      let error: unknown
      let bound = upstream
      const request = { ...run, upstream, text, history: options.history ?? [] }
      try {
        for await (const batch of (options.by ?? strategy).start(request, signal)) {
          for (const event of batch) {
            guard.check(event)
            events.push(event)
            bound = { type: 'id', conversationId: event.conversationId }
          }
        }
      } catch (thrown) {
        error = thrown
      }
      return { run, upstream: bound, events, answer: answerOf(events), error }
    }

    /** The next reply of the same conversation. */
    function next({ run, upstream }: Pick<Talk, 'run' | 'upstream'>, reply = 'reply-2') {
      return { run: createRun(run.session.name, reply), upstream }
    }

    it('lets a session hear its own secret again, and no other session', async () => {
      const alice = await begin(newSession('alice'))
      const bob = await begin(newSession('bob'))
      const told = await talk(alice, 'my secret is heron')
      expect(told.error).toBeUndefined()
      const [hers, his] = await Promise.all([
        talk(next(told), 'what is my secret?'),
        talk(bob, 'what is my secret?'),
      ])
      expect(hers.answer).toBe('Your secret is heron.')
      expect(his.answer).toBe('I do not know your secret.')
      expect(hers.upstream).toEqual(told.upstream)
      expect(his.upstream).not.toEqual(hers.upstream)
    })

    it("keeps two conversations of a session apart, and a conversation's generations", async () => {
      const session = newSession('alice')
      const first = await talk(await begin(session), 'my secret is heron')
      const second = await talk(await begin(session, 'conv-2'), 'what is my secret?')
      expect(second.answer).toBe('I do not know your secret.')
      const again = { ...createRun(session, 'reply-2'), generation: 1 }
      const renewed = { run: again, upstream: await strategy.open(again, signal) }
      expect((await talk(renewed, 'what is my secret?')).answer).toBe('I do not know your secret.')
      expect((await talk(next(first), 'what is my secret?')).answer).toBe('Your secret is heron.')
    })

    it('seeds a new conversation with older messages', async () => {
      const begun = await begin(newSession('alice'))
      const history = createHistory(begun.run, ['my secret is heron', 'You said so.'])
      const { answer, events } = await talk(begun, 'what is my secret?', { history })
      expect(answer).toBe('Your secret is heron.')
      expect(events.filter(({ type }) => type === 'message')).toHaveLength(1)
    })

    it('accepts first, streams, completes with usage, and names its run on every event', async () => {
      const { events, answer } = await talk(
        await begin(newSession('alice')),
        '/followups /think so\nhi',
      )
      expect(answer).toBe('You said: hi')
      const types = events.map(({ type }) => type)
      expect(types[0]).toBe('accepted')
      expect(types.filter((type) => type === 'accepted')).toHaveLength(1)
      expect(types.filter((type) => type === 'follow-up')).toHaveLength(3)
      expect(events.at(-1)).toMatchObject({
        type: 'completed',
        usage: { inputTokens: expect.any(Number), outputTokens: expect.any(Number) },
      })
      expect(events).toContainEqual(expect.objectContaining({ type: 'delta', kind: 'REASONING' }))
      const [{ chatId, conversationId } = { chatId: '', conversationId: '' }] = events
      for (const event of events) expect(event).toMatchObject({ chatId, conversationId })
    })

    it('runs as the session in every layer that the upstream sees', async () => {
      const session = newSession('alice')
      const { run, events } = await talk(await begin(session), 'hi')
      const chat = (await emulator.state()).chats.find(({ id }) => id === events[0]?.chatId)
      expect(chat).toMatchObject({
        sessionName: session,
        conversationId: events[0]?.conversationId,
      })
      expect(JSON.stringify(chat?.request)).toContain(`"user_id":"${session}"`)
      expect(JSON.stringify(chat?.request)).toContain(`"SESSION_NAME":"${session}"`)
      expect(JSON.stringify(chat?.request)).toContain(run.replyId)
    })

    it('F3: mints once and repeats once when the token is refused', async () => {
      const session = newSession('alice')
      const begun = await begin(session)
      await emulator.faults(entry.runPath, { kind: 'revokeTokens' })
      const { answer } = await talk(begun, 'hi')
      expect(answer).toBe('You said: hi')
      const { chats } = await emulator.state()
      expect(chats.filter(({ sessionName }) => sessionName === session)).toHaveLength(1)

      await emulator.repeatFaults(entry.runPath, 2, { kind: 'revokeTokens' })
      const { error } = await talk(next(begun), 'hi')
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        failure: { code: 'UPSTREAM_AUTH', retryable: false },
      })
    })

    it('F3: mints once for concurrent refusals of a session', async () => {
      const session = newSession('alice')
      const before = (await emulator.state()).assertions.length
      const begun = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => begin(session, `conv-${index}`)),
      )
      const first = await Promise.all(begun.map(async (each) => talk(each, 'hi')))
      expect((await emulator.state()).assertions).toHaveLength(before + 1)
      await emulator.revokeTokens()
      const again = await Promise.all(first.map(async (each) => talk(next(each), 'hi')))
      expect(again.map(({ answer }) => answer)).toEqual(Array(8).fill('You said: hi'))
      expect((await emulator.state()).assertions).toHaveLength(before + 2)
    })

    it.each([
      ['with a final newline', { kind: 'jsonError', code: 4011, finalNewline: true }],
      ['without one', { kind: 'jsonError', code: '4011', finalNewline: false }],
      ['with a status of its own', { kind: 'jsonError', code: 4011, status: 400 }],
    ] as const)('F8: reads a JSON error instead of a stream (%s)', async (_, fault) => {
      const begun = await begin(newSession('alice'))
      await emulator.faults(entry.runPath, fault)
      const { events, error } = await talk(begun, 'hi')
      expect(events).toEqual([])
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        upstreamCode: '4011',
        logId: expect.stringMatching(/./),
        failure: { code: 'UPSTREAM_QUOTA' },
      })
    })

    it.each([
      ['mid-event', { kind: 'cut', afterDeltas: 3, where: 'mid-event' }],
      ['between events', { kind: 'cut', afterDeltas: 3, where: 'between' }],
      ['properly, without a terminal', { kind: 'noTerminal' }],
    ] as const)('F9: keeps what came before a cut %s, and finds the rest', async (_, fault) => {
      const begun = await begin(newSession('alice'))
      await emulator.faults(entry.runPath, fault)
      const cut = await talk(begun, '/long 20')
      expect(cut.error).toMatchObject({
        outcome: 'unseen',
        failure: { code: 'UPSTREAM_TRUNCATED', retryable: true },
      })
      const whole = (await talk(await begin(newSession('bob')), '/long 20')).answer
      expect(whole.startsWith(cut.answer)).toBe(true)
      expect(cut.answer).not.toBe('')

      for (const chatId of [cut.events[0]?.chatId, undefined]) {
        const recovered = await strategy.recover({ ...cut.run, ...upstreamOf(cut), chatId }, signal)
        const events = recovered.type === 'found' ? recovered.events : []
        expect(answerOf(events)).toBe(whole)
        expect(events.at(-1)?.type).toBe('completed')
        const guard = createGuard({
          conversationId: upstreamOf(cut).upstreamConversationId,
          chatId: cut.events[0]?.chatId,
        })
        for (const event of events) guard.check(event)
      }
    })

    it('F9: finds only our run, whatever was said after it', async () => {
      const begun = await begin(newSession('alice'))
      const history = createHistory(begun.run, ['older', 'older answer'])
      await emulator.faults(entry.runPath, { kind: 'cut', afterDeltas: 1 })
      const cut = await talk(begun, '/say first words of many', { history })
      const later = await talk(next(cut), '/say second')
      expect(later.answer).toBe('second')
      const lost = { ...cut.run, ...upstreamOf(cut), chatId: undefined }
      const recovered = await strategy.recover(lost, signal)
      expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('first words of many')
      const never = { ...createRun(cut.run.session.name, 'reply-3'), ...upstreamOf(cut) }
      expect(await strategy.recover({ ...never, chatId: undefined }, signal)).toEqual({
        type: 'unknown',
      })
    })

    it.each<[string, FaultInput]>([
      ['another chat', { kind: 'foreignChat', afterDeltas: 2 }],
      ['another conversation', { kind: 'foreignConversation', afterDeltas: 2 }],
    ])('F16: tells whose event it is, so that the guard stops one of %s', async (_, fault) => {
      const begun = await begin(newSession('alice'))
      await emulator.faults(entry.runPath, fault)
      const { error, events } = await talk(begun, '/long 20')
      expect(error).toMatchObject({ failure: { code: 'ISOLATION_BREACH' } })
      expect(events.filter(({ type }) => type === 'delta')).toHaveLength(2)
    })

    it('F16: tells where it runs, so that the guard stops a run in a shared conversation', async () => {
      const first = await talk(await begin(newSession('alice')), 'hi')
      const shared = upstreamOf(first).upstreamConversationId ?? ''
      const own = next(await talk(await begin(newSession('bob')), 'hi'))
      await emulator.faults(entry.runPath, { kind: 'sharedConversation', conversationId: shared })
      const { error, events } = await talk(own, 'hi')
      expect(error).toMatchObject({ failure: { code: 'ISOLATION_BREACH' } })
      expect(events).toEqual([])
    })

    it.each(['', '0', 'absent'] as const)(
      'T14: fails a run without a conversation id (%j)',
      async (value) => {
        const begun = await begin(newSession('alice'))
        await emulator.faults(entry.runPath, { kind: 'missingConversation', value })
        const { error, events } = await talk(begun, 'hi')
        expect(error).toMatchObject({ failure: { code: 'UPSTREAM_PROTOCOL' } })
        expect(events).toEqual([])
      },
    )

    it('F17: waits its turn in a busy conversation', async () => {
      const first = await talk(await begin(newSession('alice')), 'hi')
      await emulator.faults(entry.runPath, { kind: 'gate', afterDeltas: 1 })
      const running = talk(next(first), '/say one two')
      await emulator.until({ gate: 'gate' })
      const { requests } = await emulator.state()
      const asked = requests[`POST ${entry.runPath}`] ?? 0
      const waiting = talk(next(first, 'reply-3'), '/say three')
      await emulator.until({ path: entry.runPath, requests: asked + 1 })
      await emulator.release('gate')
      expect((await running).answer).toBe('one two')
      expect((await waiting).answer).toBe('three')
    })

    it('F17: gives up on a conversation that stays busy', async () => {
      const impatient = entry.open({ ...parts, busyWaitMs: 200 })
      const first = await talk(await begin(newSession('alice')), 'hi')
      await emulator.faults(entry.runPath, { kind: 'gate', afterDeltas: 1 })
      const running = talk(next(first), '/say one two')
      await emulator.until({ gate: 'gate' })
      const { error } = await talk(next(first, 'reply-3'), 'hi', { by: impatient })
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        upstreamCode: '4016',
        failure: { code: 'CONVERSATION_BUSY', retryable: true },
      })
      await emulator.release('gate')
      expect((await running).answer).toBe('one two')
    })

    it('F18: tells a failed chat and an error event with the code of the upstream', async () => {
      for (const command of ['/fail', '/error']) {
        const begun = await begin(newSession('alice'))
        const { answer, error } = await talk(begun, `/say so far\n${command} 4013 overloaded`)
        expect(answer).toBe('so far')
        expect(error).toMatchObject({
          outcome: 'ended',
          upstreamCode: '4013',
          failure: { code: 'UPSTREAM_ERROR' },
        })
        expect(JSON.stringify(error)).not.toContain('overloaded')
      }
    })

    it('F18: tells that the upstream waits for somebody', async () => {
      const { events, error } = await talk(await begin(newSession('alice')), entry.actionRequest)
      expect(error).toBeUndefined()
      expect(events.at(-1)?.type).toBe('action-required')
    })

    it('F41: says that a stored conversation is gone, or is not ours', async () => {
      const foreign = await talk(await begin(newSession('bob')), 'my secret is heron')
      for (const upstream of [
        { type: 'id', conversationId: '7000000000000000001' },
        foreign.upstream,
      ] as const) {
        const run = createRun(newSession('alice'))
        const { error, events } = await talk({ run, upstream }, 'what is my secret?')
        expect(events).toEqual([])
        expect(error).toMatchObject({ outcome: 'not-accepted', conversationGone: true })
      }
    })

    it('tells the upstream to cancel where it can be told', async () => {
      const begun = await begin(newSession('alice'))
      await emulator.faults(entry.runPath, { kind: 'gate', afterDeltas: 1 })
      const stream = strategy.start(
        { ...begun.run, upstream: begun.upstream, text: '/long 20', history: [] },
        signal,
      )
      const batches = stream[Symbol.asyncIterator]()
      const { value } = await batches.next()
      const [{ chatId, conversationId }] = value as readonly [RunEvent]
      await emulator.until({ gate: 'gate' })
      const run = { ...begun.run, upstreamConversationId: conversationId, chatId }
      expect(await strategy.cancel(run, signal)).toBe(entry.cancels)
      const { chats } = await emulator.state()
      expect(chats.find(({ id }) => id === chatId)?.status).toBe(
        entry.cancels ? 'canceled' : 'in_progress',
      )
      if (entry.cancels) {
        const recovered = await strategy.recover(run, signal)
        expect(recovered.type === 'found' && recovered.events.at(-1)?.type).toBe('cancelled')
        // The second time there is nothing left to cancel.
        expect(await strategy.cancel(run, signal)).toBe(false)
      }
      await batches.return?.()
    })

    it('ends with the reason of the signal, at once', async () => {
      const begun = await begin(newSession('alice'))
      await emulator.faults(entry.runPath, { kind: 'gate', afterDeltas: 1 })
      const stop = new AbortController()
      const reason = new Error('stopped')
      const reading = (async () => {
        const request = { ...begun.run, upstream: begun.upstream, text: '/long 20', history: [] }
        for await (const _ of strategy.start(request, stop.signal)) void 0
      })()
      const outcome = expect(reading).rejects.toBe(reason)
      await emulator.until({ gate: 'gate' })
      stop.abort(reason)
      await within(outcome, 'the stream ends')
    })
  })
}

function upstreamOf({ upstream }: Pick<Talk, 'upstream'>) {
  return {
    upstreamConversationId: upstream.type === 'id' ? upstream.conversationId : undefined,
  }
}
