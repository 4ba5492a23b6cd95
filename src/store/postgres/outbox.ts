import type { NewId } from '../../lib/id.ts'
import { integerOrNull, type StoredRow } from '../engine/columns.ts'
import { owedColumns, toOwedWork } from '../engine/owed-work.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { OwedCall, OwedWork } from '../outbox.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import type { SessionWrite } from './session-write.ts'
import { type Sql, sql, raw } from './sql.ts'

export type OutboxCalls = Pick<EngineCalls, 'takeOwed' | 'settleOwed' | 'postponeOwed' | 'nextOwed'>

const columns = raw(`
  o.id, s.key AS session_key, o.session_name, o.type, o.assistant, o.origin, o.account, o.strategy, o.upstream,
  o.chat, o.attempts, o.owed_since`)

/** What is owed from now on, in the write of what it is owed for. */
export function owe(
  write: SessionWrite,
  calls: readonly OwedCall[],
  newId: NewId,
  at: number,
): readonly OwedWork[] {
  const owed = calls.map((call) => ({ id: newId(), place: write.nextRow(), ...owedColumns(call) }))
  const all = (name: keyof (typeof owed)[number]) => sql`${owed.map((one) => one[name])}::text[]`
  if (owed.length > 0) {
    write.add(sql`
      INSERT INTO outbox (session, session_name, owed_since, due_at, id, place, type, assistant, origin, account, strategy,
        upstream, chat)
      SELECT owner, ${write.name}, ${at}, ${at}, new.id, new.place::int, new.type, new.assistant, new.origin, new.account,
        new.strategy, new.upstream, new.chat
      FROM guard, unnest(${all('id')}, ${all('place')}, ${all('type')}, ${all('assistant')}, ${all('origin')},
        ${all('account')}, ${all('strategy')}, ${all('upstream')}, ${all('chat')})
        AS new (id, place, type, assistant, origin, account, strategy, upstream, chat)`)
  }
  const of = { session_key: write.sessionId, session_name: write.name, attempts: 0, owed_since: at }
  return owed.map((one) => toOwedWork({ ...one, ...of }))
}

/** All that is owed for the session `s`, the oldest first. */
export const selectOwed: Sql = sql`SELECT ${columns} FROM outbox o WHERE o.session = s.id ORDER BY o.place`

export function createOutbox(db: Database): AsyncCalls<OutboxCalls> {
  return {
    async takeOwed({ now, leaseMs, limit }) {
      const found = await db.query(sql`
        WITH due AS (
          SELECT id, due_at, place FROM outbox WHERE due_at <= ${now} ORDER BY due_at, place LIMIT ${limit}
          FOR UPDATE SKIP LOCKED),
        taken AS (UPDATE outbox SET due_at = ${now + leaseMs} FROM due WHERE outbox.id = due.id)
        SELECT ${columns} FROM due JOIN outbox o ON o.id = due.id JOIN sessions s ON s.id = o.session
        ORDER BY due.due_at, due.place`)
      return found.map(toOwedWork)
    },
    async settleOwed({ ids }) {
      await db.query(sql`DELETE FROM outbox WHERE id = ANY(${[...ids]}::text[])`)
    },
    async postponeOwed({ id, dueAt }) {
      await db.query(
        sql`UPDATE outbox SET due_at = ${dueAt}, attempts = attempts + 1 WHERE id = ${id}`,
      )
    },
    async nextOwed() {
      const [first]: readonly StoredRow[] = await db.query(
        sql`SELECT due_at FROM outbox ORDER BY due_at, place LIMIT 1`,
      )
      return integerOrNull(first?.['due_at'] ?? null) ?? undefined
    },
  }
}
