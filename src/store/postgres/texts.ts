import { sliceEnd } from '../../lib/surrogate.ts'
import { integer, type StoredRow, string, rowOf } from '../engine/columns.ts'
import type { KeptWrites, TrackWrite } from '../main-half/stored.ts'
import { type TextKind, textKinds } from './rows.ts'
import type { SessionWrite } from './session-write.ts'
import { type Columns, row, type Sql, sql, raw } from './sql.ts'

/** Code units of one piece: a reader who asks for a part of a long text is not read all of it. */
export const maxPieceLength = 8_192

/** A text of a reply. */
interface Track {
  readonly reply: number
  readonly kind: TextKind
}

/** No text is longer. */
const maxLength = 2 ** 31 - 1

/** What is new of the texts of a reply; undefined: nothing. */
export interface NewTexts {
  readonly answer?: TrackWrite | undefined
  readonly reasoning?: TrackWrite | undefined
  readonly kept?: KeptWrites | undefined
}

interface Piece {
  readonly start: number
  readonly text: string
}

/** What the two texts of the reply `r` need to know of where they are to be written. */
export function findPlaces({ answer, reasoning }: NewTexts) {
  return sql`
    ${findPlace('answer', answer)} AS answer_place, ${findPlace('reasoning', reasoning)} AS reasoning_place, r.text_writes,
    r.started_seq`
}

/** Where the stored text ends, and the piece that holds the offset where that lies before the end. */
function findPlace(kind: TextKind, write: TrackWrite | undefined): Sql {
  const offset = write?.offset ?? maxLength
  const stored = sql`
    FROM texts t WHERE t.session = r.session AND t.reply = r.id AND t.kind = ${textKinds[kind]}::int`
  return row(sql`
    SELECT last.ends, held.start, held.text
    FROM (SELECT t.start + t.length AS ends ${stored} ORDER BY t.start DESC LIMIT 1) last
    LEFT JOIN LATERAL (
      SELECT t.start, t.text ${stored} AND t.start <= ${offset}::int ORDER BY t.start DESC LIMIT 1
    ) held ON last.ends > ${offset}::int`)
}

/** Whether less is stored than was written before: the server has lost what it had not written to its disk. */
export function isBehind(text: NewTexts, found: StoredRow): boolean {
  if (text.kept?.isStarted === true && found['started_seq'] === null) return true
  return kinds.some((kind) => {
    const place = placeOf(kind, found)
    return (
      (text[kind]?.offset ?? text.kept?.[kind] ?? 0) > (place === null ? 0 : integer(place['ends']))
    )
  })
}

/** What takes the place of all that is stored from `cut` on. */
interface PlannedText {
  readonly cut: number
  /** Nothing that is stored has to go. */
  readonly isAppended: boolean
  readonly pieces: readonly Piece[]
}

/** @param found what `findPlaces` found */
function plan(kind: TextKind, { offset, text }: TrackWrite, found: StoredRow): PlannedText {
  const place = placeOf(kind, found)
  const end = place === null ? 0 : integer(place['ends'])
  if (offset > end) throw new RangeError('a text begins beyond the end of what is stored')
  if (place === null || offset === end) {
    return { cut: end, isAppended: true, pieces: split(offset, text) }
  }
  const start = integer(place['start'])
  const whole = string(place['text']).slice(0, offset - start) + text
  return { cut: start, isAppended: false, pieces: split(start, whole) }
}

const placeOf = (kind: TextKind, found: StoredRow) => rowOf(found[`${kind}_place`])

function split(from: number, text: string): readonly Piece[] {
  const pieces: Piece[] = []
  for (let at = 0, end = 0; at < text.length; at = end) {
    end = sliceEnd(text, at, maxPieceLength)
    pieces.push({ start: from + at, text: text.slice(at, end) })
  }
  return pieces
}

/** Writes what is new of a running reply's texts. Returns what the reply's row is to say of that. */
export function writeTexts(
  write: SessionWrite,
  reply: number,
  text: NewTexts,
  found: StoredRow,
): Columns {
  write.requireTexts(reply, integer(found['text_writes']))
  for (const kind of kinds) {
    const track = text[kind]
    if (track === undefined) continue
    const planned = plan(kind, track, found)
    if (planned.isAppended) append(write, { reply, kind }, planned)
    else fold(write, { reply, kind }, planned)
  }
  return { text_writes: sql`text_writes + 1` }
}

/** Writes the last of a reply's texts, and puts what was written a little at a time into few pieces. */
export function endTexts(
  write: SessionWrite,
  reply: number,
  text: NewTexts,
  found: StoredRow,
): void {
  write.requireTexts(reply, integer(found['text_writes']))
  for (const kind of kinds) {
    const track = text[kind]
    const isNew = placeOf(kind, found) === null
    const planned = track === undefined ? nothing : plan(kind, track, found)
    if (!isNew) fold(write, { reply, kind }, planned)
    else append(write, { reply, kind }, planned)
  }
}

const kinds = ['answer', 'reasoning'] as const
const nothing: PlannedText = { cut: maxLength, isAppended: true, pieces: [] }

function append(write: SessionWrite, { reply, kind }: Track, { pieces }: PlannedText): void {
  if (pieces.length === 0) return
  write.add(sql`
    INSERT INTO texts (session, reply, kind, start, length, text)
    SELECT owner, ${reply}::int, ${textKinds[kind]}::int, new.start, new.length, new.text
    FROM guard, ${table(pieces)}`)
}

/** Writes a text anew, in few pieces. */
function fold(write: SessionWrite, { reply, kind }: Track, { cut, pieces }: PlannedText): void {
  const old = `old_${kind}`
  write.add(
    sql`
      DELETE FROM texts USING guard
      WHERE session = owner AND reply = ${reply}::int AND kind = ${textKinds[kind]}::int
      RETURNING start, length, text`,
    old,
  )
  write.add(sql`
    INSERT INTO texts (session, reply, kind, start, length, text)
    SELECT owner, ${reply}::int, ${textKinds[kind]}::int, min(part.start), sum(part.length),
      string_agg(part.text, '' ORDER BY part.start)
    FROM guard, (
      SELECT start, length, text FROM ${raw(old)} WHERE start < ${cut}::int
      UNION ALL SELECT start, length, text FROM ${table(pieces)}
    ) part
    GROUP BY owner, part.start / ${maxPieceLength}::int`)
}

function table(pieces: readonly Piece[]): Sql {
  const starts = pieces.map(({ start }) => start)
  const lengths = pieces.map(({ text }) => text.length)
  const texts = pieces.map(({ text }) => text)
  return sql`unnest(${starts}::int[], ${lengths}::int[], ${texts}::text[]) AS new (start, length, text)`
}
