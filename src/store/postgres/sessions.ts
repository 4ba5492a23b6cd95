import type { Session, SessionId, SessionName } from '../../domain.ts'
import type { Clock } from '../../lib/clock.ts'
import type { NewId } from '../../lib/id.ts'
import { type StoredRow, string } from '../engine/columns.ts'
import type { ArgsOf, ResultOf } from '../main-half/calls.ts'
import type { WrittenEvent } from '../main-half/stored.ts'
import { StoreError } from '../store.ts'
import { type Database, StatementError } from './database.ts'
import { sessionColumns, SessionWrite, type WritingInstance } from './session-write.ts'
import { list, type Sql, sql, raw } from './sql.ts'

/** How often a write is decided anew before it is given up: others write in the session all the time. */
const maxAttempts = 10
/** How long to wait before the outcome of a write whose answer was lost is asked for again, in ms. */
const pauseMs = 250
/** How long it is asked for before its caller is told that the outcome is not known, in ms. */
const doubtMs = 10_000

export interface SessionsParts {
  readonly db: Database
  readonly clock: Clock
  readonly newId: NewId
  /** This instance, among those that share the database. */
  readonly presence: WritingInstance
  /** Ends what waits for a database that is away. */
  readonly signal: AbortSignal
}

/** What was found, under the names that it was asked for by. */
export type Find = Readonly<Record<string, Sql>>

/** Reads of a session, and writes that are decided on what was read. */
export class Sessions {
  readonly #parts: SessionsParts

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  /** The stored session, or, when first seen, one with this name. */
  async open({ id, name, at }: ArgsOf<'openSession'>): Promise<ResultOf<'openSession'>> {
    const { db } = this.#parts
    // One statement sees no row that another adds meanwhile: whoever lost the race finds it the second time.
    for (;;) {
      const [found] = await db.query(sql`
        WITH added AS (
          INSERT INTO sessions (key, name, created_at) SELECT ${id}, ${name}, ${at}
          WHERE NOT EXISTS (SELECT FROM sessions WHERE key = ${id})
          ON CONFLICT DO NOTHING RETURNING name)
        SELECT name, 1 AS is_new FROM added UNION ALL SELECT name, 0 FROM sessions WHERE key = ${id}`)
      if (found === undefined) continue
      const session: Session = { id, name: string(found['name']) as SessionName }
      return { session, isNew: found['is_new'] === 1 }
    }
  }

  /** What is asked for of a session `s`; undefined: it was never opened. */
  async read(sessionId: SessionId, find: Find): Promise<StoredRow | undefined> {
    const found = await this.#parts.db.query(
      sql`SELECT ${named(find)} FROM sessions s WHERE s.key = ${sessionId}`,
    )
    return found[0]
  }

  /** What a write is decided on. */
  async ask(sessionId: SessionId, find: Find): Promise<StoredRow> {
    const [found] = await this.#parts.db.query(sql`
      SELECT ${list([sessionColumns, ...pieces(find)])} FROM sessions s WHERE s.key = ${sessionId}`)
    if (found === undefined) throw new TypeError('the session was not opened')
    return found
  }

  /**
   * Decides on what is found, and writes what was decided: anew where somebody was faster.
   * @param known what `ask` has found before: nothing is refused on it, as it may be old
   */
  async change<T>(
    sessionId: SessionId,
    find: Find,
    decide: (found: StoredRow, write: SessionWrite) => T,
    context: CallContext,
    known?: StoredRow,
  ): Promise<T> {
    const { presence, newId } = this.#parts
    let before = known
    for (let attempts = 0; attempts < maxAttempts; attempts += 1) {
      const found = before ?? (await this.ask(sessionId, find))
      const write = new SessionWrite(found, presence, newId)
      const decided = decide(found, write)
      const isOld = before !== undefined
      before = undefined
      if (write.isEmpty && isOld) continue
      if (write.isEmpty) return decided
      if (await this.#commit(write, context)) {
        context.events.push(...write.events)
        return decided
      }
    }
    throw new StoreError('unavailable', 'others write in the session all the time')
  }

  /** False: somebody was faster, and nothing of it was done. */
  async #commit(write: SessionWrite, { isInDoubt, committed }: CallContext): Promise<boolean> {
    const { clock } = this.#parts
    const statement = write.toSql()
    const startedAt = clock.monotonic()
    for (let lostAt: number | undefined; ;) {
      const wasLost = lostAt !== undefined
      try {
        const done = await this.#parts.db.query(statement)
        committed(clock.monotonic() - startedAt)
        // Where it was done before, it finds the session written, and by itself.
        return done.length === 1 || (wasLost && (await this.#isDone(write)))
      } catch (error) {
        if (!(error instanceof StatementError)) throw error
        if (error.outcome === 'conflict') return wasLost && (await this.#isDone(write))
        if (error.outcome === 'bug') throw error
        if (error.outcome === 'refused' && !wasLost) throw error
        lostAt ??= clock.monotonic()
        isInDoubt()
        await this.#pause(error, lostAt)
      }
    }
  }

  async #isDone({ session, token }: SessionWrite): Promise<boolean> {
    const found = await this.#parts.db.query(
      sql`SELECT 1 AS done FROM sessions WHERE id = ${session} AND written_by = ${token}`,
    )
    return found.length === 1
  }

  async #pause(cause: Error, lostAt: number): Promise<void> {
    const { clock, signal } = this.#parts
    const isOver = clock.monotonic() - lostAt >= doubtMs
    try {
      if (!isOver) return await clock.sleep(pauseMs, signal)
    } catch {
      // The store is closed.
    }
    throw new StoreError('unknown', 'whether it was stored is not known', { cause })
  }
}

/** What belongs to one call. */
export interface CallContext {
  /** What it has written. */
  readonly events: WrittenEvent[]
  /** Hears that the answer to its write was lost, and that its outcome is being asked for. */
  readonly isInDoubt: () => void
  /** Hears how long a write took, in ms. */
  readonly committed: (ms: number) => void
}

const pieces = (find: Find) =>
  Object.entries(find).map(([name, piece]) => sql`${piece} AS ${raw(name)}`)

const named = (find: Find) => list(pieces(find))
