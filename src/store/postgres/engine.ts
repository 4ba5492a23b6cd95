import type { SessionId } from '../../domain.ts'
import type { Clock } from '../../lib/clock.ts'
import type { NewId } from '../../lib/id.ts'
import type { ArgsOf } from '../main-half/calls.ts'
import type { Engine, EngineListener } from '../main-half/engine-client.ts'
import type { AnswerMessage, CallMessage, CallOf } from '../main-half/messages.ts'
import type { WrittenEvent } from '../main-half/stored.ts'
import { StoreError, StoreOpenError } from '../store.ts'
import { Database, type DatabaseOptions, StatementError, toStoreError } from './database.ts'
import { Lanes } from './lanes.ts'
import { prepareDatabase } from './migration.ts'
import { type Heartbeat, Presence } from './presence.ts'
import { Sessions } from './sessions.ts'
import { Sweeper } from './sweeper.ts'
import { createTable, type Table } from './table.ts'

export interface PostgresEngineOptions extends DatabaseOptions {
  readonly sessionKeyCheck: string
  readonly heartbeat: Heartbeat
  readonly maxRunningPerSession: number
  readonly clock: Clock
  readonly newId: NewId
  /** The name that this start of this instance has, and no other. */
  readonly name: string
}

/** A beat that is answered later than this, in ms, is given up, and the server is away: it neither answers nor refuses. */
const beatMs = 3_000
/** How long closing waits for statements, and for the outcome of writes that are in doubt, in ms. */
const closingMs = 2_000

type TableCall = CallOf<keyof Table>

/** Answers calls by statements to a PostgreSQL server. */
export class PostgresEngine implements Engine {
  readonly #options: PostgresEngineOptions
  readonly #listener: EngineListener
  readonly #db: Database
  /** A heartbeat waits behind no other statement. */
  readonly #heart: Database
  readonly #lanes = new Lanes()
  /** Sessions whose last write is in doubt: until its outcome is known nothing is taken for them. */
  readonly #inDoubt = new Set<SessionId>()
  readonly #ending = new AbortController()
  #table: Table | undefined
  #presence: Presence | undefined
  readonly #sweeper: Sweeper
  /** The last write that could have been done was not, which is told once. */
  #isFailing = false
  readonly #underWay = new Set<Promise<void>>()

