import type { SessionId, SessionName } from '../../domain.ts'
import type { NewId } from '../../lib/id.ts'
import { integer, rowsOf, type StoredRow, string } from '../engine/columns.ts'
import { type EventBody, newCheck, toPayload } from '../engine/events.ts'
import { conversationIdOf, replyIdOf } from '../engine/records.ts'
import type { StoredEvent, WrittenEvent } from '../main-half/stored.ts'
import { assign, type Columns, list, type Sql, sql, raw } from './sql.ts'

/** What a session's row says, with the replies that run in it, for a write that is to be decided. */
export const sessionColumns = raw(`
  s.id AS session, s.key AS session_key, s.name AS session_name, s.generation AS session_generation, s.version, s.last_row,
  s.last_seq, s.last_check, (
    SELECT json_agg(json_build_object('id', r.id, 'reply', r.key, 'conversation', c.key) ORDER BY r.started_seq)
    FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
    WHERE r.session = s.id AND r.ended_at IS NULL AND r.status <> 'QUEUED' AND r.started_seq IS NOT NULL
  ) AS running`)

/** The instance that writes. */
export interface WritingInstance {
  readonly name: string
  /** The others cannot believe that it is dead. */
  readonly isFresh: boolean
}

/** What an event is of. */
export interface EventOwner {
  readonly reply: number
  readonly replyId: StoredEvent['replyId']
  readonly conversationId: StoredEvent['conversationId']
}

/**
 * All that one call writes in a session, as one statement: it holds only where nobody has written in the session since it
 * was read. So it is done at most once, however often it is sent.
 */
export class SessionWrite {
  /** The session's number. */
  readonly session: number
  readonly sessionId: SessionId
  readonly name: SessionName
  readonly generation: number
  readonly events: WrittenEvent[] = []
  /** Names this write. */
  readonly token: string
  readonly #version: number
  readonly #instance: WritingInstance
  readonly #newId: NewId
  readonly #pieces: { readonly name: string; readonly statement: Sql }[] = []
  readonly #conversations = new Map<number, Columns>()
  #columns: Columns = {}
  /** What else has to hold. */
  #conditions: readonly Sql[] = []
  #lastRow: number
  #lastSeq: number
  #lastCheck: string
  #running: readonly EventOwner[]

