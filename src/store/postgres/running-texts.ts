import type { Clock } from '../../lib/clock.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { TextWrite } from '../main-half/stored.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import type { Lanes } from './lanes.ts'
import type { Runs } from './runs.ts'
import { textKinds } from './rows.ts'
import { sql } from './sql.ts'
import type { CallContext } from './sessions.ts'

/** Code units of one track that go into the common statement: what is longer is cut into pieces by a statement of its own. */
const maxTogether = 8_192

/**
 * Writes what is new of the texts of many running replies as one statement, which does not wait for the disk where it is
 * text alone: what a crash of the server takes back is written again by whoever runs the reply.
 *
 * A statement sees the texts as they were when it began, and the row of a reply as it is once it has it: where the reply's
 * texts were written in between, the reply is written alone.
 */
export function createWriteTexts(
  db: Database,
  lanes: Lanes,
  clock: Clock,
  writeText: AsyncCalls<Runs>['writeText'],
): AsyncCalls<Pick<EngineCalls, 'writeTexts'>>['writeTexts'] {
  /** How each of them went; `alone`: more than an addition to what is stored. */
  async function writeTogether(
    texts: readonly TextWrite[],
  ): Promise<readonly ('written' | 'lost' | 'alone')[]> {
    const tracks = texts.flatMap(({ answer, reasoning }, text) => [
      ...(answer === undefined ? [] : [{ text, kind: textKinds.answer, ...at(answer) }]),
      ...(reasoning === undefined ? [] : [{ text, kind: textKinds.reasoning, ...at(reasoning) }]),
    ])
    // A text that the server has lost is missed where the next one goes on: of a chat or a revision nothing is seen.
    const isText = texts.every(
      ({ chatId, revisions }) => chatId === undefined && revisions === undefined,
    )
    const wait = isText ? sql`set_config('synchronous_commit', 'off', true)` : sql`NULL`
    const found = await db.query(sql`
      WITH quick AS MATERIALIZED (SELECT ${wait}),
      given AS (
        SELECT given.* FROM quick, unnest(
          ${texts.map(({ sessionId }) => sessionId)}::text[], ${texts.map(({ replyId }) => replyId)}::text[],
          ${texts.map(({ fence }) => fence)}::text[],
          ${texts.map(({ revisions }) => (revisions === undefined ? '' : JSON.stringify(revisions)))}::text[],
          ${texts.map(({ chatId }) => chatId ?? '')}::text[]
        ) WITH ORDINALITY AS given (session_key, reply_key, fence, revisions, chat, place)),
      seen AS MATERIALIZED (
        SELECT given.*, r.session, r.id, r.text_writes AS seen_writes FROM given JOIN sessions s ON s.key = given.session_key
        JOIN replies r ON r.session = s.id AND r.key = given.reply_key),
      held AS MATERIALIZED (
        SELECT seen.*, r.text_writes = seen.seen_writes AND r.started_seq IS NOT NULL AS is_current FROM seen
        JOIN replies r ON r.session = seen.session AND r.id = seen.id AND r.fence = seen.fence
        -- In one order: two instances that have the same replies do not wait for each other.
        ORDER BY r.session, r.id FOR NO KEY UPDATE OF r),
      tracks AS (
        SELECT held.session, held.id, held.place, track.kind, track.start, track.length, track.text, coalesce((
          SELECT t.start + t.length FROM texts t
          WHERE t.session = held.session AND t.reply = held.id AND t.kind = track.kind ORDER BY t.start DESC LIMIT 1
        ), 0) = track.start AND track.is_short = 1 AS fits
        FROM held JOIN unnest(
          ${tracks.map(({ text }) => text + 1)}::int[], ${tracks.map(({ kind }) => kind)}::int[],
          ${tracks.map(({ offset }) => offset)}::int[], ${tracks.map(({ length }) => length)}::int[],
          ${tracks.map(({ part }) => part)}::text[], ${tracks.map(({ isShort }) => (isShort ? 1 : 0))}::int[]
        ) AS track (place, kind, start, length, text, is_short) ON track.place = held.place),
      fit AS MATERIALIZED (
        SELECT held.* FROM held
        WHERE held.is_current AND NOT EXISTS (SELECT FROM tracks WHERE tracks.place = held.place AND NOT tracks.fits)),
      added AS (
        INSERT INTO texts (session, reply, kind, start, length, text)
        SELECT tracks.session, tracks.id, tracks.kind, tracks.start, tracks.length, tracks.text
        FROM tracks JOIN fit ON fit.place = tracks.place WHERE tracks.length > 0),
      changed AS (
        UPDATE replies r SET
          text_writes = r.text_writes + 1,
          revisions = coalesce(nullif(fit.revisions, ''), r.revisions),
          chat = coalesce(nullif(fit.chat, ''), r.chat),
          step = CASE WHEN fit.chat <> '' AND r.step IN ('intended', 'revealed', 'answered') THEN 'streaming' ELSE r.step END
        FROM fit WHERE r.session = fit.session AND r.id = fit.id)
      SELECT held.place, EXISTS (SELECT FROM fit WHERE fit.place = held.place)::int AS fits FROM held`)
    const fits = new Map(found.map((one) => [one['place'], one['fits'] === 1]))
    return texts.map((_, index) => {
      const isFit = fits.get(index + 1)
      return isFit === undefined ? 'lost' : isFit ? 'written' : 'alone'
    })
  }

  /** Whatever waits in the lane of one of the sessions, the others do not wait for it. */
  async function write(texts: readonly TextWrite[], context: CallContext) {
    const outcomes = new Map<TextWrite, Outcome>()
    const isFree = ({ sessionId }: TextWrite) => lanes.isFree(sessionId)
    const { free = [], busy = [] } = Object.groupBy(texts, (text) =>
      isFree(text) ? 'free' : 'busy',
    )
    const together = begin(free, context)
    const works = [
      ...bySession(free).map(([sessionId, own]) =>
        lanes.run(sessionId, () => end(own, together, outcomes, context)),
      ),
      ...bySession(busy).map(([sessionId, own]) =>
        lanes.runAhead(sessionId, () => end(own, begin(own, context), outcomes, context)),
      ),
    ]
    await Promise.allSettled(works)
    await Promise.all(works)
    return texts.map((text) => outcomes.get(text) ?? 'lost')
  }

  async function begin(texts: readonly TextWrite[], { committed }: CallContext) {
    if (texts.length === 0) return new Map<TextWrite, Outcome | 'alone'>()
    const startedAt = clock.monotonic()
    const together = await writeTogether(texts)
    committed(clock.monotonic() - startedAt)
    return new Map(texts.map((text, index) => [text, together[index] ?? 'lost']))
  }

  async function end(
    texts: readonly TextWrite[],
    together: ReturnType<typeof begin>,
    outcomes: Map<TextWrite, Outcome>,
    context: CallContext,
  ) {
    const written = await together
    for (const text of texts) {
      const outcome = written.get(text) ?? 'lost'
      const { sessionId } = text
      outcomes.set(
        text,
        outcome === 'alone' ? await writeText({ sessionId, text }, context) : outcome,
      )
    }
  }

  return ({ texts }, context) => write(texts, context)
}

type Outcome = 'written' | 'lost' | 'behind'

function bySession(texts: readonly TextWrite[]) {
  return [...Map.groupBy(texts, ({ sessionId }) => sessionId)]
}

function at({ offset, text }: { readonly offset: number; readonly text: string }) {
  const isShort = text.length <= maxTogether
  return { offset, length: isShort ? text.length : 0, part: isShort ? text : '', isShort }
}
