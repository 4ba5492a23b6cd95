import type { Clock } from '../../lib/clock.ts'
import { integer, rowsOf, string } from '../engine/columns.ts'
import { type Database, StatementError } from './database.ts'
import { raw, rows, sql } from './sql.ts'

/** How often an instance says that it is alive, in ms, and how long another one's word must stand still until that is dead. */
export interface Heartbeat {
  readonly everyMs: number
  readonly deadAfterMs: number
}

/** A few beats may be late before an instance counts as dead. */
export function heartbeatFor(deadAfterMs: number): Heartbeat {
  return { everyMs: Math.min(1_000, deadAfterMs / 6), deadAfterMs }
}

export interface PresenceOptions {
  readonly db: Database
  readonly clock: Clock
  /** The name that this start of this instance has, and no other. */
  readonly name: string
  readonly heartbeat: Heartbeat
  /** The fences of the leases that are held in memory. */
  readonly held: () => readonly string[]
  /** Hears which of those another instance has taken, or whose replies have ended. */
  readonly onLost: (fences: readonly string[]) => void
  /** Hears how many instances live, this one among them. */
  readonly onLive: (count: number) => void
  /** Hears what the monotonic time is to be added to for the time of the database. */
  readonly onTime: (offsetMs: number) => void
  readonly onDead: (name: string) => void
}

const isRunning = raw(`status IN ('RUNNING', 'ACTION_REQUIRED')`)

/** The beat of another instance, and since when this one has seen it stand still without a break of its own. */
interface Peer {
  readonly beat: number
  readonly since: number
}

/**
 * One instance among those that share the database, each with a row whose number it raises. No clock is compared with
 * another: an instance is dead once its number stood still for so long while this one wrote its own without a break, so
 * that a database that is away for all makes nobody dead. The row of a dead one is removed; what it ran is then nobody's.
 *
 * With each beat an instance reads back which replies it runs: it lets go of leases that it has lost, and gives up replies
 * that are in its name and that it does not know of, as where the answer to a claim was lost.
 */
export class Presence implements AsyncDisposable {
  readonly name: string
  readonly #options: PresenceOptions
  readonly #peers = new Map<string, Peer>()
  /** Leases in its name that it did not hold at the last beat. */
  #strays: readonly string[] = []
  /** When the last beat that was written was asked for. */
  #beatAt = -Infinity
  #live = 1
  #offsetMs: number | undefined
  #timer: Disposable | undefined
  #beating: Promise<void> = Promise.resolve()
  #isEnded = false

  constructor(options: PresenceOptions) {
    this.name = options.name
    this.#options = options
  }

  /** The others cannot believe that it is dead: it may claim replies and take them over. */
  get isFresh(): boolean {
    const { clock, heartbeat } = this.#options
    return clock.monotonic() - this.#beatAt < (heartbeat.deadAfterMs * 2) / 3
  }

  /** Says for the first time that it lives, and goes on to. @throws {@link StatementError} */
  async begin(): Promise<void> {
    await this.#beat()
    this.#schedule()
  }

  async #beat(): Promise<void> {
    const { db, clock } = this.#options
    const held = this.#options.held()
    const askedAt = clock.monotonic()
    const [found] = await db.query(sql`
      WITH beat AS (
        INSERT INTO instance (name, beat) VALUES (${this.name}, 1)
        ON CONFLICT (name) DO UPDATE SET beat = instance.beat + 1)
      SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
        ${rows(sql`SELECT name, beat FROM instance WHERE name <> ${this.name}`)} AS peers,
        ${rows(sql`
          SELECT coalesce(fence, '') AS fence FROM replies
          WHERE instance = ${this.name} AND ended_at IS NULL AND ${isRunning}`)} AS leases`)
    if (this.#isEnded) return
    this.#setTime(integer(found?.['now']), askedAt, clock.monotonic())
    const isUnbroken = askedAt - this.#beatAt <= this.#breakMs
    this.#beatAt = askedAt
    const leases = rowsOf(found?.['leases']).map((one) => string(one['fence']))
    this.#compare(held, leases)
    this.#watch(
      rowsOf(found?.['peers']).map((one) => [string(one['name']), integer(one['beat'])]),
      isUnbroken,
    )
    await this.#giveUp(leases.filter((fence) => !held.includes(fence)))
    await this.#bury()
  }

  /** The database said its time at some moment in between: what it was taken for stands where that is possible. */
  #setTime(now: number, askedAt: number, heardAt: number): void {
    const [least, most] = [now - heardAt, now - askedAt]
    const before = this.#offsetMs ?? (least + most) / 2
    const offsetMs = Math.min(Math.max(before, least), most)
    if (offsetMs === this.#offsetMs) return
    this.#offsetMs = offsetMs
    this.#options.onTime(offsetMs)
  }

  /** So long after a beat the next one is late. */
  get #breakMs(): number {
    const { everyMs, deadAfterMs } = this.#options.heartbeat
    return Math.max(3 * everyMs, deadAfterMs / 4)
  }

  #compare(held: readonly string[], leases: readonly string[]): void {
    const stored = new Set(leases)
    const lost = held.filter((fence) => !stored.has(fence))
    if (lost.length > 0) this.#options.onLost(lost)
  }

  #watch(beats: readonly (readonly [string, number])[], isUnbroken: boolean): void {
    const seen = new Map(this.#peers)
    this.#peers.clear()
    for (const [name, beat] of beats) {
      const before = seen.get(name)
      const stands = isUnbroken && before?.beat === beat
      this.#peers.set(name, { beat, since: stands ? before.since : this.#beatAt })
    }
    const live = this.#peers.size + 1
    if (live === this.#live) return
    this.#live = live
    this.#options.onLive(live)
  }

  /** A claim may be on its way to this instance still: it is given up once two beats have met it. */
  async #giveUp(unknown: readonly string[]): Promise<void> {
    const strays = unknown.filter((fence) => this.#strays.includes(fence))
    this.#strays = unknown
    if (strays.length === 0) return
    await this.#options.db.query(sql`
      UPDATE replies SET instance = ''
      WHERE instance = ${this.name} AND ended_at IS NULL AND ${isRunning} AND coalesce(fence, '') = ANY(${strays}::text[])`)
  }

  async #bury(): Promise<void> {
    const { db, heartbeat, onDead } = this.#options
    for (const [name, { beat, since }] of this.#peers) {
      if (this.#beatAt - since < heartbeat.deadAfterMs) continue
      // Where it has moved since, it lives.
      const done = await db.query(
        sql`DELETE FROM instance WHERE name = ${name} AND beat = ${beat} RETURNING name`,
      )
      if (done.length > 0) onDead(name)
    }
  }

  #schedule(): void {
    if (this.#isEnded) return
    const { clock, heartbeat } = this.#options
    this.#timer = clock.timer(heartbeat.everyMs, () => {
      this.#beating = this.#beat()
        .catch((error: unknown) => {
          // It is not fresh for long, and tries again.
          if (!(error instanceof StatementError)) throw error
        })
        .finally(() => this.#schedule())
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true
    this.#timer?.[Symbol.dispose]()
    await this.#beating
    // The others need not wait for it to be dead.
    await this.#options.db
      .query(sql`DELETE FROM instance WHERE name = ${this.name}`)
      .catch(() => [])
  }
}
