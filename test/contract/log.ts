import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delta, EventPlace, Position, ReplyEvent } from '../../src/domain.ts'
import type { RunLease } from '../../src/store/run-lease.ts'
import { LostReplyError, maxDeltaLength, type LogItem } from '../../src/store/log.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import {
  acceptReply,
  answerOf,
  beginning,
  cancelled,
  claimReply,
  completed,
  endByOther,
  finish,
  newReplyId,
  openSession,
  readAll,
  readItems,
  runReply,
  textsOf,
} from '../kit/fakes/stored-replies.ts'
import { logModel, logSteps, type Mortal } from '../kit/history/log-model.ts'
import { listenFor } from '../kit/fakes/wake.ts'

/** Waits where the log asks to, as a runner does. */
async function append(lease: RunLease, ...deltas: readonly Delta[]): Promise<void> {
  await lease.append(deltas)
}

const answer = (offset: number, text: string): Delta => ({ kind: 'ANSWER', offset, text })
const reasoning = (offset: number, text: string): Delta => ({ kind: 'REASONING', offset, text })

/** Appends a text word by word; answers the whole. */
async function speak(lease: RunLease, words: readonly string[]): Promise<string> {
  let text = ''
  for (const word of words) {
    await append(lease, answer(text.length, word))
    text += word
  }
  return text
}

const words = (count: number) => Array.from({ length: count }, (_, index) => `word${index} `)

/** Events come in order, and deltas between those that they belong between. */
function expectInOrder(items: readonly LogItem[]): void {
  let before = beginning
  for (const { event, position } of items) {
    if (event.type === 'delta') expect(position).toMatchObject(placeOf(before))
    else {
      expect(position.seq).toBeGreaterThan(before.seq)
      expect(position).toMatchObject(placeOf(event))
      const isRunning = event.type === 'started' || event.type === 'action-required'
      // Who has read the end of a reply needs no place in its text.
      const inText = position.texts.map(({ replyId }) => replyId)
      if (!isRunning) expect(inText).not.toContain(event.replyId)
    }
    before = position
  }
}

const placeOf = ({ seq, check }: EventPlace) => ({ seq, check })
const eventsOf = (items: readonly LogItem[]) => items.map(({ event }) => event)
/** A position as it comes back from a client. */
const fromCursor = ({ seq, check, texts }: Position): Position =>
  structuredClone({ seq, check, texts })

async function read(
  { log }: ReplyStore,
  { session }: RunLease,
  after: Position,
  maxLength = 100_000,
): Promise<readonly LogItem[]> {
  const items = await log.read(session.id, after, {}, maxLength)
  if (items === 'expired') throw new Error('the position is expired')
  return items
}

/** Lets anything happen, and compares what readers were told with what was written. */
export async function tryAnySteps(open: () => Promise<Mortal>, numRuns: number): Promise<void> {
  const steps = fc.array(logSteps, { minLength: 1, maxLength: 120 })
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      await using mortal = await open()
      const model = await logModel(mortal)
      for (const step of taken) await model.take(step)
      await model.conclude()
    }),
    { numRuns },
  )
}

