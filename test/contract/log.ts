import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delta, Position, ReplyEvent } from '../../src/domain.ts'
import type { Claim } from '../../src/store/ledger.ts'
import { LostReplyError, maxDeltaLength } from '../../src/store/log.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import {
  acceptReply,
  answerOf,
  beginning,
  cancelled,
  completed,
  finish,
  newReplyId,
  openSession,
  readAll,
  runReply,
  textsOf,
} from '../kit/stored-replies.ts'
import { logModel, readerSteps } from '../kit/log-model.ts'
import { listenFor } from '../kit/wake.ts'

/** Waits where the log asks to, as a runner does. */
async function append(
  { log }: ReplyStore,
  claim: Claim,
  ...deltas: readonly Delta[]
): Promise<void> {
  await log.append(claim.session.id, claim.reply.id, claim.fence, deltas)
}

const answer = (offset: number, text: string): Delta => ({ kind: 'ANSWER', offset, text })
const reasoning = (offset: number, text: string): Delta => ({ kind: 'REASONING', offset, text })

/** Appends a text word by word; answers the whole. */
async function speak(store: ReplyStore, claim: Claim, words: readonly string[]): Promise<string> {
  let text = ''
  for (const word of words) {
    await append(store, claim, answer(text.length, word))
    text += word
  }
  return text
}

const words = (count: number) => Array.from({ length: count }, (_, index) => `word${index} `)

function expectRising(events: readonly Position[]): void {
  for (const [index, event] of events.entries()) {
    const before = events[index - 1]
    if (before === undefined) continue
    const rises =
      event.epoch > before.epoch || (event.epoch === before.epoch && event.seq > before.seq)
    expect(rises, `position ${index} rises`).toBe(true)
  }
}

