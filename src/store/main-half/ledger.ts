import type { Session, SessionId } from '../../domain.ts'
import type { Clock } from '../../lib/clock.ts'
import { remember } from '../../lib/remember.ts'
import type { AcceptOutcome, Ledger } from '../ledger.ts'
import type { FinishRequest, Orphan } from '../run-lease.ts'
import type { SessionLogs } from '../session-logs.ts'
import type { Follower } from './follower.ts'
import { type Lease, toEnding, toOutcome } from './lease.ts'
import type { Leases } from './leases.ts'
import { SessionReads } from './session-store.ts'
import type { StoredOrphan } from './stored.ts'
import type { EngineClient } from './engine-client.ts'

/** How long what is known of a session's row is believed where others write as well, in ms. */
const knownMs = 1_000
/** Sessions whose rows are known, so that a request of one of them opens it without a call. */
const maxSessions = 10_000

export interface LedgerParts {
  readonly client: EngineClient
  readonly logs: SessionLogs
  readonly leases: Leases
  /** The follower of what other instances write; undefined: there are none. */
  readonly follower: Follower | undefined
  readonly clock: Clock
  /** Those that ran when the store was opened; undefined: they are asked for. */
  readonly orphans: readonly StoredOrphan[] | undefined
}

export async function takeOrphans(client: EngineClient): Promise<readonly StoredOrphan[]> {
  const all: StoredOrphan[] = []
  for (;;) {
    const { orphans, hasMore } = await client.call('orphans', {})
    all.push(...orphans)
    if (!hasMore) return all
  }
}

export function createLedger(parts: LedgerParts): Ledger {
  const { client, logs, leases, follower, clock, orphans } = parts
  /** The longest unused first. */
  const sessions = new Map<SessionId, { readonly session: Session; readonly at: number }>()

  function know(session: Session): void {
    remember(sessions, session.id, { session, at: clock.monotonic() }, maxSessions)
  }

  /** Where others write as well, one of them may have erased the session, which gives it another name. */
  function isKnown(at: number): boolean {
    return client.live === 1 || clock.monotonic() - at < knownMs
  }

  /** Events of the session are gone that may be in memory. */
  function forgetEvents({ id }: Session): void {
    logs.find(id)?.forget()
  }

  const hold = ({ run, ...orphan }: StoredOrphan): Orphan => ({
    ...orphan,
    lease: leases.hold(run, orphan.progress.step !== 'claimed'),
  })
  const taken = orphans?.map(hold)

  return {
    async openSession(id, name, at) {
      const known = sessions.get(id)
      if (known !== undefined && isKnown(known.at)) {
        remember(sessions, id, known, maxSessions)
        return { session: known.session, isNew: false }
      }
      const opening = client.call('openSession', { id, name: name(0), at }, (opened) => {
        know(opened.session)
        return opened
      })
      if (follower !== undefined) {
        follower.refreshed(id, () => {}).catch(() => {})
        return opening
      }
      // With it in one message: whoever comes after the session's next event then finds what was before it in memory.
      client
        .call('logEnd', { sessionId: id }, (end) => {
          const log = logs.open(id)
          log.know(end)
          logs.settle(log)
        })
        .catch(() => {})
      return opening
    },

    session: (session) => new SessionReads(session, leases),

    startConversation: ({ id: sessionId }, conversation) =>
      client.call('startConversation', { sessionId, ...conversation }),

    renameConversation: ({ id: sessionId }, id, title, at) =>
      client.call('renameConversation', { sessionId, id, title, at }),

    clearConversation: ({ id: sessionId }, id, at) =>
      client.call('clearConversation', { sessionId, id, at }),

    deleteConversation: (session, id, at) =>
      client.call('deleteConversation', { sessionId: session.id, id, at }, (outcome) => {
        if (outcome.type === 'deleted') forgetEvents(session)
        return outcome
      }),

    async eraseSession(session, name, at) {
      const { id: sessionId } = session
      // Mostly it is erased for the first time.
      for (let generation = 1; ;) {
        const args = { sessionId, generation, name: name(generation), at }
        const outcome = await client.call('eraseSession', args, (result) => {
          if (result.type === 'erased') {
            sessions.delete(sessionId)
            forgetEvents(session)
          }
          return result
        })
        if (outcome.type !== 'other-generation') return outcome
        generation = outcome.generation
      }
    },

    addAttachment: ({ id: sessionId }, attachment) =>
      client.call('addAttachment', { sessionId, attachment }),

    rateAnswer: ({ id: sessionId }, id, rating) =>
      client.call('rateAnswer', { sessionId, id, rating }),

    async accept({ id: sessionId }, request) {
      const askedAt = leases.now
      let lease: Lease | undefined
      const outcome = await client.call(
        'accept',
        { sessionId, request },
        (result, events): AcceptOutcome => {
          if (result.type !== 'accepted') return result
          const { run, ...accepted } = result
          lease = run && leases.hold(run)
          leases.show(events)
          return { ...accepted, lease }
        },
      )
      if (outcome.type !== 'accepted' || lease === undefined) return outcome
      return (await leases.isStillHeld(lease, askedAt)) ? outcome : { ...outcome, lease: undefined }
    },

    claim: ({ id: sessionId }, conversationId, at) =>
      client.call('claim', { sessionId, conversationId, at }, (run) => run && leases.hold(run)),

    takeToolOutputs: ({ id: sessionId }, replyId, outputs) =>
      client.call('takeToolOutputs', { sessionId, replyId, ...outputs }),

    async takeWaiting({ id: sessionId }, replyId) {
      if (follower === undefined) return undefined
      return client.call('takeWaiting', { sessionId, replyId }, (orphan) => orphan && hold(orphan))
    },

    finish({ id: sessionId }, { event, ...request }: FinishRequest) {
      const { replyId } = request
      const lease = leases.find(replyId)
      // What was shown of it is kept, as far as it can be.
      if (lease !== undefined) leases.writer.flush(lease)
      const args = { ...request, sessionId, event: toEnding(event), text: undefined }
      return client.call('finish', args, (result, events) => {
        if (result.type === 'finished') {
          leases.endedByOther(replyId, events, result.texts?.answer ?? '')
        }
        return toOutcome(result)
      })
    },

    orphans: async () => taken?.splice(0) ?? (await takeOrphans(client)).map(hold),

    explanation: (id) => client.call('explanation', { id }),

    waiting: () => client.call('waiting', {}),

    handOver: () => client.call('handOver', {}),

    trimMessages: (writtenBefore) => client.call('trimMessages', { writtenBefore }),

    history: ({ id: sessionId }, replyId, limit) =>
      client.call('history', { sessionId, replyId, limit }),
  }
}
