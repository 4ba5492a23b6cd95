import type { Clock } from '../../lib/clock.ts'
import { integer, rowsOf } from '../engine/columns.ts'
import { type Database, StatementError } from './database.ts'
import { raw, rows, sql } from './sql.ts'

/** Messages whose rows one statement takes away, with the replies to them. */
const maxMessages = 200
/** How often an instance looks for what another one has left, in ms: one that died, or that could not write. */
const everyMs = 60_000

/**
 * Takes away what deleted conversations have left. Nobody reads a row whose conversation is gone, so that deleting one is a
 * short write however much it holds; its other rows go in pieces, each of which is a transaction of its own. What is left is
 * listed in `deletions` until the last piece: whoever comes next goes on after a crash. Two instances never take the same one.
 */
export class Sweeper implements AsyncDisposable {
  readonly #db: Database
  readonly #clock: Clock
  #timer: Disposable | undefined
  #sweeping: Promise<void> | undefined
  #isWanted = false
  #isEnded = false

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** Looks for what was left, now and at an interval. Resolves once that is known. */
  async begin(): Promise<void> {
    if (await this.#piece()) this.wake()
    this.#schedule()
  }

  /** Something was deleted. */
  wake(): void {
    this.#isWanted = true
    if (this.#isEnded) return
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined
      if (this.#isWanted) this.wake()
    })
  }

  async #sweep(): Promise<void> {
    this.#isWanted = false
    try {
      while (!this.#isEnded && (await this.#piece()));
    } catch (error) {
      // It is tried again at the next interval. That the store fails is told by whoever waits for it.
      if (!(error instanceof StatementError) || error.outcome === 'bug') throw error
    }
  }

  /** False: nothing is left, or another instance is taking it away. */
  async #piece(): Promise<boolean> {
    const [left] = await this.#db.query(sql`
      SELECT d.session, d.conversation, ${rows(sql`
        SELECT m.id FROM messages m WHERE m.session = d.session AND m.conversation = d.conversation
        ORDER BY m.id LIMIT ${maxMessages}`)} AS messages
      FROM deletions d ORDER BY d.session, d.conversation LIMIT 1`)
    if (left === undefined) return false
    const conversation = sql`session = ${integer(left['session'])} AND conversation = ${integer(left['conversation'])}`
    const ids = rowsOf(left['messages']).map((one) => integer(one['id']))
    if (ids.length === 0) {
      await this.#db.query(sql`DELETE FROM deletions WHERE ${conversation}`)
      return true
    }
    const isOf = (column: string) => sql`session = owner AND ${raw(column)} = ANY(${ids}::int[])`
    const [found] = await this.#db.query(sql`
      WITH guard AS (
        SELECT session AS owner FROM deletions WHERE ${conversation} FOR UPDATE SKIP LOCKED),
      gone AS (
        DELETE FROM replies USING guard WHERE ${isOf('id')}
        RETURNING id, coalesce(started_seq, ended_seq) AS first, ended_seq AS last),
      messages AS (DELETE FROM messages USING guard WHERE ${isOf('id')}),
      texts AS (DELETE FROM texts USING guard WHERE ${isOf('reply')}),
      keys AS (DELETE FROM idempotency USING guard WHERE ${isOf('reply')}),
      -- Number and check stay, for readers that have seen them.
      events AS (
        UPDATE events SET reply = NULL, type = 'deleted', payload = NULL FROM gone, guard
        WHERE events.session = owner AND events.reply = gone.id AND events.seq BETWEEN gone.first AND gone.last)
      SELECT count(*) AS taken FROM guard`)
    return integer(found?.['taken']) > 0
  }

  #schedule(): void {
    if (this.#isEnded) return
    this.#timer = this.#clock.timer(everyMs, () => {
      this.wake()
      this.#schedule()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true
    this.#timer?.[Symbol.dispose]()
    await this.#sweeping
  }
}