/** What every engine's log promises. */
export function logContract(
  name: string,
  open: () => Promise<ReplyStore>,
  openMortal?: () => Promise<Mortal>,
): void {
  describe(`${name}: log`, () => {
    it('gives the events of a reply in order, from its start to its one end', async () => {
      await using store = await open()
      const lease = await runReply(store, await openSession(store.ledger))
      await append(lease, reasoning(0, 'hm'))
      await append(lease, answer(0, 'Hello'), answer(5, ' you'))
      await finish(lease, completed('Hello you'))
      const items = await readItems(store.log, lease.session)
      const events = eventsOf(items)
      expect(events.map(({ type }) => type)).toEqual(['started', 'delta', 'delta', 'completed'])
      expectInOrder(items)
      expect(textsOf(events)).toEqual(
        new Map([
          [`${lease.reply.id} REASONING`, 'hm'],
          [`${lease.reply.id} ANSWER`, 'Hello you'],
        ]),
      )
      const { id, conversationId } = lease.reply
      for (const event of events) expect(event).toMatchObject({ replyId: id, conversationId })
    })

    it('shows a delta in the turn in which it is appended, to a reader at the end', async () => {
      await using store = await open()
      const lease = await runReply(store, await openSession(store.ledger))
      const before = await store.log.end(lease.session.id)
      void lease.append([answer(0, 'now')])
      const items = store.log.read(lease.session.id, before, {}, 100)
      expect(items).toMatchObject([{ event: { type: 'delta', offset: 0, text: 'now' } }])
      expect([lease.answer, lease.reasoning]).toEqual(['now', ''])
    })

    it('gives a position to one content only, however often it is read', async () => {
      await using store = await open()
      const lease = await runReply(store, await openSession(store.ledger))
      await append(lease, answer(0, 'a'))
      const [, first] = await readItems(store.log, lease.session)
      await append(lease, answer(1, 'b'))
      for (const position of [first?.position, first && fromCursor(first.position)]) {
        expect(await readAll(store.log, lease.session, position)).toMatchObject([
          { offset: 1, text: 'b' },
        ])
      }
    })

    it('hands readers at one position the same objects, whatever they filter by', async () => {
      await using store = await open()
      const lease = await runReply(store, await openSession(store.ledger))
      const { session, reply } = lease
      const { log } = store
      let positions = await Promise.all(Array.from({ length: 20 }, () => log.end(session.id)))
      for (const word of ['one ', 'two ', 'three']) {
        await append(lease, answer(lease.answer.length, word))
        const items: (readonly LogItem[])[] = []
        for (const [index, position] of positions.entries()) {
          const filter = index % 2 === 0 ? {} : { replyId: reply.id }
          const found = await log.read(session.id, position, filter, 100)
          items.push(found === 'expired' ? [] : found)
        }
        const [first] = items
        expect(first).toHaveLength(1)
        for (const [item] of items) {
          expect(item?.event).toBe(first?.[0]?.event)
          expect(item?.position).toBe(first?.[0]?.position)
        }
        positions = items.map(([item]) => item?.position ?? beginning)
      }
    })

    it('keeps a position of one running reply short', async () => {
      await using store = await open()
      const lease = await runReply(store, await openSession(store.ledger))
      await append(lease, reasoning(0, 'x'.repeat(9_999)), answer(0, 'x'.repeat(99_999)))
      await append(lease, answer(50_000, 'corrected'))
      const { texts } = await store.log.end(lease.session.id)
      expect(texts).toHaveLength(1)
      expect(JSON.stringify(texts[0]?.revision).length).toBeLessThan(12)
      await finish(lease, completed(lease.answer))
      expect((await store.log.end(lease.session.id)).texts).toEqual([])
    })

    describe('filters', () => {
      it('lets through one reply, or one conversation, inside the session', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const second = await runReply(store, session)
        await append(first, answer(0, 'first'))
        await append(second, answer(0, 'second'))
        const of = (lease: RunLease) => [
          { replyId: lease.reply.id },
          { conversationId: lease.reply.conversationId },
        ]
        for (const lease of [first, second]) {
          for (const filter of of(lease)) {
            const events = await readAll(store.log, session, beginning, filter)
            expect(events.map(({ replyId }) => replyId)).toEqual([lease.reply.id, lease.reply.id])
          }
        }
        const filter = { replyId: first.reply.id, conversationId: second.reply.conversationId }
        expect(await readAll(store.log, session, beginning, filter)).toEqual([])
      })

      it('T1: gives nothing by the ids of another session', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'secret'))
        await finish(lease, completed('secret'))
        const stranger = await openSession(store.ledger)
        const { id, conversationId } = lease.reply
        expect(await readAll(store.log, lease.session, beginning, { replyId: id })).toHaveLength(3)
        expect(await readAll(store.log, stranger, beginning, { replyId: id })).toEqual([])
        expect(await readAll(store.log, stranger, beginning, { conversationId })).toEqual([])
        expect(await readAll(store.log, stranger)).toEqual([])
        expect(await store.log.start(stranger.id, id)).toBeUndefined()
      })
    })

    describe('merging', () => {
      it('gives a reader that lags what is new as one delta of each kind, reasoning first', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        const start = await store.log.end(lease.session.id)
        await append(lease, answer(0, 'c'), reasoning(0, 'a'), reasoning(1, 'b'))
        await append(lease, answer(1, 'd'), answer(1, 'e'))
        const items = await readItems(store.log, lease.session, start)
        expect(eventsOf(items)).toMatchObject([
          { kind: 'REASONING', offset: 0, text: 'ab' },
          { kind: 'ANSWER', offset: 0, text: 'ce' },
        ])
        expect(items.at(-1)?.position).toEqual(await store.log.end(lease.session.id))
      })

      it('gives each of several running replies in turn, and to a filtered reader its own', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const second = await runReply(store, session)
        const start = await store.log.end(session.id)
        await append(first, answer(0, 'a'))
        await append(second, answer(0, 'x'))
        await append(first, answer(1, 'b'))
        const texts = (events: readonly ReplyEvent[]) =>
          events.map((event) => event.type === 'delta' && event.text)
        expect(texts(await readAll(store.log, session, start))).toEqual(['ab', 'x'])
        const filter = { replyId: first.reply.id }
        expect(texts(await readAll(store.log, session, start, filter))).toEqual(['ab'])
      })

      it('hands out pieces of bounded length that end in no surrogate pair', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        const text = `x${'😀'.repeat(maxDeltaLength)}`
        await append(lease, answer(0, text))
        for (const isEnded of [false, true]) {
          if (isEnded) await finish(lease, completed(text))
          for (const maxLength of [4, 100_000]) {
            const events = await readAll(store.log, lease.session, beginning, {}, maxLength)
            for (const event of events) {
              if (event.type !== 'delta') continue
              expect(event.text.length).toBeLessThanOrEqual(maxDeltaLength)
              expect(event.text.isWellFormed()).toBe(true)
            }
            expect(answerOf(events, lease) === text).toBe(true)
          }
        }
      })

      it('keeps back half of a character until its other half has come, and no longer than the reply', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        const [high = '', low = ''] = '😀'.split('')
        const start = await store.log.end(lease.session.id)
        await append(lease, answer(0, `a${high}`))
        const [item] = await read(store, lease, start)
        expect(item?.event).toMatchObject({ offset: 0, text: 'a' })
        expect(await read(store, lease, item?.position ?? beginning)).toEqual([])
        await append(lease, answer(2, low))
        const [rest] = await read(store, lease, item?.position ?? beginning)
        expect(rest?.event).toMatchObject({ offset: 1, text: '😀' })
        await finish(lease, completed('a😀'))
        expect(answerOf(await readAll(store.log, lease.session), lease)).toBe('a😀')
      })

      it('gives at least one event, and beyond it no more text than asked for', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        const text = await speak(lease, words(2_500))
        for (const isEnded of [false, true]) {
          if (isEnded) await finish(lease, completed(text))
          for (const maxLength of [1, 9_000, 100_000]) {
            const items = await readItems(store.log, lease.session, beginning, {}, maxLength)
            expect(answerOf(eventsOf(items), lease)).toBe(text)
            expectInOrder(items)
          }
          for (const { position } of await readItems(store.log, lease.session)) {
            const [, ...more] = eventsOf(await read(store, lease, position, 9_000))
            const lengths = more.map((event) => ('text' in event ? event.text.length : 0))
            expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(9_000)
          }
        }
      })
    })

    describe('listening', () => {
      it('wakes for a delta and for the end, which can then be read', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        let position = await store.log.end(lease.session.id)
        using wake = listenFor(store.log, lease.session.id)
        const next = async () => {
          for (;;) {
            const last = (await read(store, lease, position)).at(-1)
            if (last !== undefined) {
              position = last.position
              return last.event.type
            }
            await wake.next()
          }
        }
        const seen = next()
        void append(lease, answer(0, 'a'))
        expect(await seen).toBe('delta')
        const end = next()
        void finish(lease, completed('a'))
        expect(await end).toBe('completed')
      })

      it('remembers what came between arming and waiting', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        using wake = listenFor(store.log, lease.session.id)
        await append(lease, answer(0, 'a'))
        await expect(wake.next()).resolves.toBeUndefined()
      })

      it('does not wake for another session', async () => {
        await using store = await open()
        const mine = await runReply(store, await openSession(store.ledger))
        const theirs = await runReply(store, await openSession(store.ledger))
        using wake = listenFor(store.log, mine.session.id)
        let woken = false
        const waiting = wake.next().then(() => (woken = true))
        await append(theirs, answer(0, 'a'))
        await finish(theirs, completed('a'))
        expect(woken).toBe(false)
        await append(mine, answer(0, 'a'))
        expect(await waiting).toBe(true)
      })

      it('does not wake who has left', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        let wakes = 0
        const left = store.log.listen(lease.session.id, () => (wakes += 1))
        await append(lease, answer(0, 'a'))
        expect(wakes).toBeGreaterThan(0)
        left[Symbol.dispose]()
        const before = wakes
        await append(lease, answer(1, 'b'))
        await finish(lease, completed('ab'))
        expect(wakes).toBe(before)
      })
    })

    describe('writing', () => {
      it('takes nothing under a lease that is lost, or after the end', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const lost = await runReply(store, session)
        expect(await endByOther(store, session, lost.reply.id)).toMatchObject({ type: 'finished' })
        const ended = await runReply(store, session)
        await finish(ended, cancelled)
        for (const lease of [lost, ended]) {
          await expect(append(lease, answer(0, 'x'))).rejects.toBeInstanceOf(LostReplyError)
          expect(await finish(lease, completed('x'))).toMatchObject({ type: 'already' })
          expect(await lease.requireAction({ toolCalls: [], expiresAt: 1 })).toBe(false)
        }
        const events = await readAll(store.log, session)
        expect(events.map(({ type }) => type)).toEqual([
          'started',
          'cancelled',
          'started',
          'cancelled',
        ])
      })

      it('refuses a delta beyond the end of the text, and keeps what it has', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'ab'))
        expect(() => lease.append([answer(3, 'x')])).toThrow(RangeError)
        await finish(lease, completed('ab'))
        expect(answerOf(await readAll(store.log, lease.session), lease)).toBe('ab')
      })

      it('never shows an event before one that is shown later, while replies of the session begin and end', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const seen: LogItem[] = []
        const follow = async () => {
          using wake = listenFor(store.log, session.id)
          let position = beginning
          for (let ends = 0; ends < 4;) {
            const items = await store.log.read(session.id, position, {}, 100)
            if (items === 'expired') throw new Error('unexpectedly expired')
            seen.push(...items)
            ends += items.filter(({ event }) => event.type === 'completed').length
            position = items.at(-1)?.position ?? position
            if (items.length === 0) await wake.next()
          }
        }
        const following = follow()
        const talk = async () => {
          const lease = await runReply(store, session)
          let text = ''
          for (let index = 0; index < 30; index += 1) {
            await append(lease, answer(text.length, `${index} `))
            text += `${index} `
          }
          await finish(lease, completed(text))
          return [lease, text] as const
        }
        const replies = await Promise.all([talk(), talk(), talk(), talk()])
        await following
        expectInOrder(seen)
        const events = eventsOf(seen)
        for (const [lease, text] of replies) expect(answerOf(events, lease)).toBe(text)
        expect(events.filter(({ type }) => type === 'completed')).toHaveLength(4)
        expect(events.filter(({ type }) => type === 'started')).toHaveLength(4)
      })
    })

    describe('positions', () => {
      it('starts a reader just before the first event of a reply, wherever that comes to be', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const earlier = await runReply(store, session)
        await append(earlier, answer(0, 'a'))
        const waiting = await acceptReply(store.ledger, session, {
          conversationId: earlier.reply.conversationId,
        })
        const early = await store.log.start(session.id, waiting.id)
        await finish(earlier, completed('a'))
        const lease = await claimReply(store.ledger, session, waiting.conversationId)
        await lease.intend({ binding: undefined, contextReset: false, at: 3 })
        await append(lease, answer(0, 'b'))
        await finish(lease, completed('b'))
        const late = await store.log.start(session.id, waiting.id)
        for (const start of [early, late]) {
          if (start === undefined || start === 'expired') throw new Error('expected a position')
          const events = await readAll(store.log, session, start, { replyId: waiting.id })
          expect(events.map(({ type }) => type)).toEqual(['started', 'delta', 'completed'])
        }
        if (late === undefined || late === 'expired') throw new Error('expected a position')
        expect((await readAll(store.log, session, late))[0]).toMatchObject({
          type: 'started',
          replyId: waiting.id,
        })
        expect(await store.log.start(session.id, newReplyId())).toBeUndefined()
      })

      it('tells positions that can be read from those beyond the end, and from those of another event', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'a'))
        const { id } = lease.session
        const end = fromCursor(await store.log.end(id))
        const gone = [
          { ...end, seq: end.seq + 1 },
          { ...end, check: 'other' },
          { ...end, seq: Number.MAX_SAFE_INTEGER },
        ]
        await finish(lease, completed('a'))
        for (const position of [end, beginning]) {
          expect(await store.log.check(id, position)).toBe('ok')
          expect(await store.log.read(id, position, {}, 100)).not.toBe('expired')
        }
        const last = fromCursor(await store.log.end(id))
        for (const position of [...gone.slice(1), { ...last, seq: last.seq + 1 }]) {
          expect(await store.log.check(id, position)).toBe('expired')
          expect(await store.log.read(id, position, {}, 100)).toBe('expired')
        }
      })

      it('F44: ends a reader that stands at an event whose number another event has now', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'a'))
        const [started] = await readItems(store.log, lease.session)
        const other = { ...fromCursor(started?.position ?? beginning), check: 'other' }
        const filter = { replyId: lease.reply.id }
        for (const isEnded of [false, true]) {
          if (isEnded) await finish(lease, completed('a'))
          expect(await store.log.read(lease.session.id, other, {}, 100)).toBe('expired')
          expect(await store.log.read(lease.session.id, other, filter, 100)).toBe('expired')
        }
      })

      it('begins what comes now at the end, for a session without events as well', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const end = await store.log.end(session.id)
        expect(await store.log.check(session.id, end)).toBe('ok')
        expect(await readAll(store.log, session, end)).toEqual([])
        const lease = await runReply(store, session)
        expect(await readAll(store.log, session, end)).toMatchObject([
          { type: 'started', replyId: lease.reply.id },
        ])
      })
    })

    describe('revisions', () => {
      it('takes a reader from any position of a reply to the same text after its end, corrections included', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const lease = await runReply(store, session)
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
          await append(lease, delta)
          text = text.slice(0, delta.offset) + delta.text
          states.push({ position: await store.log.end(session.id), text })
        }
        for (const isEnded of [false, true]) {
          if (isEnded) await finish(lease, completed(text))
          for (const state of states) {
            const events = await readAll(store.log, session, fromCursor(state.position))
            const texts = textsOf(events, new Map([[`${lease.reply.id} ANSWER`, state.text]]))
            expect(texts.get(`${lease.reply.id} ANSWER`) === text).toBe(true)
            expect(events.at(-1)?.type === 'completed').toBe(isEnded)
          }
        }
      })

      it('goes on where all later revisions kept what a reader holds, and says what is taken back', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'Hello, world!'))
        const { position } = (await readItems(store.log, lease.session)).at(-1) ?? {}
        await append(lease, answer(10, 'm!'), answer(12, ' How are you?'), answer(12, ''))
        const read = async () => await readAll(store.log, lease.session, position)
        expect(await read()).toMatchObject([{ offset: 10, text: 'm!' }])
        await append(lease, answer(7, ''))
        expect(await read()).toMatchObject([{ offset: 7, text: '' }])
        await append(lease, answer(7, 'you'))
        expect(await read()).toMatchObject([{ offset: 7, text: 'you' }])
      })

      it('tells of what is taken back of both texts, wherever its reader is cut off', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, reasoning(0, 'hmm, so'), answer(0, 'Hello'))
        const before = (await readItems(store.log, lease.session)).at(-1)?.position
        await append(lease, reasoning(3, ''), answer(2, ''))
        const items = await readItems(store.log, lease.session, before)
        const held = (count: number) =>
          textsOf(
            eventsOf(items.slice(0, count)),
            new Map([
              [`${lease.reply.id} REASONING`, 'hmm, so'],
              [`${lease.reply.id} ANSWER`, 'Hello'],
            ]),
          )
        for (const [index, { position }] of items.entries()) {
          const rest = await readAll(store.log, lease.session, fromCursor(position))
          expect([...textsOf(rest, held(index + 1)).values()]).toEqual(['hmm', 'He'])
        }
      })

      it('moves a correction out of a surrogate pair', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'a😀b'))
        const { position } = (await readItems(store.log, lease.session)).at(-1) ?? {}
        const [, other = ''] = '😁'.split('')
        await append(lease, answer(2, other))
        const events = await readAll(store.log, lease.session, position)
        expect(events).toMatchObject([{ offset: 1, text: '😁' }])
      })

      it('starts over for a reader of a revision that nobody knows, and lets one wait that is ahead', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'Hello'))
        const end = await store.log.end(lease.session.id)
        const [text] = end.texts
        if (text === undefined) throw new Error('expected a place in the text')
        const at = (changes: object) => ({ ...fromCursor(end), texts: [{ ...text, ...changes }] })
        const unknown = at({ revision: 'gone0' })
        expect(await readAll(store.log, lease.session, unknown)).toMatchObject([
          { offset: 0, text: 'Hello' },
        ])
        const ahead = at({ answer: 7 })
        expect(await read(store, lease, ahead)).toEqual([])
        await append(lease, answer(5, ' you'))
        expect(await readAll(store.log, lease.session, ahead)).toMatchObject([
          { offset: 7, text: 'ou' },
        ])
      })

      it('ends a reply without its lease with the text on disk, which every reader comes to', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        const { session, reply } = lease
        await append(lease, reasoning(0, 'hm'), answer(0, 'Hello'))
        const before = (await readItems(store.log, session)).map(({ position }) => position)
        const shown = before.at(-1) ?? beginning
        const ending = endByOther(store, session, reply.id)
        // Too late for the disk, and shown all the same.
        void lease.append([answer(5, ' you')])
        const last = await read(store, lease, shown)
        before.push(last.at(-1)?.position ?? shown)
        const outcome = await ending
        if (outcome.type !== 'finished') throw new Error('expected an end')
        const { text } = outcome.reply
        expect('Hello you'.startsWith(text)).toBe(true)
        for (const position of before.slice(0, 1)) {
          const events = await readAll(store.log, session, position)
          expect(answerOf(events, lease)).toBe(text)
          expect(events.at(-1)?.type).toBe('cancelled')
        }
        const late = await readAll(store.log, session, fromCursor(before.at(-1) ?? beginning))
        const held = new Map([[`${reply.id} ANSWER`, last.length > 0 ? 'Hello you' : 'Hello']])
        expect(textsOf(late, held).get(`${reply.id} ANSWER`)).toBe(text)
        expect(late.at(-1)?.type).toBe('cancelled')
      })

      it('corrects the text where the completed one is another', async () => {
        await using store = await open()
        const lease = await runReply(store, await openSession(store.ledger))
        await append(lease, answer(0, 'Hello world'))
        const { position } = (await readItems(store.log, lease.session)).at(-1) ?? {}
        await finish(lease, completed('Hello you'))
        expect(await readAll(store.log, lease.session, position)).toMatchObject([
          { type: 'delta', offset: 6, text: 'you' },
          { type: 'completed', text: 'Hello you' },
        ])
        const [reply] = await store.ledger.session(lease.session).replies([lease.reply.id])
        expect(reply).toMatchObject({ status: 'COMPLETED', text: 'Hello you' })
      })

      it('keeps what a long reply said, while it runs and afterwards', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const lease = await runReply(store, session)
        const text = await speak(lease, words(3000))
        expect(answerOf(await readAll(store.log, session), lease)).toBe(text)
        await finish(lease, completed(text))
        expect(answerOf(await readAll(store.log, session), lease)).toBe(text)
      })
    })

    it('says the number of the last event of a reply that has ended, also once it is trimmed', async () => {
      await using store = await open()
      const lease = await runReply(store, await openSession(store.ledger))
      const own = store.ledger.session(lease.session)
      const { id, conversationId } = lease.reply
      expect(await own.replyState(id)).toEqual({ conversationId, endedSeq: undefined })
      await finish(lease, completed('text'), { at: 100 })
      const end = (await store.log.end(lease.session.id)).seq
      expect(await own.replyState(id)).toEqual({ conversationId, endedSeq: end })
      await store.log.trim(150)
      expect(await own.replyState(id)).toEqual({ conversationId, endedSeq: end })
      const queued = await acceptReply(store.ledger, lease.session, { conversationId })
      await endByOther(store, lease.session, queued.id)
      expect(await own.replyState(queued.id)).toEqual({ conversationId, endedSeq: end + 1 })
    })

    describe('trimming', () => {
      async function ended(lease: RunLease, at: number): Promise<void> {
        await append(lease, answer(0, 'text'))
        await finish(lease, completed('text'), { at })
      }

      it('ends the events of old replies, keeps the newer ones, and says so to older cursors', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const old = await runReply(store, session)
        const start = await store.log.end(session.id)
        await ended(old, 100)
        const between = await store.log.end(session.id)
        const kept = await runReply(store, session)
        await ended(kept, 200)
        expect(await store.log.trim(150)).toBe(1)
        expect(await store.log.trim(150)).toBe(0)
        expect(await store.log.check(session.id, start)).toBe('expired')
        expect(await store.log.read(session.id, start, {}, 100)).toBe('expired')
        expect(await store.log.read(session.id, beginning, { replyId: old.reply.id }, 100)).toBe(
          'expired',
        )
        expect(await store.log.start(session.id, old.reply.id)).toBe('expired')
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
        await append(mine, answer(0, 'text'))
        const filter = { conversationId: mine.reply.conversationId }
        await finish(mine, completed('text'), { at: 100 })
        const position = (await readItems(store.log, session, beginning, filter)).at(-1)?.position
        await ended(other, 100)
        expect(await store.log.trim(150)).toBe(2)
        expect(await store.log.read(session.id, position ?? beginning, filter, 100)).toEqual([])
        expect(await store.log.read(session.id, beginning, filter, 100)).toBe('expired')
      })

      it('never takes the events of a reply that runs, nor what comes after its first', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const running = await runReply(store, session)
        await append(running, answer(0, 'a'))
        await ended(await runReply(store, session), 100)
        expect(await store.log.trim(150)).toBe(0)
        expect(await readAll(store.log, session)).toHaveLength(5)
        await finish(running, completed('a'), { at: 110 })
        expect(await store.log.trim(150)).toBe(2)
        const end = await store.log.end(session.id)
        expect(await store.log.check(session.id, end)).toBe('ok')
        expect(await readAll(store.log, session, end)).toEqual([])
      })

      it('goes on for others, however much of one session waits for a reply that runs', async () => {
        await using store = await open()
        const [busy, quiet] = [await openSession(store.ledger), await openSession(store.ledger)]
        await runReply(store, busy)
        for (let count = 0; count < 210; count += 1) {
          await finish(await runReply(store, busy), completed('text'), { at: 100 })
        }
        await ended(await runReply(store, quiet), 110)
        for (let calls = 0; (await store.log.trim(150)) > 0; calls += 1)
          expect(calls).toBeLessThan(10)
        expect(await store.log.read(quiet.id, beginning, {}, 100)).toBe('expired')
        expect(await store.log.read(busy.id, beginning, {}, 100)).not.toBe('expired')
      })

      it.each(['before it is swept', 'once it is swept'])(
        'goes on for a reader that has missed nothing but a conversation that was deleted, %s',
        async (when) => {
          await using store = await open()
          const session = await openSession(store.ledger)
          const fresh = await openSession(store.ledger)
          await ended(await runReply(store, session), 100)
          const told = (await readItems(store.log, session)).at(-1)?.position ?? beginning
          for (const owner of [session, fresh]) {
            const gone = await runReply(store, owner)
            await ended(gone, 110)
            await store.ledger.deleteConversation(owner, gone.reply.conversationId, 120)
          }
          if (when === 'once it is swept') for (let i = 0; i < 10; i += 1) await store.ping()
          await store.log.trim(150)
          for (const position of [told, fromCursor(told)]) {
            expect(await store.log.check(session.id, position)).toBe('ok')
            expect(await store.log.read(session.id, position, {}, 100)).toEqual([])
          }
          expect(await store.log.read(fresh.id, beginning, {}, 100)).toEqual([])
          expect(await store.log.read(session.id, beginning, {}, 100)).toBe('expired')
        },
      )

      it('is told apart by session', async () => {
        await using store = await open()
        const [old, young] = [await openSession(store.ledger), await openSession(store.ledger)]
        await ended(await runReply(store, old), 100)
        await ended(await runReply(store, young), 200)
        await store.log.trim(150)
        expect(await store.log.read(old.id, beginning, {}, 100)).toBe('expired')
        expect(await readAll(store.log, young)).toHaveLength(3)
      })
    })

    describe('deleting', () => {
      it.each(['conversation', 'session'] as const)(
        'shows nothing any more of a %s that was deleted, to readers old and new, and ends no reader',
        async (what) => {
          await using store = await open()
          const session = await openSession(store.ledger)
          const kept = await runReply(store, session)
          const gone = await runReply(store, session)
          for (const lease of [kept, gone]) await append(lease, answer(0, 'text'))
          const before = (await readItems(store.log, session)).map(({ position }) => position)
          await finish(gone, completed('text'))
          await finish(kept, completed('text'))
          before.push(...(await readItems(store.log, session)).map(({ position }) => position))
          if (what === 'conversation') {
            await store.ledger.deleteConversation(session, gone.reply.conversationId, 20)
          } else await store.ledger.eraseSession(session, () => session.name, 20)
          for (const position of [beginning, ...before, ...before.map(fromCursor)]) {
            const events = await readAll(store.log, session, position)
            const left = what === 'conversation' ? [kept.reply.id] : []
            for (const { replyId } of events) expect(left).toContain(replyId)
            const filter = { replyId: gone.reply.id }
            expect(await readAll(store.log, session, position, filter)).toEqual([])
          }
        },
      )
    })

    if (openMortal !== undefined) {
      it('leaves every reader, after any steps, with the state that the log tells', async () => {
        await tryAnySteps(openMortal, 60)
      })
    }

    it('keeps apart what many sessions append at once', async () => {
      await using store = await open()
      const leases = await Promise.all(
        Array.from({ length: 30 }, async () => runReply(store, await openSession(store.ledger))),
      )
      const texts = leases.map(() => '')
      for (let round = 0; round < 50; round += 1) {
        for (const [index, lease] of leases.entries()) {
          const word = `${index}.${round} `
          await append(lease, answer(texts[index]?.length ?? 0, word))
          texts[index] += word
        }
      }
      await Promise.all(leases.map((lease, index) => finish(lease, completed(texts[index] ?? ''))))
      for (const [index, lease] of leases.entries()) {
        const events = await readAll(store.log, lease.session)
        expect(answerOf(events, lease)).toBe(texts[index])
        expect(events.every(({ replyId }) => replyId === lease.reply.id)).toBe(true)
      }
    })
  })
}
