import { describe, expect, it } from 'vitest'
import type { AttachmentId } from '../../src/domain.ts'
import type { AcceptRequest, BeginRequest } from '../../src/store/ledger.ts'
import type { UpstreamBinding } from '../../src/domain/upstream.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import {
  accept,
  acceptReply,
  assistant,
  claimReply,
  completed,
  finish,
  openSession,
  otherAssistant,
  readAll,
  runReply,
} from '../kit/fakes/stored-replies.ts'

const scope = { origin: 'https://upstream.test', account: 'account' }
const binding = (conversationId: string, account = 'account'): UpstreamBinding => ({
  scope: { ...scope, account },
  strategy: 'bot',
  conversationId,
})
const begin: BeginRequest = { assistantId: assistant, served: [{ scope, strategy: 'bot' }] }

/** A session with a conversation that is bound and idle. */
async function speak(store: ReplyStore) {
  const session = await openSession(store.ledger)
  const claim = await runReply(store, session)
  await claim.bind(binding(randomId()), { contextReset: false, at: 5 })
  await finish(claim, completed('said'))
  const { conversationId } = claim.reply
  const send = (request: Partial<AcceptRequest> = {}) =>
    accept(store.ledger, session, { conversationId, begin, at: 20, ...request })
  return { session, conversationId, claim, send }
}

