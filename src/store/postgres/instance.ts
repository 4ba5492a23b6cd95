import type { Clock } from '../../lib/clock.ts'
import { integer, string } from '../engine/columns.ts'
import { StoreOpenError } from '../store.ts'
import { type Database, StatementError } from './database.ts'
import { sql } from './sql.ts'

/** How often a gateway says that it is alive, in ms, and how long another one's word must stand still until it is dead. */
export interface Heartbeat {
  readonly everyMs: number
  readonly deadAfterMs: number
}

export const defaultHeartbeat: Heartbeat = { everyMs: 1_000, deadAfterMs: 5_000 }

export interface InstanceOptions {
  readonly db: Database
  readonly clock: Clock
  /** The name that this start of this gateway has, and no other. */
  readonly name: string
  readonly heartbeat: Heartbeat
  /** Ends the watching of another gateway. */
  readonly signal: AbortSignal
  /** Hears that another gateway has taken the database over. */
  readonly onLost: () => void
}

/**
 * Takes the database for this gateway alone: at once where nobody has it, and from a gateway whose heartbeat stands still.
 * No clock is compared with another: what stands still is watched here.
 *
 * @throws {@link StoreOpenError} where another gateway is alive
 */
export async function takeDatabase(options: InstanceOptions): Promise<AsyncDisposable> {
  const { db, clock, name, heartbeat, signal } = options
  let seen = await beatOf(db)
  let standsSince = clock.monotonic()
  while (
    seen !== undefined &&
    !(await replace(db, name, seen, clock.monotonic() - standsSince, heartbeat))
  ) {
    await clock.sleep(heartbeat.everyMs, signal)
    const now = await beatOf(db)
    if (now !== undefined && now.name === seen.name && now.beat !== seen.beat) {
      throw new StoreOpenError('the database is in use by another gateway')
    }
    if (now?.name !== seen.name) standsSince = clock.monotonic()
    seen = now
  }
  if (seen === undefined && !(await insert(db, name))) {
    throw new StoreOpenError('the database is in use by another gateway, which has just started')
  }
  return keepAlive(options)
}

interface Beat {
  readonly name: string
  readonly beat: number
}

async function beatOf(db: Database): Promise<Beat | undefined> {
  const [found] = await db.query(sql`SELECT name, beat FROM instance`)
  return found && { name: string(found['name']), beat: integer(found['beat']) }
}

async function insert(db: Database, name: string): Promise<boolean> {
  const done = await db.query(
    sql`INSERT INTO instance (name, beat) VALUES (${name}, 1) ON CONFLICT DO NOTHING RETURNING name`,
  )
  return done.length === 1
}

/** Takes the place of a gateway that has stood still for long enough, unless it has moved since. */
async function replace(
  db: Database,
  name: string,
  seen: Beat,
  stoodMs: number,
  { deadAfterMs }: Heartbeat,
): Promise<boolean> {
  if (stoodMs < deadAfterMs) return false
  const done = await db.query(sql`
    UPDATE instance SET name = ${name}, beat = 1 WHERE name = ${seen.name} AND beat = ${seen.beat} RETURNING name`)
  return done.length === 1
}

function keepAlive({ db, clock, name, heartbeat, onLost }: InstanceOptions): AsyncDisposable {
  let timer: Disposable | undefined
  let beating: Promise<void> = Promise.resolve()
  let isEnded = false

  async function beat(): Promise<void> {
    try {
      const done = await db.query(
        sql`UPDATE instance SET beat = beat + 1 WHERE name = ${name} RETURNING name`,
      )
      if (done.length === 0 && !isEnded) {
        isEnded = true
        onLost()
      }
    } catch (error) {
      // A database that is away for a while makes nobody dead: whoever would take over cannot reach it either.
      if (!(error instanceof StatementError)) throw error
    }
    schedule()
  }

  function schedule(): void {
    if (isEnded) return
    timer = clock.timer(heartbeat.everyMs, () => {
      beating = beat()
    })
  }

  schedule()
  return {
    async [Symbol.asyncDispose]() {
      isEnded = true
      timer?.[Symbol.dispose]()
      await beating
      // The next gateway need not wait for this one to be dead.
      await db.query(sql`DELETE FROM instance WHERE name = ${name}`).catch(() => [])
    },
  }
}
