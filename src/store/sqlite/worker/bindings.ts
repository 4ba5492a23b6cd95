import type { DatabaseSync } from 'node:sqlite'
import type { ReplyId, SessionId } from '../../../domain.ts'
import type { Collision } from '../../run-lease.ts'
import type { UpstreamBinding } from '../../../domain/upstream.ts'
import type { IsolationTarget } from '../../../domain/isolation.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { integer, string } from '../../engine/columns.ts'
import { toBinding, toIsolationRecord } from '../../engine/records.ts'
import type { Row } from './columns.ts'

/** Whose an upstream conversation is to be: rows. */
interface Binder {
  readonly session: number
  readonly conversation: number
}

export interface Bindings {
  /** `known`: it was this conversation's before. A collision taints it for ever and binds nobody. */
  bind(binder: Binder, binding: UpstreamBinding, at: number): 'bound' | 'known' | Collision
  /** Every upstream conversation that was ever this conversation's, the longest unused first. */
  ofConversation(conversation: number): readonly UpstreamBinding[]
  /** The same, but only those whose deletion was not owed yet: from now on it is. */
  leave(conversation: number): readonly UpstreamBinding[]
}

/** Has conversations go on in a new upstream one, which knows nothing of what was said before. */
export const leaveUpstream = `
  UPDATE conversations SET origin = NULL, account = NULL, strategy = NULL, upstream = NULL,
    generation = generation + 1, reset_pending = 1`

export function createBindings(db: DatabaseSync): Bindings {
  const find = db.prepare(`
    SELECT b.session, b.conversation, b.tainted_at, b.deletion_owed, s.key AS owner
    FROM bindings b JOIN sessions s ON s.id = b.session
    WHERE b.origin = ? AND b.account = ? AND b.upstream = ?`)
  const insert = db.prepare(`
    INSERT INTO bindings (origin, account, upstream, session, conversation, used_at, strategy)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET used_at = excluded.used_at, deletion_owed = 0`)
  const setTainted = db.prepare(`
    UPDATE bindings SET tainted_at = coalesce(tainted_at, ?) WHERE origin = ? AND account = ? AND upstream = ?`)
  const leaveTainted = db.prepare(`
    ${leaveUpstream} WHERE origin = ? AND account = ? AND upstream = ?`)
  const runningIn = db.prepare(`
    SELECT r.key FROM conversations c JOIN replies r ON r.session = c.session AND r.conversation = c.id
    WHERE c.origin = ? AND c.account = ? AND c.upstream = ? AND r.ended_at IS NULL AND r.status <> 'QUEUED'`)
  // Bound anew within one run: the upstream conversation before this one is left for ever.
  const setUpstream = db.prepare(`
    UPDATE conversations SET generation = generation + (upstream IS NOT NULL AND upstream <> :upstream),
      origin = :origin, account = :account, strategy = :strategy, upstream = :upstream
    WHERE id = :id`)
  const selectOf = `
    SELECT b.origin, b.account, b.upstream, coalesce(b.strategy, c.strategy, 'workflow') AS strategy
    FROM bindings b JOIN conversations c ON c.id = b.conversation
    WHERE b.conversation = ?`
  const inOrder = 'ORDER BY b.used_at, b.upstream = c.upstream'
  const ofConversation = db.prepare(`${selectOf} ${inOrder}`)
  const notOwed = db.prepare(`${selectOf} AND b.deletion_owed = 0 ${inOrder}`)
  const oweNoDeletion = db.prepare(`
    DELETE FROM outbox
    WHERE session = ? AND type = 'delete-conversation' AND origin = ? AND account = ? AND upstream = ?`)
  const setOwed = db.prepare('UPDATE bindings SET deletion_owed = 1 WHERE conversation = ?')

  /** Nobody is bound to it ever again, and who was goes on in a new one. */
  function collide(bound: Row, { scope, conversationId }: UpstreamBinding, at: number): Collision {
    const upstream = [scope.origin, scope.account, conversationId] as const
    const inFlight = runningIn.all(...upstream).map((row) => string(row['key']) as ReplyId)
    setTainted.run(at, ...upstream)
    leaveTainted.run(...upstream)
    const owner = string(bound['owner']) as SessionId
    return { type: 'collision', owner, isNew: bound['tainted_at'] === null, inFlight }
  }

  const toBindings = (rows: readonly Row[]) => rows.flatMap((row) => toBinding(row) ?? [])

  return {
    bind({ session, conversation }, binding, at) {
      const { scope, strategy, conversationId } = binding
      const { origin, account } = scope
      const bound = find.get(origin, account, conversationId)
      if (
        bound !== undefined &&
        (bound['tainted_at'] !== null ||
          integer(bound['session']) !== session ||
          integer(bound['conversation']) !== conversation)
      ) {
        return collide(bound, binding, at)
      }
      // It goes on in what it had left: nobody is to delete that any more.
      if (bound?.['deletion_owed'] === 1) {
        oweNoDeletion.run(session, origin, account, conversationId)
      }
      insert.run(origin, account, conversationId, session, conversation, at, strategy)
      setUpstream.run({ id: conversation, origin, account, strategy, upstream: conversationId })
      return bound === undefined ? 'bound' : 'known'
    },
    ofConversation: (conversation) => toBindings(ofConversation.all(conversation)),
    leave(conversation) {
      const left = toBindings(notOwed.all(conversation))
      setOwed.run(conversation)
      return left
    },
  }
}

type IsolationCalls = Pick<
  EngineCalls,
  'isolationRecords' | 'recordProof' | 'recordBreach' | 'clearBreaches'
>

export function createIsolation(db: DatabaseSync): IsolationCalls {
  const list = db.prepare('SELECT assistant, strategy, proof, breach FROM isolation')
  const setProof = db.prepare(`
    INSERT INTO isolation (assistant, strategy, proof) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET proof = excluded.proof`)
  const setBreach = db.prepare(`
    INSERT INTO isolation (assistant, strategy, breach) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET breach = coalesce(breach, excluded.breach)`)
  const clearBreaches = db.prepare('UPDATE isolation SET breach = NULL WHERE assistant = ?')
  const key = ({ assistantId, strategy }: IsolationTarget) => [assistantId, strategy] as const

  return {
    isolationRecords: () => list.all().map(toIsolationRecord),
    recordProof: ({ target, proof }) => void setProof.run(...key(target), JSON.stringify(proof)),
    recordBreach: ({ target, evidence }) =>
      void setBreach.run(...key(target), JSON.stringify(evidence)),
    clearBreaches: ({ assistantId }) => void clearBreaches.run(assistantId),
  }
}
