import type { DatabaseSync } from 'node:sqlite'
import type { SessionName } from '../../../domain.ts'
import type { OwedCall, OwedWork } from '../../outbox.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { integer, integerOrNull } from '../../engine/columns.ts'
import { owedColumns, toOwedWork } from '../../engine/owed-work.ts'

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
      const { lastInsertRowid } = insert.run({ session, name, at, ...owedColumns(call) })
      const row = one.get(lastInsertRowid)
      if (row === undefined) throw new TypeError('what was just owed is not there')
      return toOwedWork(row)
    },
    ofSession: (session) => ofSession.all(session).map(toOwedWork),
    takeOwed({ now, leaseMs, limit }) {
      const rows = due.all(now, limit)
      for (const row of rows) setDue.run(now + leaseMs, integer(row['id']))
      return rows.map(toOwedWork)
    },
    settleOwed({ ids }) {
      for (const id of ids) remove.run(Number(id))
    },
    postponeOwed: ({ id, dueAt }) => void postpone.run(dueAt, Number(id)),
    nextOwed: () => integerOrNull(next.get()?.['due_at'] ?? null) ?? undefined,
  }
}
