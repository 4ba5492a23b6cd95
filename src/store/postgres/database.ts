import { DatabaseError, Pool, type PoolClient, type PoolConfig } from 'pg'
import type { Clock } from '../../lib/clock.ts'
import type { StoredRow } from '../engine/columns.ts'
import { StoreError } from '../store.ts'
import { parserOf, toParameter } from './values.ts'
import { type Sql, type SqlValue, sql } from './sql.ts'

export interface DatabaseOptions {
  /** `postgres://…`, with the options that `libpq` knows, such as `sslmode` and `sslrootcert`. */
  readonly url: string
  /** Takes the place of what the URL has. */
  readonly password: string | undefined
  readonly maxConnections: number
  /** A statement that has not been answered after so many ms is given up with its connection. Default 10,000. */
  readonly answerMs?: number
  readonly watch?: Watch
}

/** Hears after each statement whether the server has left it unanswered until it was given up. */
export interface Watch {
  readonly clock: Clock
  readonly onOutcome: (isSilent: boolean) => void
}

/**
 * Why a statement failed: `refused`: nothing of it was done. `lost`: its answer was lost, and whether it was done is not
 * known. `conflict`: somebody was faster, nothing was done, and it may be decided anew. `bug`: the statement is wrong.
 */
export class StatementError extends Error {
  override readonly name = 'StatementError'
  readonly outcome: 'refused' | 'lost' | 'conflict' | 'bug'
  readonly isFull: boolean
  /** The server neither did it nor refused it in time. */
  readonly isSilence: boolean

  constructor(outcome: StatementError['outcome'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.outcome = outcome
    this.isFull = codeOf(options?.cause) === diskFull
    this.isSilence = isTimeout(options?.cause)
  }
}

/** How often a statement is sent that gives way to others again and again. */
const maxTries = 4

/** A connection is waited for no longer than this, in ms. */
const connectMs = 3_000

/**
 * Connections to the database. Each statement is a transaction of its own, without a name and without any state of its
 * connection, so that a pooler that shares connections between transactions may stand in between.
 */
export class Database implements AsyncDisposable {
  readonly #pool: Pool
  readonly #answerMs: number
  readonly #watch: Watch | undefined
  readonly #used = new Set<PoolClient>()
  /** Those who wait for a connection hear by these that they get none. */
  readonly #waiting = new Set<(error: Error) => void>()
  /** Why nothing is sent now. */
  #paused: string | undefined

  constructor({ url, password, maxConnections, answerMs = 10_000, watch }: DatabaseOptions) {
    const config: PoolConfig = {
      connectionString: url,
      max: maxConnections,
      connectionTimeoutMillis: connectMs,
      query_timeout: answerMs,
      keepAlive: true,
      allowExitOnIdle: true,
      application_name: 'coze-graphql-gateway',
      types: { getTypeParser: (oid: number) => parserOf(oid) },
    }
    this.#pool = new Pool(password === undefined ? config : { ...config, password })
    this.#answerMs = answerMs
    this.#watch = watch
    // A connection that breaks while nobody waits for an answer is replaced when it is needed.
    this.#pool.on('error', () => {})
    this.#pool.on('connect', (client) => client.on('error', () => {}))
  }

