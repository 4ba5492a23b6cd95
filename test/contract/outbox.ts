import { describe, expect, it } from 'vitest'
import type { SessionName } from '../../src/domain.ts'
import type { UpstreamBinding } from '../../src/domain/upstream.ts'
import type { OwedWorkId } from '../../src/store/outbox.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import {
  assistant,
  cancelled,
  completed,
  endByOther,
  finish,
  openSession,
  runReply,
} from '../kit/fakes/stored-replies.ts'

const binding = (conversationId: string): UpstreamBinding => ({
  scope: { origin: 'https://upstream.test', account: 'account' },
  strategy: 'bot',
  conversationId,
})
const due = { now: 100, leaseMs: 50, limit: 10 }

/** A conversation that was bound, of a session of its own, and has ended its reply. */
async function speak(store: ReplyStore, upstream: string) {
  const session = await openSession(store.ledger)
  const claim = await runReply(store, session)
  await claim.bind(binding(upstream), { contextReset: false, at: 5 })
  await finish(claim, completed('said'))
  return { session, conversationId: claim.reply.conversationId }
}

/** What every engine keeps of what is owed to the platform. */
export function outboxContract(name: string, open: () => Promise<ReplyStore>): void {
  describe(`${name}: owed work`, () => {
    it('hands out what is due, the oldest first, to one of all who ask at once', async () => {
      await using store = await open()
      const { ledger, outbox } = store
      expect(await outbox.nextDue()).toBeUndefined()
      const first = await speak(store, 'up-1')
      const second = await speak(store, 'up-2')
      await ledger.deleteConversation(second.session, second.conversationId, 20)
      await ledger.clearConversation(first.session, first.conversationId, 30)
      expect(await outbox.nextDue()).toBe(20)
      expect(await outbox.take({ ...due, now: 19 })).toEqual([])
      const taken = await Promise.all(Array.from({ length: 5 }, () => outbox.take(due)))
      expect(taken.flat()).toMatchObject([
        {
          type: 'delete-conversation',
          session: second.session,
          assistantId: assistant,
          upstream: binding('up-2'),
          attempts: 0,
          owedSince: 20,
        },
        { type: 'delete-conversation', session: first.session, upstream: binding('up-1') },
      ])
      expect(await outbox.nextDue()).toBe(150)
    })

    it('hands out no more at once than it is asked for', async () => {
      await using store = await open()
      for (const upstream of ['up-1', 'up-2', 'up-3']) {
        const { session, conversationId } = await speak(store, upstream)
        await store.ledger.deleteConversation(session, conversationId, 20)
      }
      expect(await store.outbox.take({ ...due, limit: 2 })).toHaveLength(2)
      expect(await store.outbox.take({ ...due, limit: 2 })).toHaveLength(1)
    })

    it('hands out again what was taken and never settled, and what was postponed, with how often it was tried', async () => {
      await using store = await open()
      const { outbox } = store
      const { session, conversationId } = await speak(store, 'up-1')
      const deleted = await store.ledger.deleteConversation(session, conversationId, 20)
      const [work] = await outbox.take(due)
      expect(deleted).toMatchObject({ owed: [{ id: work?.id }] })
      expect(await outbox.take({ ...due, now: 149 })).toEqual([])
      const [again] = await outbox.take({ ...due, now: 150 })
      expect(again).toEqual(work)
      await outbox.postpone(work?.id ?? ('' as OwedWorkId), 1_000)
      expect(await outbox.nextDue()).toBe(1_000)
      expect(await outbox.take({ ...due, now: 999 })).toEqual([])
      const [later] = await outbox.take({ ...due, now: 1_000 })
      expect(later).toEqual({ ...work, attempts: 1 })
      await outbox.settle([work?.id ?? ('' as OwedWorkId)])
      expect(await outbox.nextDue()).toBeUndefined()
      expect(await outbox.take({ ...due, now: 9_999 })).toEqual([])
      // Whoever took it before settles or postpones what is owed no more.
      await outbox.settle([work?.id ?? ('' as OwedWorkId)])
      await outbox.postpone(work?.id ?? ('' as OwedWorkId), 1)
      expect(await outbox.nextDue()).toBeUndefined()
    })

    it('owes the cancel of a chat that runs on with the end of its reply', async () => {
      await using store = await open()
      const session = await openSession(store.ledger)
      const claim = await runReply(store, session)
      const owesCancel = { upstream: binding('up-1'), chatId: 'chat-1' }
      await endByOther(store, session, claim.reply.id, { owesCancel, at: 30 })
      const owed = { type: 'cancel-chat', session, assistantId: assistant, ...owesCancel }
      expect(await store.outbox.take(due)).toMatchObject([{ ...owed, owedSince: 30 }])
      // The reply has ended already: nothing more is owed for it.
      await endByOther(store, session, claim.reply.id, { event: cancelled, owesCancel, at: 40 })
      expect(await store.outbox.take(due)).toEqual([])
    })

    it('owes the deletion of each upstream conversation that a conversation ever had, once', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const claim = await runReply(store, session)
      const { conversationId } = claim.reply
      await claim.bind(binding('up-1'), { contextReset: false, at: 5 })
      await claim.bind(binding('up-2'), { contextReset: true, at: 6 })
      await finish(claim, completed('said'))
      const cleared = await ledger.clearConversation(session, conversationId, 20)
      expect(cleared).toMatchObject({
        owed: [{ upstream: binding('up-1') }, { upstream: binding('up-2') }],
      })
      expect(await ledger.clearConversation(session, conversationId, 21)).toMatchObject({
        owed: [],
      })
      const next = await runReply(store, session, conversationId)
      await next.bind(binding('up-3'), { contextReset: false, at: 22 })
      await finish(next, completed('more'))
      expect(await ledger.deleteConversation(session, conversationId, 23)).toMatchObject({
        owed: [{ upstream: binding('up-3') }],
      })
    })

    it('owes no deletion any more of an upstream conversation in which its conversation goes on after all', async () => {
      await using store = await open()
      const { ledger, outbox } = store
      const { session, conversationId } = await speak(store, 'up-1')
      await ledger.clearConversation(session, conversationId, 20)
      const next = await runReply(store, session, conversationId)
      expect(await next.bind(binding('up-1'), { contextReset: false, at: 30 })).toBe('known')
      expect(await outbox.take(due)).toEqual([])
      await finish(next, completed('more'))
      expect(await ledger.deleteConversation(session, conversationId, 40)).toMatchObject({
        owed: [{ upstream: binding('up-1') }],
      })
    })

    it('names with an erasure all that is owed for the session, also what was owed before and is not done', async () => {
      await using store = await open()
      const { ledger, outbox } = store
      const { session, conversationId } = await speak(store, 'up-1')
      const other = await speak(store, 'up-2')
      await ledger.deleteConversation(other.session, other.conversationId, 19)
      await ledger.deleteConversation(session, conversationId, 20)
      const [, failed] = await outbox.take(due)
      await outbox.postpone(failed?.id ?? ('' as OwedWorkId), 500)
      const name = () => 'renamed' as SessionName
      const outcome = await ledger.eraseSession(session, name, 30)
      const owed = outcome.type === 'erased' ? outcome.erased.owed : []
      expect(owed).toMatchObject([
        { type: 'delete-conversation', upstream: binding('up-1'), attempts: 1, session },
        { type: 'clear-variables', assistantId: null, session },
      ])
    })
  })
}
