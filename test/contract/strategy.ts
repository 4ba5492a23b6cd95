import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../../src/strategy/strategy.ts'
import { plain } from '../kit/fakes/plain.ts'
import { createHistory, createRun } from '../kit/fakes/runs.ts'
import { within } from '../kit/process/until.ts'
import { testStrategyFaults } from './strategy-faults.ts'
import { type StrategyEntry, openStrategySystem } from './strategy-system.ts'

/** The promises of a `ChatStrategy`, kept against an emulator in its own process. */
export function strategyContract(name: string, entry: StrategyEntry): void {
  describe(`strategy: ${name}`, () => {
    const system = openStrategySystem(entry)
    const { signal, newSession, begin, talk, next } = system

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
      const renewed = { run: again, upstream: await system.strategy.open(again, signal) }
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
      const thoughts = events.filter(
        (event) => event.type === 'delta' && event.kind === 'REASONING',
      )
      expect(thoughts.length > 0).toBe(entry.tellsThoughts)
      const [{ chatId, conversationId } = { chatId: '', conversationId: '' }] = events
      for (const event of events) expect(event).toMatchObject({ chatId, conversationId })
    })

    it('runs as the session in every layer that the upstream sees', async () => {
      const session = newSession('alice')
      const { run, events } = await talk(await begin(session), 'hi')
      const chat = (await system.emulator.state()).chats.find(({ id }) => id === events[0]?.chatId)
      expect(chat).toMatchObject({
        ...(entry.platform === 'cloud' && { sessionName: session }),
        conversationId: events[0]?.conversationId,
      })
      expect(JSON.stringify(chat?.request)).toContain(`"user_id":"${session}"`)
      expect(JSON.stringify(chat?.request)).toContain(`"SESSION_NAME":"${session}"`)
      expect(JSON.stringify(chat?.request)).toContain(run.replyId)
    })

    it("carries a message's parameters and metadata beside our own, and tells the log id", async () => {
      const session = newSession('alice')
      const extras = { parameters: { LANGUAGE: 'de' }, metadata: { team: 'blue' } }
      const { run, events } = await talk(await begin(session), 'hi', {
        carries: { extras },
      })
      expect(events[0]).toMatchObject({
        type: 'accepted',
        logId: expect.stringMatching(/./),
        retries: 0,
      })
      const chat = (await system.emulator.state()).chats.find(({ id }) => id === events[0]?.chatId)
      const request = JSON.stringify(chat?.request)
      expect(request).toContain('"LANGUAGE":"de"')
      expect(request).toContain(`"SESSION_NAME":"${session}"`)
      expect(request).toContain(`"team":"blue","reply_id":"${run.replyId}"`)
    })

    it('says what keys each of its layers', () => {
      const { layers } = system.strategy
      const named = layers.map(({ layer }) => layer)
      expect(named).toEqual(['identity', 'conversation', 'variables', 'knowledge'])
      for (const { layer, keyedBy } of layers) {
        const isShared = layer === 'identity' && entry.platform === 'studio'
        expect(keyedBy.includes('nothing')).toBe(isShared)
      }
    })

    it('tells the upstream to cancel where it can be told', async () => {
      const begun = await begin(newSession('alice'))
      await system.emulator.faults(entry.runPath, { kind: 'pause', afterDeltas: 1 })
      const first = Promise.withResolvers<RunEvent>()
      const left = new AbortController()
      const streaming = system.strategy.start(
        { ...begun.run, upstream: begun.upstream, text: '/long 20', history: [], ...plain },
        ([event]) => {
          if (event !== undefined) first.resolve(event)
          return undefined
        },
        left.signal,
      )
      streaming.catch(first.reject)
      const { chatId, conversationId } = await first.promise
      await system.emulator.until({ held: 'pause' })
      const run = { ...begun.run, upstreamConversationId: conversationId, chatId }
      expect(await system.strategy.cancel(run, signal)).toBe(entry.cancels ? 'agreed' : 'refused')
      const { chats } = await system.emulator.state()
      expect(chats.find(({ id }) => id === chatId)?.status).toBe(
        entry.cancels ? 'canceled' : 'in_progress',
      )
      if (entry.cancels) {
        const recovered = await system.strategy.recover(
          { ...run, shown: '', isFinished: false },
          signal,
        )
        expect(recovered.type === 'found' && recovered.events.at(-1)?.type).toBe('cancelled')
        // The second time there is nothing left to cancel.
        expect(await system.strategy.cancel(run, signal)).toBe('refused')
      }
      left.abort(new Error('left'))
      await streaming.catch(() => undefined)
    })

    it('ends with the reason of the signal, at once', async () => {
      const begun = await begin(newSession('alice'))
      await system.emulator.faults(entry.runPath, { kind: 'pause', afterDeltas: 1 })
      const stop = new AbortController()
      const reason = new Error('stopped')
      const reading = (async () => {
        const request = {
          ...begun.run,
          upstream: begun.upstream,
          text: '/long 20',
          history: [],
          ...plain,
        }
        await system.strategy.start(request, () => undefined, stop.signal)
      })()
      const outcome = expect(reading).rejects.toBe(reason)
      await system.emulator.until({ held: 'pause' })
      stop.abort(reason)
      await within(outcome, 'the stream ends')
    })

    testStrategyFaults(system, entry)
  })
}
