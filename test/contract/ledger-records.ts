import { describe, expect, it } from 'vitest'
import type { AttachmentId, Reply, Session, SessionName, ToolCall } from '../../src/domain.ts'
import type { StoredAttachment } from '../../src/store/run-lease.ts'
import type { UpstreamBinding } from '../../src/domain/upstream.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import {
  accept,
  acceptReply,
  assistant,
  beginning,
  claimReply,
  completed,
  endByOther,
  finish,
  newMessageId,
  newReplyId,
  openSession,
  otherAssistant,
  readAll,
  runReply,
  startConversation,
} from '../kit/fakes/stored-replies.ts'

const scope = { origin: 'https://upstream.test', account: 'account' }
const binding = (conversationId: string): UpstreamBinding => ({
  scope,
  strategy: 'bot',
  conversationId,
})
const toolCalls: readonly ToolCall[] = [
  { id: 'call-1', kind: 'FUNCTION', name: 'weather', arguments: '{"city":"Oslo"}' },
  { id: 'call-2', kind: 'QUESTION', name: null, arguments: null },
]
const action = { toolCalls, expiresAt: 900 }
const newAttachment = (assistantId = assistant): StoredAttachment => ({
  id: randomId() as AttachmentId,
  assistantId,
  name: 'plan.pdf',
  mediaType: 'application/pdf',
  bytes: 12,
  createdAt: 5,
  scope,
  upstreamId: randomId(),
})
const { conversationId: _, ...account } = binding('')
/** Deleting an upstream conversation, as it is owed. */
const deletionOf = (conversationId: string) => ({
  type: 'delete-conversation',
  assistantId: assistant,
  upstream: binding(conversationId),
})

function owedOf(outcome: Awaited<ReturnType<ReplyStore['ledger']['eraseSession']>>) {
  if (outcome.type !== 'erased') throw new Error(`expected "erased", got "${outcome.type}"`)
  return outcome.erased.owed
}

const forward = { direction: 'forward', limit: 10, after: undefined, before: undefined } as const

