import { describe, expect, it } from 'vitest'
import type { ConversationId, Session } from '../../src/domain.ts'
import type { RunLease } from '../../src/store/run-lease.ts'
import type { UpstreamBinding } from '../../src/domain/upstream.ts'
import { LostReplyError } from '../../src/store/log.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import {
  accept,
  acceptReply,
  assistant,
  cancelled,
  claimReply,
  completed,
  endByOther,
  finish,
  newConversationId,
  newMessageId,
  newReplyId,
  openSession,
  otherAssistant,
  readAll,
  runReply,
  startConversation,
} from '../kit/fakes/stored-replies.ts'

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))
const forward = { direction: 'forward', after: undefined, before: undefined } as const

function binding(conversationId: string, account = 'account'): UpstreamBinding {
  return { scope: { origin: 'https://upstream.test', account }, strategy: 'bot', conversationId }
}

function bind(lease: RunLease, to: UpstreamBinding) {
  return lease.bind(to, { contextReset: false, at: 5 })
}

/** What every engine's ledger promises. */
export function ledgerContract(name: string, open: () => Promise<ReplyStore>): void {
  describe(`${name}: ledger`, () => {
    describe('sessions', () => {
      it('gives all who open a session at once the one name that was stored first', async () => {
        await using store = await open()
        const id = (await openSession(store.ledger)).id
        const fresh = `${id.slice(0, -1)}x` as typeof id
        const names = ['a', 'b', 'c', 'd'] as Session['name'][]
        const opened = await Promise.all(
          names.map((each) => store.ledger.openSession(fresh, () => each, 1)),
        )
        expect(new Set(opened.map(({ session }) => session.name)).size).toBe(1)
        expect(opened.filter(({ isNew }) => isNew)).toHaveLength(1)
        const again = await store.ledger.openSession(fresh, () => 'later' as Session['name'], 2)
        expect(again).toEqual({ session: opened[0]?.session, isNew: false })
      })
    })

    describe('accepting', () => {
      it('begins a conversation with the default assistant when the session has none', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const conversationId = newConversationId()
        const reply = await acceptReply(store.ledger, session, {
          newConversationId: conversationId,
          at: 7,
        })
        expect(reply).toMatchObject({
          conversationId,
          assistantId: assistant,
          status: 'QUEUED',
          queuePosition: 0,
          text: '',
          createdAt: 7,
          startedAt: null,
        })
        const reader = store.ledger.session(session)
        expect(await reader.messages([reply.messageId])).toEqual([
          {
            id: reply.messageId,
            conversationId,
            replyId: reply.id,
            role: 'USER',
            text: 'hello',
            attachmentIds: [],
            imageUrls: [],
            rating: null,
            createdAt: 7,
          },
        ])
        expect(await reader.conversations([conversationId])).toEqual([
          {
            id: conversationId,
            assistantId: assistant,
            title: 'hello',
            createdAt: 7,
            lastUsedAt: 7,
            used: 1,
          },
        ])
      })

      it('goes on in the conversation that was used last with the assistant, whatever the clock says', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await acceptReply(store.ledger, session, { at: 100 })
        const second = newConversationId()
        await startConversation(store.ledger, session, { id: second, at: 50 })
        const elsewhere = await acceptReply(store.ledger, session, {
          assistantId: otherAssistant,
          at: 200,
        })
        const last = await acceptReply(store.ledger, session, { at: 10 })
        expect(last.conversationId).toBe(second)
        await acceptReply(store.ledger, session, { conversationId: first.conversationId, at: 5 })
        expect((await acceptReply(store.ledger, session, { at: 6 })).conversationId).toBe(
          first.conversationId,
        )
        expect(
          (await acceptReply(store.ledger, session, { assistantId: otherAssistant }))
            .conversationId,
        ).toBe(elsewhere.conversationId)
      })

      it('takes a conversation of another session for one that never was', async () => {
        await using store = await open()
        const [mine, theirs] = await Promise.all([
          openSession(store.ledger),
          openSession(store.ledger),
        ])
        const reply = await acceptReply(store.ledger, theirs)
        const foreign = await accept(store.ledger, mine, { conversationId: reply.conversationId })
        const unknown = await accept(store.ledger, mine, { conversationId: newConversationId() })
        expect(foreign).toEqual({ type: 'conversation-not-found' })
        expect(unknown).toEqual(foreign)
      })

      it('refuses a conversation that is with another assistant', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { conversationId } = await acceptReply(store.ledger, session)
        expect(
          await accept(store.ledger, session, { conversationId, assistantId: otherAssistant }),
        ).toEqual({
          type: 'other-assistant',
        })
      })

      it('refuses with REJECT while a reply waits or runs, and stores nothing of it', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { conversationId } = await acceptReply(store.ledger, session)
        const idempotency = { key: 'k', digest: 'd' }
        const busy = { conversationId, onBusy: 'REJECT', idempotency } as const
        expect(await accept(store.ledger, session, busy)).toEqual({ type: 'busy' })
        const claim = await claimReply(store.ledger, session, conversationId)
        expect(await accept(store.ledger, session, busy)).toEqual({ type: 'busy' })
        await finish(claim, cancelled)
        const page = await store.ledger
          .session(session)
          .messagePage(conversationId, { ...forward, limit: 10 })
        expect(page?.rows).toHaveLength(1)
        expect((await accept(store.ledger, session, busy)).type).toBe('accepted')
      })

      it('lets one reply run and as many wait as may, even when they come at once', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { conversationId } = await acceptReply(store.ledger, session)
        const outcomes = await Promise.all(
          times(20, () => accept(store.ledger, session, { conversationId, maxQueued: 3 })),
        )
        expect(outcomes.filter(({ type }) => type === 'accepted')).toHaveLength(3)
        expect(outcomes.filter(({ type }) => type === 'queue-full')).toHaveLength(17)
      })

      it('lets an interrupting message cancel what waits, once and with its event, and name the reply to cancel', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const running = await runReply(store, session)
        const { conversationId } = running.reply
        const waiting = await acceptReply(store.ledger, session, { conversationId })
        const outcome = await accept(store.ledger, session, { conversationId, onBusy: 'INTERRUPT' })
        expect(outcome).toMatchObject({
          type: 'accepted',
          interrupts: running.reply.id,
          overtaken: [
            { id: waiting.id, status: 'CANCELLED', upstreamCancelled: false, endedAt: 1 },
          ],
          reply: { queuePosition: 0 },
        })
        const [overtaken] = await store.ledger.session(session).replies([waiting.id])
        expect(overtaken).toMatchObject({ status: 'CANCELLED', queuePosition: null })
        const events = await readAll(store.log, session)
        expect(events.filter(({ replyId }) => replyId === waiting.id)).toMatchObject([
          { type: 'cancelled', upstreamCancelled: false },
        ])
        await finish(running, cancelled)
        const next = await claimReply(store.ledger, session, conversationId)
        expect(outcome.type === 'accepted' && outcome.reply.id).toBe(next.reply.id)
      })

      it('runs one of a hundred interrupting messages that come at once, and cancels each other one once', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const running = await runReply(store, session)
        const { conversationId } = running.reply
        const interrupt = { conversationId, onBusy: 'INTERRUPT', maxQueued: 2, maxOpen: 3 } as const
        const outcomes = await Promise.all(
          times(100, () => accept(store.ledger, session, interrupt)),
        )
        const taken = outcomes.flatMap((each) => (each.type === 'accepted' ? [each] : []))
        expect(taken).toHaveLength(100)
        expect(new Set(taken.map(({ interrupts }) => interrupts))).toEqual(
          new Set([running.reply.id]),
        )
        const overtaken = taken.flatMap((each) => each.overtaken.map(({ id }) => id))
        expect(overtaken).toHaveLength(99)
        expect(new Set(overtaken).size).toBe(99)
        await finish(running, cancelled)
        const next = await claimReply(store.ledger, session, conversationId)
        expect(overtaken).not.toContain(next.reply.id)
        await finish(next, completed('one'))
        expect(await store.ledger.claim(session, conversationId, 9)).toBeUndefined()
        const ends = (await readAll(store.log, session)).filter(({ type }) => type !== 'started')
        expect(ends).toHaveLength(101)
        expect(new Set(ends.map(({ replyId }) => replyId)).size).toBe(101)
        expect(ends.filter(({ type }) => type === 'completed')).toHaveLength(1)
      })

      it('lets an interrupting message that is refused cancel nothing', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { conversationId } = (await runReply(store, session)).reply
        const waiting = await acceptReply(store.ledger, session, { conversationId })
        const refused = { conversationId, onBusy: 'INTERRUPT', maxOpen: 1 } as const
        expect(await accept(store.ledger, session, refused)).toEqual({ type: 'too-many-open' })
        expect(await store.ledger.session(session).replies([waiting.id])).toMatchObject([
          { status: 'QUEUED', queuePosition: 0 },
        ])
      })

      it('lets an interrupting message that is sent again cancel nothing more', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { conversationId } = (await runReply(store, session)).reply
        const idempotency = { key: 'key', digest: 'digest' }
        const interrupt = { conversationId, onBusy: 'INTERRUPT', idempotency } as const
        await accept(store.ledger, session, interrupt)
        const later = await acceptReply(store.ledger, session, { conversationId })
        expect(await accept(store.ledger, session, interrupt)).toMatchObject({ type: 'repeated' })
        expect(await store.ledger.session(session).replies([later.id])).toMatchObject([
          { status: 'QUEUED' },
        ])
      })

      it('takes an interrupting message where the queue is full: what it cancels makes room', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const running = await runReply(store, session)
        const { conversationId } = running.reply
        const full = { conversationId, maxQueued: 1 }
        await acceptReply(store.ledger, session, full)
        expect(await accept(store.ledger, session, full)).toEqual({ type: 'queue-full' })
        const interrupt = { ...full, onBusy: 'INTERRUPT' } as const
        expect(await accept(store.ledger, session, interrupt)).toMatchObject({
          type: 'accepted',
          interrupts: running.reply.id,
        })
        expect(await accept(store.ledger, session, full)).toEqual({ type: 'queue-full' })
      })

      it('F39: stores one reply for one key, however often and at once it is sent', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const idempotency = { key: 'key', digest: 'digest' }
        const outcomes = await Promise.all(
          times(50, () => accept(store.ledger, session, { idempotency })),
        )
        expect(outcomes.filter(({ type }) => type === 'accepted')).toHaveLength(1)
        expect(outcomes.filter(({ type }) => type === 'repeated')).toHaveLength(49)
        const ids = outcomes.map((outcome) => ('reply' in outcome ? outcome.reply.id : undefined))
        expect(new Set(ids).size).toBe(1)
        expect(
          await accept(store.ledger, session, { idempotency: { key: 'key', digest: 'other' } }),
        ).toEqual({
          type: 'key-reused',
        })
      })

      it('T3: keeps the keys of two sessions apart', async () => {
        await using store = await open()
        const idempotency = { key: 'key', digest: 'digest' }
        const sessions = await Promise.all([openSession(store.ledger), openSession(store.ledger)])
        const outcomes = await Promise.all(
          sessions.map((session) => accept(store.ledger, session, { idempotency })),
        )
        expect(outcomes.map(({ type }) => type)).toEqual(['accepted', 'accepted'])
      })
    })

    describe('running', () => {
      it('F17: gives a reply to one of a hundred who claim it', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { id, conversationId } = await acceptReply(store.ledger, session)
        await acceptReply(store.ledger, session, { conversationId })
        const claims = await Promise.all(
          times(100, () => store.ledger.claim(session, conversationId, 2)),
        )
        const won = claims.filter((claim) => claim !== undefined)
        expect(won).toHaveLength(1)
        expect(won[0]).toMatchObject({
          session,
          reply: { id, status: 'RUNNING', startedAt: 2, queuePosition: null },
          message: { text: 'hello' },
          upstream: undefined,
          contextReset: false,
          generation: 0,
          headSince: 1,
        })
      })

      it('T1: claims nothing in a conversation of another session', async () => {
        await using store = await open()
        const [mine, theirs] = await Promise.all([
          openSession(store.ledger),
          openSession(store.ledger),
        ])
        const { conversationId } = await acceptReply(store.ledger, theirs)
        expect(await store.ledger.claim(mine, conversationId, 2)).toBeUndefined()
        expect(await store.ledger.claim(theirs, conversationId, 2)).toBeDefined()
      })

      it('F17: runs the replies of a conversation in the order in which they came, each after the end of the one before', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await acceptReply(store.ledger, session)
        const { conversationId } = first
        const second = await acceptReply(store.ledger, session, { conversationId })
        const claim = await claimReply(store.ledger, session, conversationId)
        expect(claim.reply.id).toBe(first.id)
        expect(await store.ledger.claim(session, conversationId, 2)).toBeUndefined()
        await finish(claim, completed('done'), { at: 40 })
        const next = await claimReply(store.ledger, session, conversationId)
        expect(next).toMatchObject({ reply: { id: second.id }, headSince: 40 })
      })

      it('F23: gives a reply back to the head of its queue, and who ran it writes nothing of it any more', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { id, conversationId } = await acceptReply(store.ledger, session)
        await acceptReply(store.ledger, session, { conversationId })
        const claim = await claimReply(store.ledger, session, conversationId)
        expect(await claim.requeue()).toBe('requeued')
        expect(await claim.requeue()).toBe('lost')
        const [waiting] = await store.ledger.session(session).replies([id])
        expect(waiting).toMatchObject({ status: 'QUEUED', queuePosition: 0, startedAt: null })
        const again = await claimReply(store.ledger, session, conversationId)
        expect(again.reply.id).toBe(id)
        const intent = { binding: binding('stale'), contextReset: false, at: 3 }
        const action = { toolCalls: [], expiresAt: 9 }
        const delta = { kind: 'ANSWER', offset: 0, text: 'stale' } as const
        expect(await claim.requeue()).toBe('lost')
        expect(await claim.intend(intent)).toBe('lost')
        claim.recordChat('stale chat')
        expect(await claim.requireAction(action)).toBe(false)
        expect(await bind(claim, binding('stale'))).toBe('lost')
        expect(() => claim.append([delta])).toThrow(LostReplyError)
        expect(await finish(claim, cancelled)).toEqual({ type: 'lost' })
        expect(await readAll(store.log, session)).toEqual([])
        const own = store.ledger.session(session)
        expect(await own.hadChat(conversationId, 'stale chat')).toBe(false)
        expect(await own.upstreamConversations(conversationId)).toEqual([])
        expect(await finish(again, cancelled)).toMatchObject({ type: 'finished' })
      })

      it('F20: never gives back to the queue what a message has interrupted', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { id, conversationId } = await acceptReply(store.ledger, session)
        const claim = await claimReply(store.ledger, session, conversationId)
        const urgent = await acceptReply(store.ledger, session, {
          conversationId,
          onBusy: 'INTERRUPT',
        })
        expect(await claim.requeue()).toBe('interrupted')
        expect(await finish(claim, cancelled)).toMatchObject({ type: 'finished', hasNext: true })
        const [ended] = await store.ledger.session(session).replies([id])
        expect(ended?.status).toBe('CANCELLED')
        const next = await claimReply(store.ledger, session, conversationId)
        expect(next.reply.id).toBe(urgent.id)
      })

      it('never gives back what may have been sent', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        expect(await claim.requeue()).toBe('lost')
      })

      it('records the intent once, with one started event', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const { session, reply } = claim
        const intent = { binding: undefined, contextReset: true, at: 4 }
        expect(await claim.intend(intent)).toBe('intended')
        expect(await readAll(store.log, session)).toMatchObject([
          { type: 'started', replyId: reply.id },
        ])
        const [stored] = await store.ledger.session(session).replies([reply.id])
        expect(stored?.contextReset).toBe(true)
      })

      it('T1 T2: takes the ids of another session for unknown in every step', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const session = await openSession(store.ledger)
        const { id } = claim.reply
        expect(await endByOther(store, session, id)).toEqual({ type: 'lost' })
        expect(await store.ledger.history(session, id, 10)).toEqual([])
        const outputs = { toolCallIds: [], digest: 'd' }
        expect(await store.ledger.takeToolOutputs(session, id, outputs)).toEqual({
          type: 'not-found',
        })
        expect(await store.ledger.session(session).replyState(id)).toBeUndefined()
        expect(await finish(claim, cancelled)).toMatchObject({ type: 'finished' })
      })

      it('tells a run what the last one asked, until the context is cleared', async () => {
        await using store = await open()
        const { ledger } = store
        const session = await openSession(ledger)
        const first = await runReply(store, session)
        const { conversationId } = first.reply
        expect(first.askedBefore).toBeNull()
        const question = { text: 'Which one?', options: ['a', 'b'], fields: [] }
        const asking = { type: 'completed', text: 'x', usage: null, followUps: [] } as const
        const rest = { omitted: [], contextReset: false }
        await finish(first, { ...asking, ...rest, question })
        const second = await runReply(store, session, conversationId)
        expect(second.askedBefore).toEqual(question)
        await finish(second, completed('so be it'))
        const third = await runReply(store, session, conversationId)
        expect(third.askedBefore).toBeNull()
        await finish(third, { ...asking, ...rest, question })
        await ledger.clearConversation(session, conversationId, 20)
        expect((await runReply(store, session, conversationId)).askedBefore).toBeNull()
      })

      it('says with the end of a reply whether others wait in its conversation', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const { conversationId } = first.reply
        // What waits elsewhere does not count.
        await acceptReply(store.ledger, session, { assistantId: otherAssistant })
        await acceptReply(store.ledger, session, { conversationId })
        expect(await finish(first, completed(''))).toMatchObject({ hasNext: true })
        const second = await claimReply(store.ledger, session, conversationId)
        expect(await finish(second, completed(''))).toMatchObject({ hasNext: false })
      })

      it('names the conversations in which replies wait', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const { conversationId } = await acceptReply(store.ledger, session)
        await runReply(store, session)
        expect(await store.ledger.waiting()).toEqual([
          { session, conversationId, assistantId: assistant },
        ])
      })

      it('has no orphans while nothing but this opening has claimed', async () => {
        await using store = await open()
        await runReply(store, await openSession(store.ledger))
        expect(await store.ledger.orphans()).toEqual([])
      })
    })

    describe('binding', () => {
      it('T13: gives an upstream conversation to one of all who bind it at once', async () => {
        await using store = await open()
        const claims = await Promise.all(
          times(20, async () => runReply(store, await openSession(store.ledger))),
        )
        const outcomes = await Promise.all(claims.map((claim) => bind(claim, binding('shared'))))
        expect(outcomes.filter((outcome) => outcome === 'bound')).toHaveLength(1)
        expect(outcomes.filter((outcome) => typeof outcome === 'object')).toHaveLength(19)
      })

      it('T13: refuses one that another conversation of the same session has', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const second = await runReply(store, session)
        expect(await bind(first, binding('c'))).toBe('bound')
        expect(await bind(second, binding('c'))).toMatchObject({ type: 'collision' })
        await finish(second, completed(''))
        await acceptReply(store.ledger, session, { conversationId: second.reply.conversationId })
        const later = await claimReply(store.ledger, session, second.reply.conversationId)
        expect(later.upstream).toBeUndefined()
      })

      it('T13: takes it from both: who had it goes on in a new one, and nobody is bound to it again', async () => {
        await using store = await open()
        const { ledger } = store
        const [alice, bob] = [await openSession(ledger), await openSession(ledger)]
        const first = await runReply(store, alice)
        const second = await runReply(store, bob)
        await bind(first, binding('c'))
        expect(await bind(second, binding('c'))).toEqual({
          type: 'collision',
          owner: alice.id,
          isNew: true,
          inFlight: [first.reply.id],
        })
        await finish(first, completed('said'))
        const { conversationId } = first.reply
        await acceptReply(ledger, alice, { conversationId })
        const next = await claimReply(ledger, alice, conversationId)
        expect(next).toMatchObject({ upstream: undefined, contextReset: true, generation: 1 })
        for (const claim of [next, second]) {
          expect(await bind(claim, binding('c'))).toEqual({
            type: 'collision',
            owner: alice.id,
            isNew: false,
            inFlight: [],
          })
        }
        expect(await bind(next, binding('own'))).toBe('bound')
      })

      it('keeps the conversations of two upstream accounts apart', async () => {
        await using store = await open()
        const first = await runReply(store, await openSession(store.ledger))
        const second = await runReply(store, await openSession(store.ledger))
        expect(await bind(first, binding('c', 'one'))).toBe('bound')
        expect(await bind(second, binding('c', 'two'))).toBe('bound')
      })

      it('T26: knows again what was bound to the conversation before', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        expect(await bind(claim, binding('one'))).toBe('bound')
        expect(await bind(claim, binding('two'))).toBe('bound')
        expect(await bind(claim, binding('one'))).toBe('known')
      })

      it('T26: knows the chats that the conversation ran, and tells them to nobody else', async () => {
        await using store = await open()
        const { ledger } = store
        const session = await openSession(ledger)
        const stranger = await openSession(ledger)
        const claim = await runReply(store, session)
        const { conversationId } = claim.reply
        claim.recordChat('chat-1')
        await finish(claim, cancelled)
        expect(await ledger.session(session).hadChat(conversationId, 'chat-1')).toBe(true)
        expect(await ledger.session(session).hadChat(conversationId, 'chat-2')).toBe(false)
        expect(await ledger.session(stranger).hadChat(conversationId, 'chat-1')).toBe(false)
      })

      it('lets the conversation go on where it was bound', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        await bind(claim, binding('c'))
        await finish(claim, completed('done'))
        const { conversationId } = claim.reply
        await acceptReply(store.ledger, session, { conversationId })
        const next = await claimReply(store.ledger, session, conversationId)
        expect(next).toMatchObject({ upstream: binding('c'), contextReset: false, generation: 0 })
      })

      it('F41: begins anew after a run whose end was not seen, says so once, and never frees the old binding', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        await bind(claim, binding('old'))
        await finish(claim, cancelled, { resetUpstream: true })
        const { conversationId } = claim.reply
        await acceptReply(store.ledger, session, { conversationId })
        const next = await claimReply(store.ledger, session, conversationId)
        expect(next).toMatchObject({ upstream: undefined, contextReset: true, generation: 1 })
        const intent = { binding: binding('new'), contextReset: true, at: 3 }
        expect(await next.intend(intent)).toBe('intended')
        await finish(next, completed('done'))
        await acceptReply(store.ledger, session, { conversationId })
        const last = await claimReply(store.ledger, session, conversationId)
        expect(last).toMatchObject({ upstream: binding('new'), contextReset: false, generation: 1 })
        const other = await runReply(store, await openSession(store.ledger))
        expect(await bind(other, binding('old'))).toMatchObject({ type: 'collision' })
      })

      it('F41: counts a conversation begun anew within one run, so that no upstream name is used twice', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const claim = await runReply(store, session)
        await bind(claim, binding('gone'))
        await bind(claim, binding('fresh'))
        await finish(claim, completed('done'))
        const { conversationId } = claim.reply
        await acceptReply(store.ledger, session, { conversationId })
        const next = await claimReply(store.ledger, session, conversationId)
        expect(next).toMatchObject({ upstream: binding('fresh'), generation: 1 })
      })
    })

    describe('finishing', () => {
      it('stores a completed reply with its answer as a message', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const { session, reply } = claim
        const answerId = newMessageId()
        const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3 }
        const event = {
          type: 'completed',
          text: 'the answer',
          usage,
          followUps: ['and?'],
          question: { text: 'Which one?', options: ['a', 'b'], fields: [] },
          omitted: ['CARD'],
          contextReset: false,
        } as const
        const outcome = await finish(claim, event, { answerId, at: 20 })
        const stored = {
          id: reply.id,
          status: 'COMPLETED',
          text: 'the answer',
          answerId,
          usage,
          followUps: ['and?'],
          endedAt: 20,
          failure: null,
        }
        expect(outcome).toMatchObject({ type: 'finished', reply: stored })
        const reader = store.ledger.session(session)
        expect(await reader.replies([reply.id])).toMatchObject([stored])
        expect(await reader.messages([answerId])).toMatchObject([
          { role: 'ASSISTANT', text: 'the answer', replyId: reply.id, createdAt: 20 },
        ])
        expect((await readAll(store.log, session)).at(-1)).toMatchObject(event)
      })

      it('keeps the text of a reply that failed, and why', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const { session, reply } = claim
        void claim.append([
          { kind: 'REASONING', offset: 0, text: 'hm' },
          { kind: 'ANSWER', offset: 0, text: 'partial' },
        ])
        const [running] = await store.ledger.session(session).replies([reply.id])
        expect(running).toMatchObject({ status: 'RUNNING', text: 'partial', reasoning: 'hm' })
        const failure = {
          code: 'UPSTREAM_TIMEOUT',
          message: 'silent',
          retryable: true,
          retryAfterMs: 5,
        } as const
        await finish(claim, { type: 'failed', ...failure })
        const [ended] = await store.ledger.session(session).replies([reply.id])
        expect(ended).toMatchObject({
          status: 'FAILED',
          text: 'partial',
          reasoning: 'hm',
          failure,
          answerId: null,
        })
      })

      it('F21: has one winner among all who end a reply at once, and one terminal event', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const outcomes = await Promise.all(
          times(40, (index) =>
            index % 2 === 0
              ? finish(claim, completed(`${index}`))
              : endByOther(store, claim.session, claim.reply.id),
          ),
        )
        expect(outcomes.filter(({ type }) => type === 'finished')).toHaveLength(1)
        const statuses = outcomes.map((outcome) =>
          'reply' in outcome ? outcome.reply.status : 'lost',
        )
        expect(new Set(statuses).size).toBe(1)
        const events = await readAll(store.log, claim.session)
        const told = events.map(({ type }) => type).filter((type) => type !== 'delta')
        expect(told).toEqual([
          'started',
          outcomes[0]?.type === 'finished' && statuses[0] === 'COMPLETED'
            ? 'completed'
            : 'cancelled',
        ])
      })

      it('ends a reply that waits, which nobody holds', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const reply = await acceptReply(store.ledger, session)
        expect(await endByOther(store, session, reply.id, { at: 9 })).toMatchObject({
          type: 'finished',
          reply: { status: 'CANCELLED', startedAt: null, endedAt: 9 },
        })
        expect(await store.ledger.claim(session, reply.conversationId, 10)).toBeUndefined()
        expect(await readAll(store.log, session)).toMatchObject([
          { type: 'cancelled', replyId: reply.id },
        ])
      })

      it('does not know a reply that never was', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        expect(await endByOther(store, claim.session, newReplyId())).toEqual({ type: 'lost' })
      })
    })

    describe('reading', () => {
      it('T1: tells the message of a reply that runs as it is stored, and to its own session alone', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const { messageId } = claim.reply
        const owner = store.ledger.session(claim.session)
        const stranger = store.ledger.session(await openSession(store.ledger))
        const running = await owner.messages([messageId])
        expect(running).toMatchObject([{ id: messageId, text: 'hello' }])
        expect(await stranger.messages([messageId])).toEqual([undefined])
        await finish(claim, completed('answer'))
        expect(await owner.messages([messageId])).toEqual(running)
      })

      it('T1: shows nothing of another session, by whatever id', async () => {
        await using store = await open()
        const claim = await runReply(store, await openSession(store.ledger))
        const { conversationId, id, messageId } = claim.reply
        const answerId = newMessageId()
        await finish(claim, completed('secret'), { answerId })
        const other = await openSession(store.ledger)
        await acceptReply(store.ledger, other)
        const owner = store.ledger.session(claim.session)
        const stranger = store.ledger.session(other)
        expect((await owner.replies([id]))[0]?.text).toBe('secret')
        expect(await stranger.replies([id])).toEqual([undefined])
        expect(await stranger.conversations([conversationId])).toEqual([undefined])
        expect(await stranger.messages([messageId, answerId])).toEqual([undefined, undefined])
        const page = { ...forward, limit: 10 }
        expect(await stranger.messagePage(conversationId, page)).toBeUndefined()
        expect(await stranger.messagePage(newConversationId(), page)).toBeUndefined()
        expect(await stranger.conversationPage({ ...page, after: conversationId })).toBeUndefined()
        const own = await stranger.conversationPage(page)
        expect(own?.rows.map((row) => row.id)).not.toContain(conversationId)
      })

      it('answers ids in the order in which they were asked', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const replies = await Promise.all(times(5, () => acceptReply(store.ledger, session)))
        const ids = replies.map(({ id }) => id).reverse()
        const asked = [newReplyId(), ...ids, ids[0] ?? newReplyId()]
        const found = await store.ledger.session(session).replies(asked)
        expect(found.map((reply) => reply?.id)).toEqual([undefined, ...ids, ids[0]])
      })

      it('pages messages, oldest first, in both directions', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await acceptReply(store.ledger, session)
        const { conversationId } = first
        const ids = [first.messageId]
        for (let i = 0; i < 4; i += 1) {
          ids.push((await acceptReply(store.ledger, session, { conversationId })).messageId)
        }
        const reader = store.ledger.session(session)
        const page = async (request: Partial<Parameters<typeof reader.messagePage>[1]>) => {
          const found = await reader.messagePage(conversationId, {
            ...forward,
            limit: 2,
            ...request,
          })
          return [
            found?.rows.map(({ id }) => ids.indexOf(id)),
            found?.hasPreviousPage,
            found?.hasNextPage,
          ]
        }
        expect(await page({})).toEqual([[0, 1], false, true])
        expect(await page({ after: ids[1] })).toEqual([[2, 3], true, true])
        expect(await page({ after: ids[3] })).toEqual([[4], true, false])
        expect(await page({ after: ids[0], before: ids[2] })).toEqual([[1], true, true])
        expect(await page({ direction: 'backward' })).toEqual([[3, 4], true, false])
        expect(await page({ direction: 'backward', before: ids[2] })).toEqual([[0, 1], false, true])
        expect(
          await reader.messagePage(conversationId, { ...forward, limit: 2, after: newMessageId() }),
        ).toBeUndefined()
      })

      it('begins no more conversations than a session may have, until one is deleted', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const other = await openSession(store.ledger)
        const begin = (as: Session) => startConversation(store.ledger, as, { max: 2 })
        const begun = await Promise.all(times(5, () => begin(session)))
        const [first, second, ...more] = begun.filter(({ type }) => type === 'started')
        expect([first?.type, second?.type, more]).toEqual(['started', 'started', []])
        expect(begun.filter(({ type }) => type === 'too-many')).toHaveLength(3)
        expect(await begin(other)).toMatchObject({ type: 'started' })
        if (first?.type === 'started') {
          await store.ledger.deleteConversation(session, first.conversation.id, 5)
        }
        expect(await begin(session)).toMatchObject({ type: 'started' })
        expect(await begin(session)).toEqual({ type: 'too-many' })
      })

      it('begins one conversation for one key, however often and at once it is asked for', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const idempotency = { key: 'key', digest: 'digest' }
        const limited = { idempotency, max: 1 }
        const begun = await Promise.all(
          times(20, () => startConversation(store.ledger, session, limited)),
        )
        const ids = begun.map((one) => one.type === 'started' && one.conversation.id)
        expect(new Set(ids).size).toBe(1)
        expect(ids).not.toContain(false)
        const page = await store.ledger.session(session).conversationPage({ ...forward, limit: 5 })
        expect(page?.rows.map(({ id }) => id)).toEqual([ids[0]])
        const other = { idempotency: { key: 'key', digest: 'other' } }
        expect(await startConversation(store.ledger, session, other)).toEqual({
          type: 'key-reused',
        })
      })

      it('finds the conversation of a key as it is now', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const idempotency = { key: 'key', digest: 'digest' }
        const first = await startConversation(store.ledger, session, { idempotency })
        if (first.type !== 'started') throw new Error(first.type)
        const { id } = first.conversation
        await store.ledger.renameConversation(session, id, 'Renamed', 5)
        expect(await startConversation(store.ledger, session, { idempotency })).toMatchObject({
          type: 'started',
          conversation: { id, title: 'Renamed' },
        })
      })

      it('T3: keeps the conversations of a key apart by session, and from the messages of that key', async () => {
        await using store = await open()
        const idempotency = { key: 'key', digest: 'digest' }
        const sessions = await Promise.all([openSession(store.ledger), openSession(store.ledger)])
        const ids = []
        for (const session of sessions) {
          const begun = await startConversation(store.ledger, session, { idempotency })
          if (begun.type !== 'started') throw new Error(begun.type)
          ids.push(begun.conversation.id)
          const sent = { idempotency: { key: 'key', digest: 'of a message' } }
          expect(await accept(store.ledger, session, sent)).toMatchObject({ type: 'accepted' })
        }
        expect(new Set(ids).size).toBe(2)
      })

      it('begins another conversation under the key of one that was deleted', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const idempotency = { key: 'key', digest: 'digest' }
        const first = await startConversation(store.ledger, session, { idempotency })
        if (first.type !== 'started') throw new Error(first.type)
        await store.ledger.deleteConversation(session, first.conversation.id, 2)
        const other = { idempotency: { key: 'key', digest: 'other' } }
        const second = await startConversation(store.ledger, session, other)
        expect(second).toMatchObject({ type: 'started' })
        expect(second).not.toEqual(first)
      })

      it('F40: pages conversations, the most recently used first, in both directions, whatever the clock says', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const begin = (as: Session, id: ConversationId, at: number) =>
          startConversation(store.ledger, as, { id, at })
        // What others use does not count.
        const other = await openSession(store.ledger)
        for (const id of times(9, newConversationId)) await begin(other, id, 1)
        const ids = times(4, newConversationId)
        for (const [at, id] of ids.entries()) await begin(session, id, 9 - at)
        const [second] = ids.splice(1, 1)
        if (second === undefined) throw new Error('there is no second one')
        ids.push(second)
        await acceptReply(store.ledger, session, { conversationId: second, at: 1 })
        ids.reverse()
        const reader = store.ledger.session(session)
        const page = async (request: Partial<Parameters<typeof reader.conversationPage>[0]>) => {
          const found = await reader.conversationPage({ ...forward, limit: 2, ...request })
          return [
            found?.rows.map(({ id }) => ids.indexOf(id)),
            found?.hasPreviousPage,
            found?.hasNextPage,
          ]
        }
        expect(await page({})).toEqual([[0, 1], false, true])
        expect(await page({ after: ids[1] })).toEqual([[2, 3], true, false])
        expect(await page({ direction: 'backward' })).toEqual([[2, 3], true, false])
        expect(await page({ direction: 'backward', before: ids[3] })).toEqual([[1, 2], true, true])
        const rows = await reader.conversations(ids)
        expect(rows.map((row) => row?.used)).toEqual([5, 4, 3, 1])
      })

      it('tells the history of a conversation in the order in which it was run, without what never ran', async () => {
        await using store = await open()
        const session = await openSession(store.ledger)
        const first = await runReply(store, session)
        const { conversationId } = first.reply
        const second = await acceptReply(store.ledger, session, { conversationId, text: 'two' })
        const dropped = await acceptReply(store.ledger, session, {
          conversationId,
          text: 'dropped',
        })
        await finish(first, completed('one!'))
        await endByOther(store, session, dropped.id)
        const claim = await claimReply(store.ledger, session, conversationId)
        expect(claim.reply.id).toBe(second.id)
        await claim.intend({ binding: undefined, contextReset: false, at: 3 })
        await finish(claim, completed('two!'))
        const third = await acceptReply(store.ledger, session, { conversationId, text: 'three' })
        const texts = async (limit: number) =>
          (await store.ledger.history(session, third.id, limit)).map(({ text }) => text)
        expect(await texts(10)).toEqual(['hello', 'one!', 'two', 'two!'])
        expect(await texts(3)).toEqual(['one!', 'two', 'two!'])
      })

      it('can be written', async () => {
        await using store = await open()
        await expect(store.ping()).resolves.toBeUndefined()
      })
    })

    it('keeps texts exactly, whatever they hold', async () => {
      await using store = await open()
      const session = await openSession(store.ledger)
      const text = `\u0000 "'; DROP TABLE replies; -- 你好 👩‍👩‍👧 \u2028 ${randomId()}`
      const reply = await acceptReply(store.ledger, session, { text })
      const claim = await claimReply(store.ledger, session, reply.conversationId)
      expect(claim.message.text).toBe(text)
      await finish(claim, completed(text))
      expect((await store.ledger.session(session).replies([reply.id]))[0]?.text).toBe(text)
      expect(await readAll(store.log, session)).toMatchObject([{ type: 'completed', text }])
    })
  })
}