  /** @throws {@link StatementError} */
  async query(statement: Sql): Promise<readonly StoredRow[]> {
    const { text, values } = statement.toQuery()
    const askedAt = this.#watch?.clock.monotonic() ?? 0
    try {
      const rows = await this.#send(text, values.map(toParameter))
      this.#watch?.onOutcome(false)
      return rows
    } catch (error) {
      const failure = toStatementError(error)
      // A process that stood still itself has given an answer up that may have come.
      const tookMs = (this.#watch?.clock.monotonic() ?? 0) - askedAt
      this.#watch?.onOutcome(failure.isSilence && tookMs < 1.25 * this.#answerMs)
      throw failure
    }
  }

  /** A statement that gave way to another one did nothing, and is sent again. */
  async #send(text: string, values: unknown[]): Promise<readonly StoredRow[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#use(async (client) => {
          const answer = await client.query<StoredRow>({ text, values })
          return answer.rows
        })
      } catch (error) {
        if (tries === maxTries || !gaveWay.has(codeOf(error) ?? '')) throw error
      }
    }
  }

  /** Refuses every statement until `resume`, and those that have no answer yet get none. */
  pause(reason: string): void {
    if (this.#paused !== undefined) return
    this.#paused = reason
    for (const refuse of this.#waiting) refuse(new StatementError('refused', reason))
    this.#waiting.clear()
    // What waits for an answer is broken off with its connection.
    for (const client of this.#used) void client.end()
  }

  resume(): void {
    this.#paused = undefined
  }

  /** Statements that are done together or not at all. */
  async transaction(
    work: (query: (statement: Sql) => Promise<readonly StoredRow[]>) => Promise<void>,
  ): Promise<void> {
    await this.#use(async (client) => {
      const send = async (text: string, values: readonly SqlValue[] = []) => {
        // Several statements at once have no values.
        const { rows } =
          values.length === 0
            ? await client.query<StoredRow>(text)
            : await client.query<StoredRow>(text, values.map(toParameter))
        return rows
      }
      try {
        await send('BEGIN')
        await work((statement) => {
          const { text, values } = statement.toQuery()
          return send(text, values)
        })
        await send('COMMIT')
      } catch (error) {
        throw error instanceof DatabaseError ? toStatementError(error) : error
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pause('the store is closed')
    await this.#pool.end()
  }

  async #use<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect()
    this.#used.add(client)
    let isWhole = false
    try {
      const result = await work(client)
      isWhole = true
      return result
    } catch (error) {
      isWhole = error instanceof DatabaseError && toStatementError(error).outcome !== 'lost'
      throw error
    } finally {
      this.#used.delete(client)
      // A transaction that was broken off ends with its connection.
      client.release(!isWhole)
    }
  }

  #connect(): Promise<PoolClient> {
    const { promise, resolve, reject } = Promise.withResolvers<PoolClient>()
    if (this.#paused === undefined) {
      this.#waiting.add(reject)
      // A file of the URL that is not there is thrown at once.
      Promise.try(() => this.#pool.connect())
        .then(
          (client) => {
            if (this.#waiting.delete(reject)) resolve(client)
            else client.release()
          },
          (cause: unknown) => {
            this.#waiting.delete(reject)
            reject(new StatementError('refused', `no connection: ${reasonOf(cause)}`, { cause }))
          },
        )
        .catch(reject)
    } else reject(new StatementError('refused', this.#paused))
    return promise
  }
}

/** Connects once. Returns why that fails, in words without values. */
export async function tryDatabase(
  options: Pick<DatabaseOptions, 'url' | 'password'>,
): Promise<string | undefined> {
  await using database = new Database({ ...options, maxConnections: 1 })
  try {
    await database.query(sql`SELECT 1`)
    return undefined
  } catch (error) {
    if (!(error instanceof StatementError)) throw error
    return error.message
  }
}

export function toStoreError(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause
  return cause instanceof StatementError && cause.isFull
    ? new StoreError('full', 'the disk of the store is full', { cause })
    : new StoreError('unavailable', 'the store cannot be written', { cause })
}

/** https://www.postgresql.org/docs/15/errcodes-appendix.html */
const diskFull = '53100'
const lacksRight = '42501'
/** A failure of serialization, and a deadlock. */
const gaveWay: ReadonlySet<string> = new Set(['40001', '40P01'])
const uniqueViolation = '23505'
/** The connection, a shutdown, the server's means, the system, a server that only reads: no fault of the statement. */
const ofServer = /^(?:08|53|57|58|XX00[12]|25006)/
const lostWith = /^(?:08|57P)/

function toStatementError(cause: unknown): StatementError {
  if (cause instanceof StatementError) return cause
  if (!(cause instanceof DatabaseError)) {
    return new StatementError('lost', `no answer: ${reasonOf(cause)}`, { cause })
  }
  const { code = '', severity } = cause
  if (code === uniqueViolation || gaveWay.has(code))
    return new StatementError('conflict', 'somebody was faster', { cause })
  if (lostWith.test(code) || severity === 'FATAL') {
    return new StatementError('lost', `the connection was ended (${code})`, { cause })
  }
  if (ofServer.test(code)) {
    return new StatementError('refused', `the database cannot do it now (${code})`, { cause })
  }
  if (code === lacksRight) {
    const remedy = 'the user may not make or change tables: make it the owner of the database'
    return new StatementError('refused', `${remedy} (${code})`, { cause })
  }
  // What the server says of a wrong statement quotes values, and so what somebody said.
  return new StatementError('bug', `a statement is wrong (${code})`)
}

/** What `pg` says when a connection, or an answer, did not come in time. */
const timeouts = /^(?:Query read timeout|timeout exceeded|Connection terminated due to connection)/

function isTimeout(error: unknown): boolean {
  return error instanceof Error && timeouts.test(error.message)
}

/** What is said of a connection quotes no value. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
}
