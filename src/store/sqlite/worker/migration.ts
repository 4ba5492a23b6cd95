import type { DatabaseSync } from 'node:sqlite'
import type { NewId } from '../../../lib/id.ts'
import { createTexts, type TextKind, type Texts } from './texts.ts'
import { newCheck } from '../../engine/events.ts'
import { eventId } from './events.ts'
import { firstEdition } from './first-edition.ts'
import { nameOfRevision } from '../../engine/runs.ts'
import { secondEdition } from './schema.ts'
import { integer, json, string, stringOrNull } from '../../engine/columns.ts'
import type { Row } from './columns.ts'

export { firstEdition }

/** Tables that are made anew; what the first edition had is read from under another name. */
const renewed = [
  'sessions',
  'conversations',
  'messages',
  'replies',
  'idempotency',
  'bindings',
  'events',
  'attachments',
  'isolation',
  'deletions',
] as const

/** Rows read at once: a row of the first edition may hold megabytes of text. */
const atOnce = 16

/** The version of a file that has every table, index and column. */
export const currentVersion = firstEdition.length + secondEdition.length

/** Brings a file of an earlier version to the current one. Version 0 is a new file. */
export function migrate(db: DatabaseSync, version: number, newId: NewId): void {
  const isFirst = version > 0 && version <= firstEdition.length
  if (isFirst) leaveFirstEdition(db, version, newId)
  const has = isFirst ? firstEdition.length + 1 : version
  for (const entry of secondEdition.slice(Math.max(0, has - firstEdition.length))) db.exec(entry)
}

/** The statements that make a file of a version. */
export function entriesOf(version: number): readonly string[] {
  const later = version - firstEdition.length
  return later > 0 ? secondEdition.slice(0, later) : firstEdition.slice(0, version)
}

/**
 * Brings a file of the first edition to the first tables of this one: texts move to their own table, deltas go, events are
 * numbered anew under new checks, so that no cursor of the first edition comes to mean anything.
 */
