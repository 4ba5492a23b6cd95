import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, SessionId, SessionName } from '../../../domain.ts'
import type { OwedCall, OwedWork, OwedWorkId } from '../../outbox.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { toUpstreamAccount } from './rows.ts'
import { integer, integerOrNull, string, stringOrNull, type Row } from './columns.ts'

export interface OwingSession {
  readonly session: number
  readonly name: SessionName
}

export interface OutboxWork extends Pick<
  EngineCalls,
  'takeOwed' | 'settleOwed' | 'postponeOwed' | 'nextOwed'
> {
  /** Writes what is owed from now on, in the transaction of what it is owed for. */
  owe(owing: OwingSession, call: OwedCall, at: number): OwedWork
  /** All that is owed for a session, the oldest first. */
  ofSession(session: number): readonly OwedWork[]
}

export function createOutbox(db: DatabaseSync): OutboxWork {
  const select = `
    SELECT o.id, s.key AS session_key, o.session_name, o.type, o.assistant, o.origin, o.account, o.strategy, o.upstream,
      o.chat, o.attempts, o.owed_since FROM outbox o JOIN sessions s ON s.id = o.session`
  const insert = db.prepare(`
    INSERT INTO outbox
      (session, session_name, type, assistant, origin, account, strategy, upstream, chat, owed_since, due_at)
    VALUES (:session, :name, :type, :assistant, :origin, :account, :strategy, :upstream, :chat, :at, :at)`)
  const one = db.prepare(`${select} WHERE o.id = ?`)
  const ofSession = db.prepare(`${select} WHERE o.session = ? ORDER BY o.id`)
  const due = db.prepare(`${select} WHERE o.due_at <= ? ORDER BY o.due_at, o.id LIMIT ?`)
  const setDue = db.prepare('UPDATE outbox SET due_at = ? WHERE id = ?')
  const postpone = db.prepare('UPDATE outbox SET due_at = ?, attempts = attempts + 1 WHERE id = ?')
  const remove = db.prepare('DELETE FROM outbox WHERE id = ?')
  const next = db.prepare('SELECT due_at FROM outbox ORDER BY due_at LIMIT 1')

  return {
    owe({ session, name }, call, at) {
      const { lastInsertRowid } = insert.run({ session, name, at, ...toColumns(call) })
      const row = one.get(lastInsertRowid)
      if (row === undefined) throw new TypeError('what was just owed is not there')
      return toWork(row)
    },
    ofSession: (session) => ofSession.all(session).map(toWork),
    takeOwed({ now, leaseMs, limit }) {
      const rows = due.all(now, limit)
      for (const row of rows) setDue.run(now + leaseMs, integer(row['id']))
      return rows.map(toWork)
    },
    settleOwed({ ids }) {
      for (const id of ids) remove.run(Number(id))
    },
    postponeOwed: ({ id, dueAt }) => void postpone.run(dueAt, Number(id)),
    nextOwed: () => integerOrNull(next.get()?.['due_at'] ?? null) ?? undefined,
  }
}

function toColumns(call: OwedCall) {
  const { scope, strategy } = call.type === 'clear-variables' ? call.account : call.upstream
  return {
    type: call.type,
    assistant: call.assistantId,
    origin: scope.origin,
    account: scope.account,
    strategy,
    upstream: call.type === 'clear-variables' ? null : call.upstream.conversationId,
    chat: call.type === 'cancel-chat' ? call.chatId : null,
  }
}

function toWork(row: Row): OwedWork {
  return {
    id: String(integer(row['id'])) as OwedWorkId,
    session: {
      id: string(row['session_key']) as SessionId,
      name: string(row['session_name']) as SessionName,
    },
    attempts: integer(row['attempts']),
    owedSince: integer(row['owed_since']),
    ...toCall(row),
  }
}

function toCall(row: Row): OwedCall {
  const account = toUpstreamAccount(row)
  const assistantId = stringOrNull(row['assistant'] ?? null) as AssistantId | null
  const type = string(row['type'])
  if (type === 'clear-variables') return { type, assistantId, account }
  if (assistantId === null) throw new TypeError('what is owed has no assistant')
  const upstream = { ...account, conversationId: string(row['upstream']) }
  if (type === 'delete-conversation') return { type, assistantId, upstream }
  if (type === 'cancel-chat') return { type, assistantId, upstream, chatId: string(row['chat']) }
  throw new TypeError(`unknown work in the store: ${type}`)
}
