import type { ReplyId, SessionId } from '../../domain.ts'
import type { UpstreamBinding } from '../../domain/upstream.ts'
import { integer, type StoredRow, string, rowsOf } from '../engine/columns.ts'
import { toBinding } from '../engine/records.ts'
import type { Collision } from '../run-lease.ts'
import type { SessionWrite } from './session-write.ts'
import { type Columns, row, rows, type Sql, sql, raw } from './sql.ts'

/** In the place of an interruption: another was met in the reply's upstream conversation. */
export const breached = 2

/** The columns of a conversation that goes on in a new upstream one, which knows nothing of what was said before. */
export const leftUpstream: Columns = {
  origin: null,
  account: null,
  strategy: null,
  upstream: null,
  generation: raw('generation + 1'),
  reset_pending: 1,
}

const isUpstream = (alias: string, { scope, conversationId }: UpstreamBinding) => {
  const of = raw(alias)
  return sql`${of}.origin = ${scope.origin} AND ${of}.account = ${scope.account} AND ${of}.upstream = ${conversationId}`
}

/** Who has an upstream conversation, and what runs in it. */
export function findBound(binding: UpstreamBinding | undefined): Sql {
  if (binding === undefined) return sql`NULL::json`
  return row(sql`
    SELECT b.session, b.conversation, b.tainted_at, b.deletion_owed, o.key AS owner, o.version AS owner_version, ${rows(sql`
      SELECT r.key FROM conversations c JOIN replies r ON r.session = c.session AND r.conversation = c.id
      WHERE ${isUpstream('c', binding)} AND r.ended_at IS NULL AND r.status <> 'QUEUED'`)} AS in_flight
    FROM bindings b JOIN sessions o ON o.id = b.session WHERE ${isUpstream('b', binding)}`)
}

export interface Bound {
  /** `known`: it was this conversation's before. */
  readonly type: 'bound' | 'known'
  /** The columns of the conversation's own row. */
  readonly columns: Columns
}

/** Binds a conversation of the session. A collision taints the upstream conversation for ever and binds nobody. */
export function bind(
  write: SessionWrite,
  conversation: number,
  binding: UpstreamBinding,
  bound: StoredRow | null,
  at: number,
): Bound | Collision {
  const isOwn =
    bound === null ||
    (bound['tainted_at'] === null &&
      integer(bound['session']) === write.session &&
      integer(bound['conversation']) === conversation)
  if (!isOwn) return collide(write, bound, binding, at)
  const { scope, strategy, conversationId: upstream } = binding
  const where = sql`${isUpstream('bindings', binding)}`
  if (bound === null) {
    write.insert('bindings', { ...scope, upstream, conversation, used_at: at, strategy })
  } else {
    write.update('bindings', { used_at: at, deletion_owed: 0 }, where)
    // It goes on in what it had left: nobody is to delete that any more.
    if (bound['deletion_owed'] === 1) {
      write.remove('outbox', sql`type = 'delete-conversation' AND ${isUpstream('outbox', binding)}`)
    }
  }
  return {
    type: bound === null ? 'bound' : 'known',
    // Bound anew within one run: the upstream conversation before this one is left for ever.
    columns: {
      ...scope,
      strategy,
      upstream,
      generation: sql`generation + CASE WHEN upstream <> ${upstream} THEN 1 ELSE 0 END`,
    },
  }
}

/** Nobody is bound to it ever again, and who was goes on in a new one. */
function collide(
  write: SessionWrite,
  bound: StoredRow,
  binding: UpstreamBinding,
  at: number,
): Collision {
  const owning = integer(bound['session'])
  const isNew = bound['tainted_at'] === null
  // Else a reply that begins in it meanwhile would be none of those that run in it.
  if (isNew && owning !== write.session) write.require(owning, integer(bound['owner_version']))
  const columns = { tainted_at: sql`coalesce(tainted_at, ${at})` }
  write.changeAnyones('bindings', columns, isUpstream('bindings', binding))
  write.changeAnyones('conversations', leftUpstream, isUpstream('conversations', binding))
  // What was decided in their sessions on what they had is decided anew.
  write.changeAnyones(
    'sessions',
    { version: raw('version + 1') },
    sql`id <> owner AND (id = ${owning} OR id IN (
      SELECT c.session FROM conversations c WHERE ${isUpstream('c', binding)}))`,
  )
  const inFlight = rowsOf(bound['in_flight']).map((one) => string(one['key']) as ReplyId)
  // What runs in it on other instances loses its lease: whoever takes that over fails it.
  write.changeAnyones(
    'replies',
    { interrupted: breached, fence: null, instance: '' },
    sql`key = ANY(${[...inFlight]}::text[]) AND ended_at IS NULL AND instance <> ${write.instance.name}`,
  )
  const owner = string(bound['owner']) as SessionId
  return { type: 'collision', owner, isNew, inFlight }
}

/** Every upstream conversation that was ever the conversation `c`'s, the longest unused first. */
export function selectBindings(isAll: boolean): Sql {
  return sql`
    SELECT b.conversation, b.origin, b.account, b.upstream, b.strategy FROM bindings b
    WHERE b.session = c.session AND b.conversation = c.id ${raw(isAll ? '' : 'AND b.deletion_owed = 0')}
    ORDER BY b.used_at, b.upstream IS NOT DISTINCT FROM c.upstream`
}

export function toBindings(found: unknown): readonly UpstreamBinding[] {
  return rowsOf(found).flatMap((one) => toBinding(one) ?? [])
}