function leaveFirstEdition(db: DatabaseSync, version: number, newId: NewId): void {
  for (const entry of firstEdition.slice(version)) db.exec(entry)
  const indexes = db
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`)
    .all()
  for (const { name } of indexes) db.exec(`DROP INDEX "${string(name)}"`)
  for (const name of renewed) db.exec(`ALTER TABLE ${name} RENAME TO first_${name}`)
  db.exec(secondEdition[0].replace('CREATE TABLE meta', 'CREATE TABLE IF NOT EXISTS meta'))
  db.exec(copies)
  const texts = createTexts(db)
  moveTexts(db, texts)
  moveJournal(db, texts)
  db.exec(sequences)
  const number = createNumbering(db, newId)
  for (const session of db.prepare('SELECT id, trimmed_to FROM first_sessions').all()) {
    number(session)
  }
  db.exec(afterNumbering)
  for (const name of renewed) db.exec(`DROP TABLE first_${name}`)
  db.exec(`DROP TABLE journal; DELETE FROM meta WHERE name = 'epoch'`)
}

const copies = `
  INSERT INTO sessions (id, key, name, generation, created_at)
    SELECT id, key, name, generation, created_at FROM first_sessions;
  INSERT INTO conversations (id, key, session, assistant, used, origin, account, strategy, upstream, generation,
      reset_pending, freed_at, created_at, last_used_at, title, titled_at, first_words, first_message, messages_trimmed)
    SELECT id, key, session, assistant, used, origin, account, strategy, upstream, generation, reset_pending, freed_at,
      created_at, last_used_at, title, titled_at, first_words, first_message, trimmed FROM first_conversations;
  INSERT INTO messages (id, key, session, conversation, reply, role, attachments, rating, source, created_at)
    SELECT id, key, session, conversation, reply, role, attachments, rating, source, created_at FROM first_messages;
  INSERT INTO replies (id, key, session, conversation, answer, status, step, rank, fence, chat, usage, follow_ups,
      question, omitted, tool_calls, action_expires_at, tool_outputs, explanation, context_reset, failure,
      upstream_cancelled, interrupted, trimmed, created_at, started_at, ended_at)
    SELECT id, key, session, conversation, answer, status,
      CASE WHEN status IN ('RUNNING', 'ACTION_REQUIRED') THEN
        CASE step WHEN 0 THEN 'claimed' WHEN 1 THEN 'intended' WHEN 3 THEN 'waiting' WHEN 4 THEN 'answered'
          WHEN 5 THEN 'revealed' ELSE 'streaming' END
      END,
      rank, NULL, chat, usage, follow_ups, question, omitted, tool_calls, action_expires_at, tool_outputs, explanation,
      context_reset, failure, upstream_cancelled, interrupted, trimmed, created_at, started_at, ended_at
    FROM first_replies;
  INSERT INTO idempotency SELECT session, key, digest, reply FROM first_idempotency;
  INSERT INTO bindings (origin, account, upstream, session, conversation, strategy, used_at, tainted_at)
    SELECT origin, account, upstream, session, conversation, strategy, used_at, tainted_at FROM first_bindings;
  INSERT INTO attachments (id, key, session, assistant, origin, account, upstream, name, media_type, bytes, created_at,
      used_at, forgotten)
    SELECT id, key, session, assistant, origin, account, upstream, name, media_type, bytes, created_at, used_at,
      forgotten FROM first_attachments;
  INSERT INTO isolation SELECT assistant, strategy, proof, breach FROM first_isolation;
  -- Nobody holds a cursor that its events would have to be kept for.
  INSERT INTO deletions (conversation, session, deleted_at)
    SELECT d.conversation, coalesce((SELECT m.session FROM messages m WHERE m.conversation = d.conversation LIMIT 1), 0), 0
    FROM first_deletions d;
`

/** No row id is given again that a deleted row had. */
const sequences = `
  DELETE FROM sqlite_sequence WHERE 'first_' || name IN (SELECT name FROM sqlite_sequence);
  INSERT INTO sqlite_sequence (name, seq)
    SELECT substr(name, 7), seq FROM sqlite_sequence WHERE substr(name, 1, 6) = 'first_';
  CREATE INDEX first_trimmed ON first_replies (session) WHERE trimmed = 1;
  CREATE INDEX first_runs ON first_replies (conversation, run);
`

const afterNumbering = `
  UPDATE conversations SET cleared_seq = coalesce((
    SELECT max(r.started_seq) FROM first_conversations f JOIN first_replies p ON p.conversation = f.id
      JOIN replies r ON r.id = p.id
    WHERE f.id = conversations.id AND p.run <= f.cleared_run), 0)
    WHERE id IN (SELECT id FROM first_conversations WHERE cleared_run > 0);
  UPDATE conversations SET trimmed_seq = (SELECT s.trimmed_seq FROM sessions s WHERE s.id = conversations.session)
    WHERE messages_trimmed = 1 OR id IN (SELECT conversation FROM replies WHERE trimmed = 1);
`

function moveTexts(db: DatabaseSync, texts: Texts): void {
  const said = db.prepare(`
    SELECT id, text, extras FROM first_messages WHERE id > ? AND reply IS NULL ORDER BY id LIMIT ${atOnce}`)
  const answered = db.prepare(`
    SELECT id, text, reasoning FROM first_replies WHERE id > ? ORDER BY id LIMIT ${atOnce}`)
  const move = (row: Row, column: string, kind: TextKind) => {
    const text = stringOrNull(row[column] ?? null) ?? ''
    if (text !== '') texts.write(integer(row['id']), kind, 0, text)
  }
  eachRow(
    (after) => said.all(after),
    (row) => {
      move(row, 'text', 'message')
      move(row, 'extras', 'extras')
    },
  )
  eachRow(
    (after) => answered.all(after),
    (row) => {
      move(row, 'text', 'answer')
      move(row, 'reasoning', 'reasoning')
    },
  )
}

/** One delta as the first edition's journal has it. */
type JournalEntry = readonly [
  reply: number,
  seq: number,
  kind: 'ANSWER' | 'REASONING',
  offset: number,
  text: string,
]

/** The deltas of replies that ran when the file was last in use. */
function moveJournal(db: DatabaseSync, texts: Texts): void {
  const running = new Set(
    db
      .prepare(`SELECT id FROM replies WHERE status IN ('RUNNING', 'ACTION_REQUIRED')`)
      .all()
      .map((row) => integer(row['id'])),
  )
  const some = db.prepare(`SELECT id, deltas FROM journal WHERE id > ? ORDER BY id LIMIT ${atOnce}`)
  eachRow(
    (after) => some.all(after),
    (row) => {
      const { deltas } = json<{ readonly deltas: readonly JournalEntry[] }>(row['deltas'])
      for (const [reply, , kind, offset, text] of deltas) {
        if (!running.has(reply)) continue
        texts.write(reply, kind === 'ANSWER' ? 'answer' : 'reasoning', offset, text)
      }
    },
  )
}

function eachRow(read: (after: number) => readonly Row[], take: (row: Row) => void): void {
  for (let after = 0; ;) {
    const rows = read(after)
    for (const row of rows) take(row)
    const last = rows.at(-1)
    if (last === undefined) return
    after = integer(last['id'])
  }
}

/** Numbers the events of a session: first the places of those that are gone, so that the order of its runs stays known. */
function createNumbering(db: DatabaseSync, newId: NewId): (session: Row) => void {
  const placesOf = db.prepare(`
    SELECT place, reply, type, payload FROM (
      SELECT place, reply, type, payload FROM first_events WHERE session = ?1 AND type <> 'delta'
      UNION ALL
      SELECT first_event, id, 'started', NULL FROM first_replies WHERE session = ?1 AND trimmed = 1 AND run IS NOT NULL
      UNION ALL
      SELECT last_event, id, 'ended', NULL FROM first_replies
        WHERE session = ?1 AND trimmed = 1 AND last_event IS NOT NULL
    ) ORDER BY place`)
  const insert = db.prepare(`
    INSERT INTO events (id, "check", reply, type, payload, running) VALUES (${eventId('?', '?')}, ?, ?, ?, ?, ?)`)
  const setStarted = db.prepare('UPDATE replies SET started_seq = ?, revisions = ? WHERE id = ?')
  const setEnded = db.prepare('UPDATE replies SET ended_seq = ? WHERE id = ?')
  const setTrimmed = db.prepare(
    'UPDATE sessions SET trimmed_seq = ?, trimmed_check = ? WHERE id = ?',
  )

  return function number(session) {
    const row = integer(session['id'])
    const trimmedTo = integer(session['trimmed_to'])
    const running: number[] = []
    let trimmedSeq = trimmedTo > 0 ? 1 : 0
    let seq = 0
    for (const place of placesOf.all(row)) {
      const isGone = integer(place['place']) <= trimmedTo
      seq = isGone ? seq + 1 : Math.max(seq, trimmedSeq) + 1
      if (isGone) trimmedSeq = seq
      const reply = integer(place['reply'])
      const type = string(place['type'])
      if (type === 'started') {
        running.push(reply)
        const revision = { name: nameOfRevision(newId()), answerKept: 0, reasoningKept: 0 }
        setStarted.run(seq, JSON.stringify([revision]), reply)
      } else if (type !== 'action-required') {
        const at = running.indexOf(reply)
        if (at !== -1) running.splice(at, 1)
        setEnded.run(seq, reply)
      }
      if (isGone) continue
      const payload = type === 'action-required' ? stringOrNull(place['payload'] ?? null) : null
      const others = running.length === 0 ? null : JSON.stringify(running)
      insert.run(row, seq, newCheck(newId), reply, type, payload, others)
    }
    if (trimmedSeq > 0) setTrimmed.run(trimmedSeq, newCheck(newId), row)
  }
}
