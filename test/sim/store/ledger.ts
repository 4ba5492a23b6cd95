import type { Ledger } from '../../../src/store/ledger.ts'
import { StoreError } from '../../../src/store/store.ts'
import { accept, beginConversation } from './accept.ts'
import { takeToolOutputs } from './actions.ts'
import type { Commits } from './commits.ts'
import { clearConversation, deleteConversation, eraseSession, trimMessages } from './deleting.ts'
import { finishFromOutside } from './finish.ts'
import { history } from './history.ts'
import type { Leases } from './leases.ts'
import { createReads } from './reads.ts'
import { toConversation, toMessage, toSession } from './rows.ts'
import { claim, takeOrphans } from './runs.ts'
import type { Tokens } from './tokens.ts'

export function createMemoryLedger(
  commits: Commits,
  leases: Leases,
  tokens: Tokens,
  /** False: another has taken over. */
  isLatest: () => boolean,
): Ledger {
  return {
    async openSession(id, name) {
      const found = await commits.read(({ sessions }) => sessions.get(id))
      if (found !== undefined) return { session: toSession(found), isNew: false }
      return commits.write('session', (state) => {
        const known = state.sessions.get(id)
        const row = known ?? { id, name: name(0), generation: 0, uses: 0 }
        state.sessions.set(id, row)
        return { session: toSession(row), isNew: known === undefined }
      })
    },
    session: (session) => createReads(commits, session, () => leases.writeSoon()),
    startConversation: (session, request) =>
      commits.write('conversation', (state) => {
        const own = [...state.conversations.values()].filter(
          ({ sessionId }) => sessionId === session.id,
        )
        const { idempotency, max } = request
        const used = own.find(({ startKey }) => startKey?.key === idempotency?.key && startKey)
        if (used !== undefined && used.startKey?.digest !== idempotency?.digest) {
          return { type: 'key-reused' }
        }
        if (used === undefined && own.length >= max) return { type: 'too-many' }
        const row = used ?? beginConversation(state, session, request)
        return { type: 'started', conversation: toConversation(row) }
      }),
    renameConversation: (session, id, title) =>
      commits.write('conversation', (state) => {
        const row = state.conversations.get(id)
        if (row?.sessionId !== session.id) return undefined
        row.title = title
        return toConversation(row)
      }),
    clearConversation: (session, id, at) =>
      commits.write('clear', (state) => clearConversation(state, session, id, at, tokens)),
    deleteConversation: (session, id, at) =>
      commits.write('delete', (state) => deleteConversation(state, session, id, at, tokens)),
    eraseSession: (session, name, at) =>
      commits.write('erase', (state) => eraseSession(state, session, name, at, tokens)),
    trimMessages: (writtenBefore) =>
      commits.write('trim', (state) => trimMessages(state, writtenBefore)),
    addAttachment: (session, attachment) =>
      commits.write('attachment', (state) => {
        state.attachments.set(attachment.id, { ...attachment, sessionId: session.id })
        const { scope: _scope, upstreamId: _upstreamId, ...told } = attachment
        return told
      }),
    rateAnswer: (session, id, rating) =>
      commits.write('rating', (state) => {
        const row = state.messages.get(id)
        if (row?.sessionId !== session.id || row.role !== 'ASSISTANT') return undefined
        row.rating = rating
        return toMessage(state, row)
      }),
    async accept(session, request) {
      const { outcome, run } = await commits.write('accept', (state) => {
        if (!isLatest()) throw new StoreError('unavailable', 'another has taken over')
        return accept(state, session, request, tokens)
      })
      return outcome.type === 'accepted' && run !== undefined
        ? { ...outcome, lease: leases.lease(run) }
        : outcome
    },
    async claim(session, conversationId, at) {
      const run = await commits.write('claim', (state) =>
        isLatest() ? claim(state, session, conversationId, at, tokens) : undefined,
      )
      return run && leases.lease(run)
    },
    takeToolOutputs: (session, replyId, outputs) =>
      commits.write('outputs', (state) => takeToolOutputs(state, session, replyId, outputs)),
    finish: (session, request) =>
      commits.write('end', (state) => {
        const row = state.replies.get(request.replyId)
        return row?.sessionId === session.id
          ? finishFromOutside(state, row, request, tokens)
          : { type: 'lost' }
      }),
    async orphans() {
      const found = await commits.write('orphans', (state) =>
        takeOrphans(state, (fence) => leases.isOwn(fence), tokens),
      )
      return found.map(({ run, progress, isInterrupted }) => ({
        lease: leases.lease(run),
        progress,
        isInterrupted,
      }))
    },
    handOver: async () => undefined,
    takeWaiting: async () => undefined,
    explanation: (id) =>
      commits.read(({ replies }) => replies.get(id)?.told.explanation ?? undefined),
    waiting: () =>
      commits.read((state) =>
        [...state.conversations.values()]
          .filter(({ id }) =>
            [...state.replies.values()].some(
              (row) => row.conversationId === id && row.told.status === 'QUEUED',
            ),
          )
          .flatMap(({ id: conversationId, sessionId, assistantId }) => {
            const row = state.sessions.get(sessionId)
            return row === undefined
              ? []
              : [{ session: toSession(row), conversationId, assistantId }]
          }),
      ),
    history: (session, replyId, limit) =>
      commits.read((state) => history(state, session, replyId, limit)),
  }
}