/** What every engine's log promises. */
export function logContract(name: string, open: () => Promise<ReplyStore>): void {
  describe(`${name}: log`, () => {
    it('gives the events of a reply in order, from its start to its one end', async () => {
      await using store = await open()
      const claim = await runReply(store, await openSession(store.ledger))
      await append(store, claim, reasoning(0, 'hm'))
      await append(store, claim, answer(0, 'Hello'), answer(5, ' you'))
      await finish(store.ledger, claim, completed('Hello you'))
      const events = await readAll(store.log, claim.session)
      expect(events.map(({ type }) => type)).toEqual(['started', 'delta', 'delta', 'completed'])
      expectRising(events)
      expect(textsOf(events)).toEqual(
        new Map([
          [`${claim.reply.id} REASONING`, 'hm'],
          [`${claim.reply.id} ANSWER`, 'Hello you'],
        ]),
      )
      const { id, conversationId } = claim.reply
      for (const event of events) expect(event).toMatchObject({ replyId: id, conversationId })
    })

    it('shows a delta as soon as it is appended', async () => {
      await using store = await open()
      const claim = await runReply(store, await openSession(store.ledger))
      const before = await store.log.end(claim.session.id)
      void store.log.append(claim.session.id, claim.reply.id, claim.fence, [answer(0, 'now')])
      const events = await store.log.read(claim.session.id, before, {}, 100)
      expect(events).toMatchObject([{ type: 'delta', offset: 0, text: 'now' }])
    })

    it('gives a position to one content only, however often it is read', async () => {
      await using store = await open()
      const claim = await runReply(store, await openSession(store.ledger))
      await append(store, claim, answer(0, 'a'))
      const [, first] = await readAll(store.log, claim.session)
      await append(store, claim, answer(1, 'b'))
      expect(await readAll(store.log, claim.session, first)).toMatchObject([
        { offset: 1, text: 'b' },
      ])
    })

    describe('filters', () => {
      it('lets through one reply, or one conversation, inside the session', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const second = await runReply(store, session)
        await append(store, first, answer(0, 'first'))
        await append(store, second, answer(0, 'second'))
        const of = (claim: Claim) => [
          { replyId: claim.reply.id },
          { conversationId: claim.reply.conversationId },
        ]
        for (const claim of [first, second]) {
          for (const filter of of(claim)) {
            const events = await readAll(store.log, session, beginning, filter)
            expect(events.map(({ replyId }) => replyId)).toEqual([claim.reply.id, claim.reply.id])
          }
        }
        const filter = { replyId: first.reply.id, conversationId: second.reply.conversationId }
        expect(await readAll(store.log, session, beginning, filter)).toEqual([])
      })

      it('T1: gives nothing by the ids of another session', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        await append(store, claim, answer(0, 'secret'))
        await finish(store.ledger, claim, completed('secret'))
        const stranger = await openSession(store.ledger)
        const { id, conversationId } = claim.reply
        expect(await readAll(store.log, claim.session, beginning, { replyId: id })).toHaveLength(3)
        expect(await readAll(store.log, stranger, beginning, { replyId: id })).toEqual([])
        expect(await readAll(store.log, stranger, beginning, { conversationId })).toEqual([])
        expect(await readAll(store.log, stranger)).toEqual([])
        expect(await store.log.start(stranger.id, id)).toBeUndefined()
      })
    })

    describe('merging', () => {
      it('merges neighbouring deltas of one reply and kind under the last position', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const start = await store.log.end(claim.session.id)
        await append(
          store,
          claim,
          reasoning(0, 'a'),
          reasoning(1, 'b'),
          answer(0, 'c'),
          answer(1, 'd'),
          answer(1, 'e'),
        )
        const events = await readAll(store.log, claim.session, start)
        expect(events).toMatchObject([
          { kind: 'REASONING', offset: 0, text: 'ab' },
          { kind: 'ANSWER', offset: 0, text: 'ce' },
        ])
        expect(events.at(-1)).toMatchObject(await store.log.end(claim.session.id))
      })

      it('never merges across an event that the filter lets through', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const second = await runReply(store, session)
        const start = await store.log.end(session.id)
        await append(store, first, answer(0, 'a'))
        await append(store, second, answer(0, 'x'))
        await append(store, first, answer(1, 'b'))
        const texts = (events: readonly ReplyEvent[]) =>
          events.map((event) => event.type === 'delta' && event.text)
        expect(texts(await readAll(store.log, session, start))).toEqual(['a', 'x', 'b'])
        const filter = { replyId: first.reply.id }
        expect(texts(await readAll(store.log, session, start, filter))).toEqual(['ab'])
      })

      it('hands out pieces of bounded length that end in no surrogate pair', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const text = `x${'😀'.repeat(maxDeltaLength)}`
        await append(store, claim, answer(0, text))
        for (const isEnded of [false, true]) {
          if (isEnded) await finish(store.ledger, claim, completed(text))
          const events = await readAll(store.log, claim.session)
          for (const event of events) {
            if (event.type !== 'delta') continue
            expect(event.text.length).toBeLessThanOrEqual(maxDeltaLength)
            expect(event.text.isWellFormed()).toBe(true)
          }
          expect(answerOf(events, claim) === text).toBe(true)
        }
      })

      it('gives at least one event, and beyond it no more text than asked for', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const text = await speak(store, claim, words(200))
        for (const isEnded of [false, true]) {
          if (isEnded) await finish(store.ledger, claim, completed(text))
          for (const maxLength of [1, 50, 1000]) {
            const events = await readAll(store.log, claim.session, beginning, {}, maxLength)
            expect(answerOf(events, claim)).toBe(text)
            expectRising(events)
          }
          const batch = await store.log.read(claim.session.id, beginning, {}, 50)
          if (batch === 'trimmed') throw new Error('unexpectedly trimmed')
          const lengths = batch
            .slice(1)
            .map((event) => (event.type === 'delta' ? event.text.length : 0))
          expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(50)
        }
      })
    })

    describe('listening', () => {
      it('wakes for a delta and for the end, which can then be read', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        let position = await store.log.end(claim.session.id)
        using wake = listenFor(store.log, claim.session.id)
        const next = async () => {
          for (;;) {
            const events = await store.log.read(claim.session.id, position, {}, 100)
            const last = events === 'trimmed' ? undefined : events.at(-1)
            if (last !== undefined) {
              position = last
              return last.type
            }
            await wake.next()
          }
        }
        const seen = next()
        void append(store, claim, answer(0, 'a'))
        expect(await seen).toBe('delta')
        const end = next()
        void finish(store.ledger, claim, completed('a'))
        expect(await end).toBe('completed')
      })

      it('remembers what came between arming and waiting', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        using wake = listenFor(store.log, claim.session.id)
        await append(store, claim, answer(0, 'a'))
        await expect(wake.next()).resolves.toBeUndefined()
      })

      it('does not wake for another session', async () => {
        await using store = await open()
        const mine = await runReply(store, await openSession(store.ledger))
        const theirs = await runReply(store, await openSession(store.ledger))
        using wake = listenFor(store.log, mine.session.id)
        let woken = false
        const waiting = wake.next().then(() => (woken = true))
        await append(store, theirs, answer(0, 'a'))
        await finish(store.ledger, theirs, completed('a'))
        expect(woken).toBe(false)
        await append(store, mine, answer(0, 'a'))
        expect(await waiting).toBe(true)
      })

      it('does not wake who has left', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        let wakes = 0
        const left = store.log.listen(claim.session.id, () => (wakes += 1))
        await append(store, claim, answer(0, 'a'))
        expect(wakes).toBeGreaterThan(0)
        left[Symbol.dispose]()
        const before = wakes
        await append(store, claim, answer(1, 'b'))
        await finish(store.ledger, claim, completed('ab'))
        expect(wakes).toBe(before)
      })
    })

    describe('writing', () => {
      it('takes nothing under a stale or foreign fence, or after the end', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        const write = (changes: Partial<Claim>) => () =>
          append(store, { ...claim, ...changes }, answer(0, 'x'))
        await expect(write({ fence: claim.fence - 1 })()).rejects.toBeInstanceOf(LostReplyError)
        const stranger = await openSession(store.ledger)
        await expect(write({ session: stranger })()).rejects.toBeInstanceOf(LostReplyError)
        await expect(
          write({ reply: { ...claim.reply, id: newReplyId() } })(),
        ).rejects.toBeInstanceOf(LostReplyError)
        await finish(store.ledger, claim, cancelled, { fence: undefined })
        await expect(write({})()).rejects.toBeInstanceOf(LostReplyError)
        const events = await readAll(store.log, session)
        expect(events.map(({ type }) => type)).toEqual(['started', 'cancelled'])
      })

      it('never shows an event before one that is shown later, while replies of the session begin and end', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const seen: ReplyEvent[] = []
        const follow = async () => {
          using wake = listenFor(store.log, session.id)
          let position = beginning
          for (let ends = 0; ends < 4;) {
            const events = await store.log.read(session.id, position, {}, 100)
            if (events === 'trimmed') throw new Error('unexpectedly trimmed')
            seen.push(...events)
            ends += events.filter(({ type }) => type === 'completed').length
            position = events.at(-1) ?? position
            if (events.length === 0) await wake.next()
          }
        }
        const following = follow()
        const talk = async () => {
          const claim = await runReply(store, session)
          let text = ''
          for (let index = 0; index < 30; index += 1) {
            await append(store, claim, answer(text.length, `${index} `))
            text += `${index} `
          }
          await finish(store.ledger, claim, completed(text))
          return [claim, text] as const
        }
        const replies = await Promise.all([talk(), talk(), talk(), talk()])
        await following
        expectRising(seen)
        for (const [claim, text] of replies) expect(answerOf(seen, claim)).toBe(text)
        expect(seen.filter(({ type }) => type === 'completed')).toHaveLength(4)
        expect(seen.filter(({ type }) => type === 'started')).toHaveLength(4)
      })
    })

    describe('positions', () => {
      it('starts a reader just before the first event of a reply, wherever that comes to be', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const earlier = await runReply(store, session)
        await append(store, earlier, answer(0, 'a'))
        const waiting = await acceptReply(store.ledger, session, {
          conversationId: earlier.reply.conversationId,
        })
        const early = await store.log.start(session.id, waiting.id)
        await finish(store.ledger, earlier, completed('a'))
        const claim = await store.ledger.claim(session, waiting.conversationId, 2)
        if (claim === undefined) throw new Error('expected a claim')
        await store.ledger.recordIntent(session, waiting.id, claim.fence, {
          contextReset: false,
          at: 3,
        })
        await append(store, claim, answer(0, 'b'))
        await finish(store.ledger, claim, completed('b'))
        const late = await store.log.start(session.id, waiting.id)
        for (const start of [early, late]) {
          if (start === undefined || start === 'trimmed') throw new Error('expected a position')
          const events = await readAll(store.log, session, start, { replyId: waiting.id })
          expect(events.map(({ type }) => type)).toEqual(['started', 'delta', 'completed'])
        }
        if (late === undefined || late === 'trimmed') throw new Error('expected a position')
        expect((await readAll(store.log, session, late))[0]).toMatchObject({
          type: 'started',
          replyId: waiting.id,
        })
        expect(await store.log.start(session.id, newReplyId())).toBeUndefined()
      })

      it('tells positions that can be read from those beyond the end', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        await append(store, claim, answer(0, 'a'))
        const { id } = claim.session
        const end = await store.log.end(id)
        expect(await store.log.check(id, end)).toBe('ok')
        expect(await store.log.check(id, beginning)).toBe('ok')
        expect(await store.log.check(id, { ...end, seq: end.seq + 1 })).toBe('beyond')
        expect(await store.log.check(id, { epoch: end.epoch + 1, seq: 0 })).toBe('beyond')
        expect(
          await store.log.check(id, {
            epoch: Number.MAX_SAFE_INTEGER,
            seq: Number.MAX_SAFE_INTEGER,
          }),
        ).toBe('beyond')
      })

      it('begins what comes now at the end, for a session without events as well', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const end = await store.log.end(session.id)
        expect(await store.log.check(session.id, end)).toBe('ok')
        expect(await readAll(store.log, session, end)).toEqual([])
        const claim = await runReply(store, session)
        expect(await readAll(store.log, session, end)).toMatchObject([
          { type: 'started', replyId: claim.reply.id },
        ])
      })
    })

    describe('compaction', () => {
      it('takes a reader from any position of a reply to the same text after its end, corrections included', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        const long = 'long '.repeat(1500)
        const deltas = [
          answer(0, 'Hello'),
          answer(5, long),
          answer(5, ' world'),
          answer(11, ', this is wrong'),
          answer(11, ''),
          answer(11, long),
          answer(11 + long.length, long),
          answer(100, 'the end'),
        ]
        const states: { position: Position; text: string }[] = []
        let text = ''
        for (const delta of deltas) {
          await append(store, claim, delta)
          text = text.slice(0, delta.offset) + delta.text
          states.push({ position: await store.log.end(session.id), text })
        }
        await finish(store.ledger, claim, completed(text))
        for (const state of states) {
          const events = await readAll(store.log, session, state.position)
          const texts = textsOf(events, new Map([[`${claim.reply.id} ANSWER`, state.text]]))
          expect(texts.get(`${claim.reply.id} ANSWER`) === text).toBe(true)
          expect(events.at(-1)?.type).toBe('completed')
        }
      })

      it('keeps what a long reply said, while it runs and afterwards', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        const text = await speak(store, claim, words(3000))
        expect(answerOf(await readAll(store.log, session), claim)).toBe(text)
        await finish(store.ledger, claim, completed(text))
        expect(answerOf(await readAll(store.log, session), claim)).toBe(text)
      })
    })

    describe('trimming', () => {
      async function ended(store: ReplyStore, claim: Claim, at: number): Promise<void> {
        await append(store, claim, answer(0, 'text'))
        await finish(store.ledger, claim, completed('text'), { at })
      }

      it('ends the events of old replies, keeps the newer ones, and says so to older cursors', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const old = await runReply(store, session)
        const start = await store.log.end(session.id)
        await ended(store, old, 100)
        const between = await store.log.end(session.id)
        const kept = await runReply(store, session)
        await ended(store, kept, 200)
        expect(await store.log.trim(150)).toBe(1)
        expect(await store.log.trim(150)).toBe(0)
        expect(await store.log.check(session.id, start)).toBe('trimmed')
        expect(await store.log.read(session.id, start, {}, 100)).toBe('trimmed')
        expect(await store.log.read(session.id, beginning, { replyId: old.reply.id }, 100)).toBe(
          'trimmed',
        )
        expect(await store.log.start(session.id, old.reply.id)).toBe('trimmed')
        expect(await store.log.check(session.id, between)).toBe('ok')
        const events = await readAll(store.log, session, between)
        expect(events.map(({ replyId }) => replyId)).toEqual([
          kept.reply.id,
          kept.reply.id,
          kept.reply.id,
        ])
        const [reply] = await store.ledger.session(session).replies([old.reply.id])
        expect(reply?.text).toBe('text')
      })

      it('does not end the subscription of a reader that has lost nothing', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const mine = await runReply(store, session)
        const other = await runReply(store, session)
        await append(store, mine, answer(0, 'text'))
        const filter = { conversationId: mine.reply.conversationId }
        await finish(store.ledger, mine, completed('text'), { at: 100 })
        const position = (await readAll(store.log, session, beginning, filter)).at(-1)
        await ended(store, other, 100)
        expect(await store.log.trim(150)).toBe(2)
        expect(await store.log.read(session.id, position ?? beginning, filter, 100)).toEqual([])
        expect(await store.log.read(session.id, beginning, filter, 100)).toBe('trimmed')
      })

      it('never takes the events of a reply that runs, nor what comes after its first', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const running = await runReply(store, session)
        await append(store, running, answer(0, 'a'))
        await ended(store, await runReply(store, session), 100)
        expect(await store.log.trim(150)).toBe(0)
        expect(await readAll(store.log, session)).toHaveLength(5)
        await finish(store.ledger, running, completed('a'), { at: 110 })
        expect(await store.log.trim(150)).toBe(2)
        const end = await store.log.end(session.id)
        expect(await store.log.check(session.id, end)).toBe('ok')
        expect(await readAll(store.log, session, end)).toEqual([])
      })

      it('is told apart by session', async () => {
        await using store = await open()
        const [old, young] = [await openSession(store.ledger), await openSession(store.ledger)]
        await ended(store, await runReply(store, old), 100)
        await ended(store, await runReply(store, young), 200)
        await store.log.trim(150)
        expect(await store.log.read(old.id, beginning, {}, 100)).toBe('trimmed')
        expect(await readAll(store.log, young)).toHaveLength(3)
      })
    })

    it('leaves every reader, after any steps, with the state that the log tells', async () => {
      await using store = await open()
      await fc.assert(
        fc.asyncProperty(fc.array(readerSteps, { minLength: 1, maxLength: 80 }), async (steps) => {
          const model = await logModel(store)
          for (const step of steps) await model.take(step)
          await model.conclude()
        }),
        { numRuns: 60 },
      )
    })

    it('keeps apart what many sessions append at once', async () => {
      await using store = await open()
      const claims = await Promise.all(
        Array.from({ length: 30 }, async () => runReply(store, await openSession(store.ledger))),
      )
      const texts = claims.map(() => '')
      for (let round = 0; round < 50; round += 1) {
        for (const [index, claim] of claims.entries()) {
          const word = `${index}.${round} `
          await append(store, claim, answer(texts[index]?.length ?? 0, word))
          texts[index] += word
        }
      }
      await Promise.all(
        claims.map((claim, index) => finish(store.ledger, claim, completed(texts[index] ?? ''))),
      )
      for (const [index, claim] of claims.entries()) {
        const events = await readAll(store.log, claim.session)
        expect(answerOf(events, claim)).toBe(texts[index])
        expect(events.every(({ replyId }) => replyId === claim.reply.id)).toBe(true)
      }
    })
  })
}
