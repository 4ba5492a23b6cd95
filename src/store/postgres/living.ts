import type { Clock } from '../../lib/clock.ts'
import { integer, type StoredRow, string } from '../engine/columns.ts'
import { type Sql, sql } from './sql.ts'

export interface LivingOptions {
  readonly clock: Pick<Clock, 'sleep'>
  /** How long the number of an instance stands still until that is dead, in ms. */
  readonly deadAfterMs: number
}

/**
 * Whether an instance has the database, for somebody who is none. The rows of those that were killed are removed, which
 * takes as long as an instance takes to be dead.
 */
export async function hasLiving(
  query: (statement: Sql) => Promise<readonly StoredRow[]>,
  { clock, deadAfterMs }: LivingOptions,
): Promise<boolean> {
  const found = await query(sql`SELECT name, beat FROM instance`)
  if (found.length === 0) return false
  await clock.sleep(deadAfterMs, new AbortController().signal)
  for (const { name, beat } of found) {
    await query(sql`DELETE FROM instance WHERE name = ${string(name)} AND beat = ${integer(beat)}`)
  }
  return (await query(sql`SELECT name FROM instance LIMIT 1`)).length > 0
}
