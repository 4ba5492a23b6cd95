import type { DatabaseSync } from 'node:sqlite'
import type { SessionId, SessionName } from '../../../domain.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { integer, string } from '../../engine/columns.ts'
import type { FindOwn, Row } from './columns.ts'

export interface SessionRow {
  readonly session: number
  readonly sessionId: SessionId
  readonly name: SessionName
  readonly generation: number
}

export interface SessionRows extends Pick<EngineCalls, 'openSession'> {
  /** Undefined: no such session was ever opened. */
  find(id: SessionId): SessionRow | undefined
  /** A session's own row with the session's; undefined: there is none. */
  row(
    find: FindOwn,
    id: SessionId,
    key: string,
  ): { readonly session: number; readonly row: Row } | undefined
  /** The row of a session that is opened before it is used. */
  get(id: SessionId): SessionRow
}

export function createSessionRows(db: DatabaseSync): SessionRows {
  // By its row id, so that the key is read from the row itself.
  const find = db.prepare(`
    SELECT s.id, s.key, s.name, s.generation FROM sessions s WHERE s.id = (SELECT id FROM sessions WHERE key = ?)`)
  const insert = db.prepare(
    'INSERT INTO sessions (key, name, generation, created_at) VALUES (?, ?, 0, ?)',
  )

  function lookUp(id: SessionId): SessionRow | undefined {
    const row = find.get(id)
    if (row === undefined || row['key'] !== id) return undefined
    return {
      session: integer(row['id']),
      sessionId: id,
      name: string(row['name']) as SessionName,
      generation: integer(row['generation']),
    }
  }

  return {
    find: lookUp,
    row(findRow, id, key) {
      const session = lookUp(id)?.session
      const row = session === undefined ? undefined : findRow(key, session)
      return session === undefined || row === undefined ? undefined : { session, row }
    },
    get(id) {
      const found = lookUp(id)
      if (found === undefined) throw new TypeError('the session was not opened')
      return found
    },
    openSession({ id, name, at }) {
      const found = lookUp(id)
      if (found !== undefined) return { session: { id, name: found.name }, isNew: false }
      insert.run(id, name, at)
      return { session: { id, name }, isNew: true }
    },
  }
}
