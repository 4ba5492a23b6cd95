import type { Client } from 'pg'

/** Sessions that one statement writes. */
const sessionsAtOnce = 20_000
const repliesOfSession = 5

/** Each session has one conversation, and in it five messages of a user and their answers. */
const statements = [
  `INSERT INTO sessions (id, key, name, generation, version, last_row, last_seq, last_check, created_at)
   OVERRIDING SYSTEM VALUE
   SELECT n, 'session-' || n, 'name-' || md5(n::text), 0, 11, 11, 10, 'Abcde', 1 FROM generate_series($1::int, $2::int) n`,
  `INSERT INTO conversations (session, id, key, assistant, used, origin, account, strategy, upstream, created_at, last_used_at,
     first_words, first_message)
   SELECT n, 1, 'conversation-' || n, 'assistant', 11, 'https://platform.example', 'account', 'bot', md5('up' || n), 1, 10,
     'A question of this length', 2 FROM generate_series($1::int, $2::int) n`,
  `INSERT INTO bindings (origin, account, upstream, session, conversation, strategy, used_at)
   SELECT 'https://platform.example', 'account', md5('up' || n), n, 1, 'bot', 10 FROM generate_series($1::int, $2::int) n`,
  `INSERT INTO messages (session, id, key, conversation, reply, role, text, created_at)
   SELECT n, 2 * m, md5('q' || n || '-' || m), 1, 2 * m, 'USER', repeat('A question, ', 6), m
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO messages (session, id, key, conversation, reply, role, created_at)
   SELECT n, 2 * m + 1, md5('a' || n || '-' || m), 1, 2 * m, 'ASSISTANT', m
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO replies (session, id, key, conversation, answer, status, rank, started_seq, ended_seq, created_at, started_at, ended_at)
   SELECT n, 2 * m, md5('r' || n || '-' || m), 1, 2 * m + 1, 'COMPLETED', 2 * m, 2 * m - 1, 2 * m, m, m, m
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO texts (session, reply, kind, start, length, text)
   SELECT n, 2 * m, 0, 0, 1200, repeat(md5(n::text || m), 37) || repeat('x', 16)
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO events (session, seq, "check", reply, type, running)
   SELECT n, s, 'Abcde', 2 * ((s + 1) / 2), CASE WHEN s % 2 = 1 THEN 'started' ELSE 'completed' END,
     CASE WHEN s % 2 = 1 THEN '[' || (s + 1) || ']' END
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${2 * repliesOfSession}) s`,
]

/** Writes many sessions by SQL; indexes that no constraint needs are made when the rows are there. */
export async function fill(client: Client, sessions: number): Promise<void> {
  const { rows: indexes } = await client.query<{
    readonly name: string
    readonly definition: string
  }>(`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)`)
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`)
  await client.query('SET synchronous_commit = off')
  for (let from = 1; from <= sessions; from += sessionsAtOnce) {
    const range = [from, Math.min(sessions, from + sessionsAtOnce - 1)]
    for (const statement of statements) await client.query(statement, range)
  }
  for (const { definition } of indexes) await client.query(definition)
  await client.query(`SELECT setval(pg_get_serial_sequence('sessions', 'id'), ${sessions})`)
  await client.query('VACUUM ANALYZE')
}