  constructor(options: PostgresEngineOptions, listener: EngineListener) {
    this.#options = options
    this.#listener = listener
    this.#db = new Database(options)
    this.#heart = new Database({
      ...options,
      maxConnections: 1,
      answerMs: beatMs,
      watch: {
        clock: options.clock,
        onOutcome: (isSilent) =>
          isSilent ? this.#db.pause('the server does not answer') : this.#db.resume(),
      },
    })
    this.#sweeper = new Sweeper(this.#db, options.clock)
    void this.#open()
  }

  post(calls: readonly CallMessage[]): void {
    for (const call of calls) {
      if (call.method === 'close') void this.#close(call.id)
      else if (call.method === 'checkFile')
        this.#answer({ id: call.id, type: 'done', value: 'ok', events: [] })
      else this.#take(call)
    }
  }

  /** Its connections keep the process alive while they are used. */
  keepAlive(): void {}

  async terminate(): Promise<void> {
    this.#ending.abort()
    await this.#presence?.[Symbol.asyncDispose]()
    this.#presence = undefined
    await this.#sweeper[Symbol.asyncDispose]()
    await this.#db[Symbol.asyncDispose]()
    await this.#heart[Symbol.asyncDispose]()
  }

  async #open(): Promise<void> {
    const { clock, newId, name, heartbeat, sessionKeyCheck, maxRunningPerSession } = this.#options
    const db = this.#db
    const { signal } = this.#ending
    try {
      const { deadAfterMs } = heartbeat
      await prepareDatabase({ ...this.#options, deadAfterMs }, sessionKeyCheck)
      const presence = new Presence({
        db: this.#heart,
        clock,
        name,
        heartbeat,
        held: () => this.#listener.held(),
        onLost: (fences) => this.#listener.message({ type: 'lost', fences }),
        onLive: (count) => this.#listener.message({ type: 'live', count }),
        onTime: (offsetMs) => this.#listener.message({ type: 'time', offsetMs }),
        onDead: (name) => this.#note('warn', 'another instance is dead', { name }),
      })
      await presence.begin()
      this.#presence = presence
      const sessions = new Sessions({ db, clock, newId, presence, signal })
      const sweeper = this.#sweeper
      await sweeper.begin()
      this.#table = createTable({
        db,
        sessions,
        presence,
        lanes: this.#lanes,
        maxRunningPerSession,
        sweeper,
        clock,
        newId,
      })
      this.#listener.message({ type: 'opened', running: 0 })
    } catch (error) {
      this.#listener.message({ type: 'refused', message: explain(error) })
    }
  }

  #take(call: TableCall): void {
    const work = this.#perform(call)
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
  }

  async #perform(call: TableCall): Promise<void> {
    const table = this.#table
    const sessionId = sessionOf(call)
    const events: WrittenEvent[] = []
    let commitMs = 0
    const committed = (ms: number) => (commitMs += ms)
    let isDoubtful = false
    const isInDoubt = () => {
      isDoubtful = true
      if (sessionId !== undefined) this.#inDoubt.add(sessionId)
    }
    try {
      if (table === undefined) throw new StoreError('unavailable', 'the store is not open')
      if (sessionId !== undefined && this.#inDoubt.has(sessionId)) {
        throw new StoreError(
          'unavailable',
          'whether the last write of the session was stored is being asked for',
        )
      }
      const work = () => perform(table, call, { events, isInDoubt, committed })
      const value = await (sessionId === undefined ? work() : this.#lanes.run(sessionId, work))
      if (commitMs > 0 || call.method === 'ping') this.#wrote()
      this.#answer({ id: call.id, type: 'done', value, events }, commitMs)
    } catch (error) {
      this.#failed(call, error)
    } finally {
      if (isDoubtful && sessionId !== undefined) this.#inDoubt.delete(sessionId)
    }
  }

  #wrote(): void {
    if (this.#isFailing) this.#note('info', 'store writes again', {})
    this.#isFailing = false
  }

  #failed({ id }: TableCall, error: unknown): void {
    const isBug =
      error instanceof StatementError ? error.outcome === 'bug' : !(error instanceof StoreError)
    if (isBug) {
      const message = error instanceof Error ? error.message : String(error)
      this.#answer({ id, type: 'failed', kind: undefined, message })
      return
    }
    const { kind, message } = toStoreError(error)
    if (!isOfServer(error)) {
      this.#answer({ id, type: 'failed', kind, message, scope: 'call' })
      return
    }
    const cause = error instanceof Error ? error.message : ''
    if (!this.#isFailing) this.#note('error', 'store write failed', { kind, cause })
    this.#isFailing = true
    this.#answer({ id, type: 'failed', kind, message })
  }

  #note(
    level: 'info' | 'warn' | 'error',
    message: string,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    this.#listener.message({ type: 'note', level, message, detail })
  }

  #answer(answer: AnswerMessage, commitMs = 0): void {
    this.#listener.message({ type: 'answers', answers: [answer], commitMs })
  }

  /** What was posted before is done, then the database is let go of. */
  async #close(id: number): Promise<void> {
    using _timer = this.#options.clock.timer(closingMs, () => {
      this.#ending.abort()
      for (const db of [this.#db, this.#heart]) db.pause('the store is closed')
    })
    await Promise.all(this.#underWay)
    await this.#sweeper[Symbol.asyncDispose]()
    await this.#presence?.[Symbol.asyncDispose]()
    this.#presence = undefined
    this.#answer({ id, type: 'done', value: undefined, events: [] })
  }
}

/** Whose lane a call takes; undefined: it is of no session, or takes the lanes of several by itself. */
function sessionOf({ method, args }: TableCall): SessionId | undefined {
  if (method === 'openSession') return args.id
  return 'sessionId' in args ? args.sessionId : undefined
}

function perform<M extends TableCall['method']>(
  table: {
    readonly [K in M]: (args: ArgsOf<K>, context: Parameters<Table[K]>[1]) => Promise<unknown>
  },
  { method, args }: CallOf<M>,
  context: Parameters<Table[M]>[1],
): Promise<unknown> {
  return table[method](args, context)
}

/** Whether the server cannot write now; else one answer was lost, or one session cannot be written. */
function isOfServer(error: unknown): boolean {
  return error instanceof StatementError && error.outcome === 'refused'
}

function explain(error: unknown): string {
  if (error instanceof StoreOpenError) return error.message
  const reason = error instanceof Error ? error.message : String(error)
  return `the database cannot be used: ${reason}`
}