/** What every engine's ledger promises about actions and about what a session keeps. */
export function ledgerRecordsContract(name: string, open: () => Promise<ReplyStore>): void {
  describe(`${name}: actions`, () => {
    it('waits with the calls, tells readers, and holds the conversation', async () => {
      await using store = await open()
      const { ledger, log } = store
      const claim = await runReply(store, await openSession(ledger))
      const { session, reply } = claim
      await claim.append([{ kind: 'ANSWER', offset: 0, text: 'wait' }])
      expect(await claim.requireAction(action)).toBe(true)
      const [stored] = await ledger.session(session).replies([reply.id])
      const waiting = { status: 'ACTION_REQUIRED', text: 'wait', toolCalls, actionExpiresAt: 900 }
      expect(stored).toMatchObject(waiting)
      const { conversationId } = reply
      const next = await acceptReply(ledger, session, { conversationId })
      expect(await ledger.claim(session, conversationId, 4)).toBeUndefined()
      expect((await readAll(log, session)).map(({ type }) => type)).toEqual([
        'started',
        'delta',
        'action-required',
      ])
      const interrupting = await accept(ledger, session, { conversationId, onBusy: 'INTERRUPT' })
      expect(interrupting).toMatchObject({ type: 'accepted', interrupts: reply.id })
      const unended = await ledger.session(session).openReplies(conversationId)
      expect(unended.map(({ id }) => id)).not.toContain(next.id)
      expect(unended).toHaveLength(2)
    })

    it('takes the outputs of exactly its calls, once, and goes on under the same fence', async () => {
      await using store = await open()
      const { ledger } = store
      const claim = await runReply(store, await openSession(ledger))
      const { session, reply } = claim
      let digest = ''
      const take = (...toolCallIds: string[]) => {
        // Other outputs each time.
        digest += '.'
        return ledger.takeToolOutputs(session, reply.id, { toolCallIds, digest })
      }
      expect(await take('call-1', 'call-2')).toEqual({ type: 'not-waiting' })
      await claim.requireAction(action)
      expect(await take('call-1')).toEqual({ type: 'other-calls' })
      expect(await take('call-1', 'call-1')).toEqual({ type: 'other-calls' })
      expect(await take('call-1', 'call-2', 'call-3')).toEqual({ type: 'other-calls' })
      const taken = await Promise.all([take('call-2', 'call-1'), take('call-1', 'call-2')])
      expect(taken.map(({ type }) => type).toSorted()).toEqual(['not-waiting', 'taken'])
      await claim.append([{ kind: 'ANSWER', offset: 0, text: 'sun' }])
      expect(await finish(claim, completed('sun'))).toMatchObject({
        type: 'finished',
        reply: { status: 'COMPLETED', toolCalls: [], actionExpiresAt: null },
      })
    })

    it('takes equal outputs that are sent again for what they are, as long as the reply is kept', async () => {
      await using store = await open()
      const { ledger } = store
      const claim = await runReply(store, await openSession(ledger))
      const { session, reply } = claim
      const own = ledger.session(session)
      const first = { toolCallIds: ['call-1', 'call-2'], digest: 'first' }
      const take = (outputs: typeof first) => ledger.takeToolOutputs(session, reply.id, outputs)
      expect(await own.tookToolOutputs(reply.id, 'first')).toBe(false)
      await claim.requireAction(action)
      expect(await take(first)).toMatchObject({ type: 'taken' })
      expect(await take(first)).toMatchObject({ type: 'repeated', reply: { status: 'RUNNING' } })
      expect(await take({ ...first, digest: 'other' })).toEqual({ type: 'not-waiting' })
      const [call] = toolCalls
      if (call === undefined) throw new Error('expected a call')
      const later = { toolCalls: [{ ...call, id: 'call-3' }], expiresAt: 900 }
      await claim.requireAction(later)
      expect(await take(first)).toMatchObject({
        type: 'repeated',
        reply: { status: 'ACTION_REQUIRED', toolCalls: [{ id: 'call-3' }] },
      })
      expect(await take({ ...first, digest: 'other' })).toEqual({ type: 'other-calls' })
      await take({ toolCallIds: ['call-3'], digest: 'second' })
      await finish(claim, completed('done'))
      for (const digest of ['first', 'second']) {
        expect(await own.tookToolOutputs(reply.id, digest)).toBe(true)
      }
      const stranger = ledger.session(await openSession(ledger))
      expect(await stranger.tookToolOutputs(reply.id, 'first')).toBe(false)
    })

    it('T2: does not know the reply of another session, nor waits under a lease that was given back', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const { conversationId } = await acceptReply(ledger, session)
      const stale = await claimReply(ledger, session, conversationId)
      await stale.requeue()
      const claim = await claimReply(ledger, session, conversationId)
      await claim.intend({ binding: undefined, contextReset: false, at: 3 })
      const { reply } = claim
      const stranger = await openSession(ledger)
      expect(await stale.requireAction(action)).toBe(false)
      expect(await claim.requireAction(action)).toBe(true)
      const ids = toolCalls.map(({ id }) => id)
      expect(
        await ledger.takeToolOutputs(stranger, reply.id, { toolCallIds: ids, digest: 'd' }),
      ).toEqual({ type: 'not-found' })
    })

    it('can be cancelled while it waits', async () => {
      await using store = await open()
      const claim = await runReply(store, await openSession(store.ledger))
      const { session, reply } = claim
      await claim.requireAction(action)
      const outcome = await endByOther(store, session, reply.id)
      expect(outcome).toMatchObject({ type: 'finished', reply: { status: 'CANCELLED' } })
    })
  })

  describe(`${name}: what a session keeps`, () => {
    it('takes attachments of the session and of the assistant only, and hands them to the runner', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const mine = newAttachment()
      const { scope: _, upstreamId: __, ...shown } = mine
      expect(await ledger.addAttachment(session, mine)).toEqual(shown)
      const ofOther = newAttachment(otherAssistant)
      await ledger.addAttachment(session, ofOther)
      const ofStranger = newAttachment()
      const stranger = await openSession(ledger)
      await ledger.addAttachment(stranger, ofStranger)
      expect(await ledger.session(stranger).attachments([mine.id])).toEqual([undefined])
      for (const { id } of [ofOther, ofStranger]) {
        const refused = await accept(ledger, session, { attachmentIds: [mine.id, id] })
        expect(refused).toEqual({ type: 'attachment-not-found' })
      }
      const extras = { parameters: { CITY: ['Oslo', 1] }, metadata: { source: 'app' } }
      const reply = await acceptReply(ledger, session, { attachmentIds: [mine.id], extras })
      const claim = await claimReply(ledger, session, reply.conversationId)
      expect(claim).toMatchObject({ attachments: [mine], extras })
      expect(claim.message.attachmentIds).toEqual([mine.id])
    })

    it('keeps image URLs with their message, apart from its parameters', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const extras = { parameters: { CITY: ['Oslo', 1] }, metadata: { source: 'app' } }
      const imageUrls = ['https://a.example/1.png', `https://a.example/${'é'.repeat(5_000)}`]
      const reply = await acceptReply(ledger, session, { imageUrls, extras })
      const { conversationId } = reply
      const claim = await claimReply(ledger, session, conversationId)
      expect(claim.message.imageUrls).toEqual(imageUrls)
      expect(claim.extras).toEqual(extras)
      await acceptReply(ledger, session, { conversationId, imageUrls: ['https://b.example/'] })
      const page = await ledger.session(session).messagePage(conversationId, forward)
      expect(page?.rows.map((row) => row.imageUrls)).toEqual([imageUrls, ['https://b.example/']])
    })

    it('refuses more open replies than a session may have, and stores nothing of them', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const first = await acceptReply(ledger, session, { maxOpen: 1 })
      expect(await accept(ledger, session, { maxOpen: 1 })).toEqual({ type: 'too-many-open' })
      expect(await ledger.session(session).openReplies(undefined)).toMatchObject([{ id: first.id }])
    })

    it('titles a conversation by its first words until it is given a title', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const text = `  What is\n the ${'x'.repeat(63)}😀 rest`
      const { conversationId: id } = await acceptReply(ledger, session, { text })
      await acceptReply(ledger, session, { conversationId: id, text: 'second' })
      const title = async () => (await ledger.session(session).conversations([id]))[0]?.title
      expect(await title()).toBe(`What is the ${'x'.repeat(63)}😀 re`)
      expect(await ledger.renameConversation(session, id, 'Mine', 5)).toMatchObject({
        title: 'Mine',
      })
      expect(await title()).toBe('Mine')
      await ledger.renameConversation(session, id, null, 6)
      expect(await title()).toBe(`What is the ${'x'.repeat(63)}😀 re`)
      const stranger = await openSession(ledger)
      expect(await ledger.renameConversation(stranger, id, 'Theirs', 7)).toBeUndefined()
    })

    it('remembers where an answer came from, and what the session thinks of it', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const claim = await runReply(store, session)
      const { reply } = claim
      await claim.bind(binding('up-1'), { contextReset: false, at: 5 })
      const answerId = newMessageId()
      const explanation = {
        strategy: 'bot',
        reason: 'configured',
        layers: [{ layer: 'identity', keyedBy: 'the token' }],
        upstreamChatId: 'chat',
        upstreamLogId: 'log',
        firstDeltaMs: 3,
        retries: 1,
      } as const
      const details = { answerId, upstreamMessageId: 'message-1', explanation, resetUpstream: true }
      await finish(claim, completed('yes'), details)
      const reader = ledger.session(session)
      expect(await reader.answerOrigin(answerId)).toEqual({
        assistantId: assistant,
        upstream: binding('up-1'),
        upstreamMessageId: 'message-1',
      })
      expect((await reader.replies([reply.id]))[0]?.explanation).toEqual(explanation)
      // Without a session: for operators, who see nothing else of it.
      expect(await ledger.explanation(reply.id)).toEqual(explanation)
      expect(await ledger.explanation(newReplyId())).toBeUndefined()
      expect(await ledger.rateAnswer(session, answerId, 'LIKE')).toMatchObject({ rating: 'LIKE' })
      expect(await ledger.rateAnswer(session, reply.messageId, 'LIKE')).toBeUndefined()
      const stranger = await openSession(ledger)
      expect(await ledger.rateAnswer(stranger, answerId, null)).toBeUndefined()
      expect(await ledger.session(stranger).answerOrigin(answerId)).toBeUndefined()
      expect((await reader.messages([answerId]))[0]?.rating).toBe('LIKE')
    })

    it('T1: forgets the context when it is cleared, of no other session, and says no more than that', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const claim = await runReply(store, session)
      const { conversationId } = claim.reply
      expect(await ledger.clearConversation(session, conversationId, 4)).toEqual({ type: 'busy' })
      await claim.bind(binding('up-c'), { contextReset: false, at: 5 })
      await finish(claim, completed('before'))
      const stranger = await openSession(ledger)
      const missed = await ledger.clearConversation(stranger, conversationId, 6)
      expect(missed).toEqual({ type: 'not-found' })
      expect(await ledger.clearConversation(session, conversationId, 7)).toMatchObject({
        type: 'cleared',
        owed: [deletionOf('up-c')],
      })
      const next = await runReply(store, session, conversationId)
      expect(next).toMatchObject({ upstream: undefined, contextReset: false })
      expect(next.generation).toBe(claim.generation + 1)
      expect(await ledger.history(session, next.reply.id, 10)).toEqual([])
      const messages = await ledger.session(session).messagePage(conversationId, forward)
      expect(messages?.rows).toHaveLength(3)
    })

    it('T1: deletes a conversation of the session with all that belongs to it, and keeps cursors and tombstones', async () => {
      await using store = await open()
      const { ledger, log } = store
      const session = await openSession(ledger)
      const claim = await runReply(store, session)
      const { reply } = claim
      const { conversationId } = reply
      await claim.bind(binding('up-d'), { contextReset: false, at: 5 })
      expect(await ledger.deleteConversation(session, conversationId, 6)).toEqual({ type: 'busy' })
      await finish(claim, completed('gone'))
      const kept = await runReply(store, session)
      const end = await log.end(session.id)

      const stranger = await openSession(ledger)
      const missed = await ledger.deleteConversation(stranger, conversationId, 7)
      expect(missed).toEqual({ type: 'not-found' })
      expect(await ledger.deleteConversation(session, conversationId, 8)).toMatchObject({
        type: 'deleted',
        owed: [{ ...deletionOf('up-d'), session, attempts: 0, owedSince: 8 }],
      })
      const reader = ledger.session(session)
      expect(await reader.conversations([conversationId])).toEqual([undefined])
      expect(await reader.replies([reply.id])).toEqual([undefined])
      expect(await reader.messages([reply.messageId])).toEqual([undefined])
      expect(await log.start(session.id, reply.id)).toBeUndefined()
      expect(await log.check(session.id, end)).toBe('ok')
      const left = await readAll(log, session, beginning)
      expect(left.map(({ replyId }) => replyId)).toEqual([kept.reply.id])
      const bound = await kept.bind(binding('up-d'), { contextReset: false, at: 6 })
      expect(bound).toMatchObject({ type: 'collision' })
    })

    it('erases a session under a new name, and leaves others alone', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const other = await openSession(ledger)
      const { reply: otherReply } = await runReply(store, other)
      const claim = await runReply(store, session)
      await claim.bind(binding('up-e'), { contextReset: false, at: 5 })
      const attachment = newAttachment()
      await ledger.addAttachment(session, attachment)
      const name = (generation: number) => `renamed-${generation}` as SessionName
      expect(await ledger.eraseSession(session, name, 8)).toEqual({ type: 'busy' })
      await finish(claim, completed('gone'))
      const outcome = await ledger.eraseSession(session, name, 9)
      expect(outcome).toMatchObject({
        type: 'erased',
        erased: { conversations: 1, messages: 2, attachments: 1, hasSpoken: true },
      })
      // Under the name that the platform knows the session by.
      expect(owedOf(outcome)).toMatchObject([
        { type: 'clear-variables', assistantId: assistant, account, session, owedSince: 9 },
        { ...deletionOf('up-e'), session, owedSince: 9 },
      ])
      expect(await ledger.openSession(session.id, name, 10)).toEqual({
        session: { id: session.id, name: 'renamed-1' },
        isNew: false,
      })
      const page = await ledger.session(session).conversationPage(forward)
      expect(page?.rows).toEqual([])
      expect(await ledger.session(session).attachments([attachment.id])).toEqual([undefined])
      expect(await ledger.session(other).replies([otherReply.id])).toMatchObject([
        { id: otherReply.id },
      ])
      const next = await runReply(store, session)
      expect(next.session.name).toBe('renamed-1')
      const bound = await next.bind(binding('up-e'), { contextReset: false, at: 11 })
      expect(bound).toMatchObject({ type: 'collision' })
    })

    it('tells where conversations of an erased session were that had been deleted before, each place once', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const speak = async (to: string, bound: Session) => {
        const claim = await runReply(store, bound)
        await claim.bind(binding(to), { contextReset: false, at: 5 })
        await finish(claim, completed('x'))
        return claim.reply.conversationId
      }
      await speak('up-other', await openSession(ledger))
      for (const to of ['up-f', 'up-g']) {
        await ledger.deleteConversation(session, await speak(to, session), 8)
      }
      await speak('up-h', session)
      const name = (generation: number) => `renamed-${generation}` as SessionName
      const owed = owedOf(await ledger.eraseSession(session, name, 9))
      // Nobody knows any more whose the deleted ones were, and their deletion is owed as before.
      expect(owed.filter(({ type }) => type === 'clear-variables')).toMatchObject([
        { assistantId: null, account },
        { assistantId: assistant, account },
      ])
      expect(owed.filter(({ type }) => type === 'delete-conversation')).toMatchObject([
        deletionOf('up-f'),
        deletionOf('up-g'),
        deletionOf('up-h'),
      ])
    })

    it('erases a session of very many conversations: all are gone at once, counted, and owed', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const count = 180
      const names = Array.from({ length: count }, (_, n) => `up-many-${randomId()}-${n}`)
      const began: Reply[] = []
      for (const to of names) {
        const claim = await runReply(store, session)
        await claim.bind(binding(to), { contextReset: false, at: 5 })
        await finish(claim, completed('gone'))
        began.push(claim.reply)
      }
      for (let n = 0; n < count; n += 1) await ledger.addAttachment(session, newAttachment())
      const idempotency = { key: 'key', digest: 'digest' }
      const started = await startConversation(ledger, session, { idempotency })
      const name = (generation: number) => `renamed-${generation}` as SessionName
      const erasing = ledger.eraseSession(session, name, 9)
      // Asked for behind it, and before all of it can be gone.
      const own = ledger.session(session)
      const looks = [
        own.conversationPage(forward),
        own.replies(began.map(({ id }) => id)),
        own.messages(began.map(({ messageId }) => messageId)),
        own.openReplies(undefined),
        startConversation(ledger, session, { idempotency }),
        ledger.eraseSession(session, name, 10),
      ] as const
      const [page, replies, messages, open_, again, second] = await Promise.all(looks)
      expect(page?.rows).toEqual([])
      expect(new Set(replies)).toEqual(new Set([undefined]))
      expect(new Set(messages)).toEqual(new Set([undefined]))
      expect(open_).toEqual([])
      expect(again.type).toBe('started')
      expect(again).not.toEqual(started)
      expect(second).toMatchObject({ type: 'erased', erased: { conversations: 1, messages: 0 } })
      expect(owedOf(second).length).toBeGreaterThanOrEqual(count)
      const outcome = await erasing
      expect(outcome).toMatchObject({
        type: 'erased',
        erased: { conversations: count + 1, messages: 2 * count, attachments: count },
      })
      const owed = owedOf(outcome).filter(({ type }) => type === 'delete-conversation')
      const owedFor = owed.map((work) => 'upstream' in work && work.upstream.conversationId)
      expect(owedFor).toHaveLength(count)
      expect(new Set(owedFor)).toEqual(new Set(names))
      for (const work of owed) expect(work).toMatchObject({ session, owedSince: 9 })
      for (const { id } of began.slice(0, 3)) {
        expect(await store.log.start(session.id, id)).toBeUndefined()
      }
      const due = await store.outbox.take({ now: 20, leaseMs: 1, limit: 1_000 })
      expect(due.filter(({ type }) => type === 'delete-conversation')).toHaveLength(count)
    })

    it('says of a session that never was known upstream that it has not spoken', async () => {
      await using store = await open()
      const session = await openSession(store.ledger)
      const name = (generation: number) => `renamed-${generation}` as SessionName
      const outcome = await store.ledger.eraseSession(session, name, 9)
      expect(outcome).toMatchObject({ erased: { hasSpoken: false, owed: [] } })
    })

    it('erases a session again and again, each time under a name of its own', async () => {
      await using store = await open()
      const { ledger } = store
      const session = await openSession(ledger)
      const name = (generation: number) => `renamed-${generation}` as SessionName
      for (const generation of [1, 2, 3]) {
        expect(await ledger.eraseSession(session, name, 9)).toMatchObject({ type: 'erased' })
        const opened = await ledger.openSession(session.id, name, 10)
        expect(opened.session.name).toBe(`renamed-${generation}`)
      }
    })

    it('trims messages once the log has let go of them', async () => {
      await using store = await open()
      const { ledger, log } = store
      const session = await openSession(ledger)
      const claim = await runReply(store, session)
      const { conversationId } = claim.reply
      await finish(claim, completed('old'), { at: 10 })
      const late = await acceptReply(ledger, session, { conversationId, at: 50 })
      expect(await ledger.trimMessages(40)).toBe(0)
      await log.trim(20)
      expect(await ledger.trimMessages(40)).toBe(1)
      expect(await ledger.trimMessages(40)).toBe(0)
      const page = await ledger.session(session).messagePage(conversationId, forward)
      expect(page?.rows).toMatchObject([{ id: late.messageId }])
      expect(await ledger.session(session).replies([claim.reply.id])).toEqual([undefined])
      const again = await accept(ledger, session, { replyId: newReplyId(), conversationId })
      expect(again.type).toBe('accepted')
    })
  })
}