  constructor(found: StoredRow, instance: WritingInstance, newId: NewId) {
    this.session = integer(found['session'])
    this.sessionId = string(found['session_key']) as SessionId
    this.name = string(found['session_name']) as SessionName
    this.generation = integer(found['session_generation'])
    this.token = newId()
    this.#version = integer(found['version'])
    this.#instance = instance
    this.#newId = newId
    this.#lastRow = integer(found['last_row'])
    this.#lastSeq = integer(found['last_seq'])
    this.#lastCheck = string(found['last_check'])
    this.#running = rowsOf(found['running']).map((one) => ({
      reply: integer(one['id']),
      replyId: replyIdOf(one),
      conversationId: conversationIdOf(one),
    }))
  }

  get isEmpty(): boolean {
    const changes = this.#pieces.length + this.#conversations.size
    return changes === 0 && Object.keys(this.#columns).length === 0
  }

  /** What the session's row says once this is done, as `sessionColumns` finds it. */
  get after() {
    return {
      session: this.session,
      session_key: this.sessionId,
      session_name: this.name,
      session_generation: this.generation,
      version: this.#version + 1,
      last_row: this.#lastRow,
      last_seq: this.#lastSeq,
      last_check: this.#lastCheck,
      running: this.#running.map(({ reply, replyId, conversationId }) => ({
        id: reply,
        reply: replyId,
        conversation: conversationId,
      })),
    }
  }

  /** A number for a new row of the session. */
  nextRow(): number {
    this.#lastRow += 1
    return this.#lastRow
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  /** Changes the session's own row. */
  set(columns: Columns): void {
    this.#columns = { ...this.#columns, ...columns }
  }

  insert(table: string, columns: Columns, onConflict = ''): void {
    const names = raw(Object.keys(columns).join(', '))
    this.add(sql`
      INSERT INTO ${raw(table)} (session, ${names})
      SELECT owner, ${list(Object.values(columns))} FROM guard ${raw(onConflict)}`)
  }

  /** Changes the session's rows of a table that a condition names. */
  update(table: string, columns: Columns, where: Sql): void {
    this.add(
      sql`UPDATE ${raw(table)} SET ${assign(columns)} FROM guard WHERE session = owner AND ${where}`,
    )
  }

  /** Changes a conversation of the session. One statement changes a row once: what is changed of one comes together. */
  changeConversation(id: number, columns: Columns): void {
    this.#conversations.set(id, { ...this.#conversations.get(id), ...columns })
  }

  remove(table: string, where: Sql): void {
    this.add(sql`DELETE FROM ${raw(table)} USING guard WHERE session = owner AND ${where}`)
  }

  /** Changes rows of whatever session: of those who share something that was found to be shared. */
  changeAnyones(table: string, columns: Columns, where: Sql): void {
    this.add(sql`UPDATE ${raw(table)} SET ${assign(columns)} FROM guard WHERE ${where}`)
  }

  /** It holds only where nobody has written in another session either since that was read. */
  require(session: number, version: number): void {
    // Locked: what is written there at the same moment comes before this write is decided on or after it is done.
    const condition = sql`
          AND EXISTS (SELECT FROM sessions o WHERE o.id = ${session} AND o.version = ${version} FOR UPDATE)`
    this.#conditions = [...this.#conditions, condition]
  }

  /**
   * It holds only where nothing was written of a reply's texts since they were read: what runs the reply writes them without
   * writing in the session, and a statement whose connection broke may be done late.
   */
  requireTexts(reply: number, writes: number): void {
    const condition = sql`
          AND EXISTS (
            SELECT FROM replies o WHERE o.session = ${this.session} AND o.id = ${reply} AND o.text_writes = ${writes}
            FOR NO KEY UPDATE)`
    this.#conditions = [...this.#conditions, condition]
  }

  /** The instance that writes, which claims nothing where it is not fresh. */
  get instance(): WritingInstance {
    return this.#instance
  }

  /** The columns of a reply that this instance runs from now on. It holds only where the others believe that it lives. */
  lease(fence: string) {
    const { name } = this.#instance
    const condition = sql` AND EXISTS (SELECT FROM instance WHERE instance.name = ${name})`
    this.#conditions = [...this.#conditions, condition]
    return { instance: name, fence }
  }

  /**
   * A statement that does nothing where there is no row in `guard`, whose column `owner` is the session's number.
   * @param name by which others may read what it returns
   */
  add(statement: Sql, name = `write_${this.#pieces.length}`): void {
    this.#pieces.push({ name, statement })
  }

  /** Numbers and stores an event; returns its number, which the reply's own row is to keep. */
  append(owner: EventOwner, body: EventBody): number {
    const { reply, replyId, conversationId } = owner
    this.#lastSeq += 1
    this.#lastCheck = newCheck(this.#newId)
    const { type } = body
    if (type === 'started') this.#running = [...this.#running, owner]
    else if (type !== 'action-required')
      this.#running = this.#running.filter((one) => one.reply !== reply)
    const place = { seq: this.#lastSeq, check: this.#lastCheck }
    this.insert('events', {
      seq: place.seq,
      '"check"': place.check,
      reply,
      type,
      payload: toPayload(body),
      running:
        this.#running.length === 0 ? null : JSON.stringify(this.#running.map((one) => one.reply)),
    })
    const { sessionId } = this
    const event = { ...place, replyId, conversationId, ...body }
    this.events.push({ sessionId, event, running: this.#running })
    return place.seq
  }

  /** Returns a row where it was done. */
  toSql(): Sql {
    for (const [id, changed] of this.#conversations) {
      this.update('conversations', changed, sql`id = ${id}`)
    }
    this.#conversations.clear()
    const columns: Columns = {
      ...this.#columns,
      version: sql`version + 1`,
      written_by: this.token,
      last_row: this.#lastRow,
      last_seq: this.#lastSeq,
      last_check: this.#lastCheck,
    }
    const pieces = this.#pieces.map(({ name, statement }) => sql`, ${raw(name)} AS (${statement})`)
    return sql`
      WITH guard AS (
        UPDATE sessions SET ${assign(columns)}
        WHERE id = ${this.session} AND version = ${this.#version}${list(this.#conditions, '')}
        RETURNING id AS owner)${list(pieces, '')}
      SELECT owner FROM guard`
  }
}