/** What every engine's ledger promises of a message that is begun in the write that accepts it. */
export function ledgerBeginContract(name: string, open: () => Promise<ReplyStore>): void {
  describe(`${name}: beginning with the acceptance`, () => {
    it('starts a message to an idle and bound conversation in the write that accepts it', async () => {
      await using store = await open()
      const { session, send } = await speak(store)
      const outcome = await send({ text: 'again' })
      if (outcome.type !== 'accepted') throw new Error(`expected "accepted", got ${outcome.type}`)
      const { lease, reply } = outcome
      expect(reply).toMatchObject({ status: 'RUNNING', queuePosition: null, startedAt: 20 })
      expect(lease).toMatchObject({
        session,
        reply: { id: reply.id, status: 'RUNNING' },
        message: { text: 'again' },
        upstream: { strategy: 'bot' },
        contextReset: false,
        headSince: 20,
      })
      const last = (await readAll(store.log, session)).at(-1)
      expect(last).toMatchObject({ type: 'started', replyId: reply.id })
      expect(await lease?.requeue()).toBe('lost')
      await lease?.append([{ kind: 'ANSWER', offset: 0, text: 'yes' }])
      if (lease === undefined) throw new Error('expected a lease')
      expect(await finish(lease, completed('yes'))).toMatchObject({
        type: 'finished',
        reply: { text: 'yes' },
      })
    })

    it('tells what the last reply asked, as a claim does', async () => {
      await using store = await open()
      const { session, conversationId, send } = await speak(store)
      const asking = await runReply(store, session, conversationId)
      const question = { text: 'Which?', options: ['a'], fields: [] }
      const end = completed('asked')
      if (end.type !== 'completed') throw new Error('it is completed')
      await finish(asking, { ...end, question })
      expect(await send()).toMatchObject({ lease: { askedBefore: question } })
    })

    it('begins one of all that come at once, and queues the others', async () => {
      await using store = await open()
      const { send, session } = await speak(store)
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => send({ maxQueued: 30 })))
      const leases = outcomes.map((each) => (each.type === 'accepted' ? each.lease : undefined))
      expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1)
      const unended = await store.ledger.session(session).openReplies(undefined)
      expect(unended.filter(({ status }) => status === 'RUNNING')).toHaveLength(1)
      expect(unended.filter(({ status }) => status === 'QUEUED')).toHaveLength(19)
    })

    it('overtakes nothing: while a reply waits in the conversation, a message waits behind it', async () => {
      await using store = await open()
      const { session, conversationId, send } = await speak(store)
      const waits = await acceptReply(store.ledger, session, { conversationId })
      expect(await send()).toMatchObject({ reply: { status: 'QUEUED' }, lease: undefined })
      const next = await claimReply(store.ledger, session, conversationId)
      expect(next.reply.id).toBe(waits.id)
      expect(await send()).toMatchObject({ lease: undefined })
    })

    it.each<[string, Partial<AcceptRequest>]>([
      ['without a permit', { begin: undefined }],
      [
        'with the permit of another assistant',
        { begin: { ...begin, assistantId: otherAssistant } },
      ],
      ['where its account is served no more', { begin: { ...begin, served: [] } }],
      [
        'where another account is served',
        {
          begin: { ...begin, served: [{ scope: { ...scope, account: 'other' }, strategy: 'bot' }] },
        },
      ],
      [
        'where another strategy is served',
        { begin: { ...begin, served: [{ scope, strategy: 'workflow' }] } },
      ],
    ])('queues a message %s', async (_where, request) => {
      await using store = await open()
      const { send } = await speak(store)
      expect(await send(request)).toMatchObject({ reply: { status: 'QUEUED' }, lease: undefined })
    })

    it('queues a message to a conversation that is new, or not bound', async () => {
      await using store = await open()
      const session = await openSession(store.ledger)
      const first = await accept(store.ledger, session, { begin })
      expect(first).toMatchObject({ reply: { status: 'QUEUED' }, lease: undefined })
      const unbound = await runReply(store, session)
      await finish(unbound, completed('x'))
      const { conversationId } = unbound.reply
      const next = await accept(store.ledger, session, { begin, conversationId })
      expect(next).toMatchObject({ reply: { status: 'QUEUED' }, lease: undefined })
    })

    it('queues a message to a conversation that was cleared, or must begin anew upstream', async () => {
      await using store = await open()
      const { session, conversationId, send } = await speak(store)
      await store.ledger.clearConversation(session, conversationId, 15)
      expect(await send()).toMatchObject({ reply: { status: 'QUEUED' }, lease: undefined })
      const other = await speak(store)
      const run = await other.send()
      if (run.type !== 'accepted' || run.lease === undefined) throw new Error('expected a lease')
      await finish(run.lease, completed('x'), { resetUpstream: true })
      expect(await other.send()).toMatchObject({ reply: { status: 'QUEUED' }, lease: undefined })
    })

    it('queues a message with a file that was uploaded elsewhere', async () => {
      await using store = await open()
      const { session, send } = await speak(store)
      const upload = async (account: string) => {
        const id = randomId() as AttachmentId
        await store.ledger.addAttachment(session, {
          id,
          assistantId: assistant,
          name: 'a.png',
          mediaType: 'image/png',
          bytes: 1,
          createdAt: 1,
          scope: { ...scope, account },
          upstreamId: '1',
        })
        return id
      }
      const [here, elsewhere] = [await upload('account'), await upload('other')]
      const begun = await send({ attachmentIds: [here] })
      if (begun.type !== 'accepted' || begun.lease === undefined)
        throw new Error('expected a lease')
      expect(begun.lease.attachments).toMatchObject([{ id: here }])
      await finish(begun.lease, completed('x'))
      expect(await send({ attachmentIds: [here, elsewhere] })).toMatchObject({ lease: undefined })
    })

    it('begins nothing again for a message that is sent again', async () => {
      await using store = await open()
      const { send, session } = await speak(store)
      const idempotency = { key: 'key', digest: 'digest' }
      const first = await send({ idempotency })
      if (first.type !== 'accepted') throw new Error('expected "accepted"')
      const again = await send({ idempotency })
      expect(again).toMatchObject({ type: 'repeated', reply: { id: first.reply.id } })
      const events = await readAll(store.log, session)
      const own = events.filter(({ replyId }) => replyId === first.reply.id)
      expect(own.map(({ type }) => type)).toEqual(['started'])
    })

    it('begins an interrupting message once nothing is left before it, and not while the interrupted one runs', async () => {
      await using store = await open()
      const { send } = await speak(store)
      const idle = await send({ onBusy: 'INTERRUPT' })
      if (idle.type !== 'accepted' || idle.lease === undefined) throw new Error('expected a lease')
      const busy = await send({ onBusy: 'INTERRUPT' })
      expect(busy).toMatchObject({ interrupts: idle.reply.id, lease: undefined })
    })
  })
}
