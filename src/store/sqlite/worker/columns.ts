import type { SQLOutputValue, DatabaseSync } from 'node:sqlite'

export type Row = Readonly<Record<string, SQLOutputValue>>

/** The tables whose rows belong to a session and have a key of their own, by their aliases. */
const tables = { c: 'conversations', m: 'messages', r: 'replies', f: 'attachments' } as const

/** Finds the row with a key, if it belongs to the session. */
export type FindOwn = (key: string, session: number) => Row | undefined

/**
 * Prepares a search for a session's own row. The row is found by its row id, and must itself have the key and the session
 * that were asked for: a damaged index leads to no row of another.
 *
 * @param select up to its `FROM` and joins; selects the key as `column`
 * @param also further conditions
 */
export function findOwn(
  db: DatabaseSync,
  alias: keyof typeof tables,
  select: string,
  column = 'key',
  also = '',
): FindOwn {
  const statement = db.prepare(`
    ${select} WHERE ${alias}.id = (SELECT id FROM ${tables[alias]} WHERE key = ?) AND ${alias}.session = ? ${also}`)
  return (key, session) => {
    const row = statement.get(key, session)
    return row?.[column] === key ? row : undefined
  }
}
