import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { isHighSurrogate } from '../../../lib/surrogate.ts'
import { integer, string } from '../../engine/columns.ts'
import type { Row } from './columns.ts'

/** What is kept as text of a reply: what the user said, with what came beside it as JSON, and what was answered. */
export type TextKind = 'answer' | 'reasoning' | 'message' | 'extras'

const kinds = { answer: 0, reasoning: 1, message: 2, extras: 3 } as const satisfies Record<
  TextKind,
  number
>

/** UTF-8 bytes in one row: with what SQLite adds, it fits into a page of 4 KiB. */
const maxRowBytes = 3_800
/**
 * A row id is the reply, the kind of text, and where the text begins, in blocks of 1,024 code units: a row that is followed by
 * another is longer than a block. It has 53 bits at most, more than which a number here cannot hold.
 */
const blockBits = 10
const offsetBits = 19
const kindBits = 2
const maxLength = 2 ** (blockBits + offsetBits)

/** A row's text is not what was written there. What reads it fails, and nothing of it is told. */
export class DamagedTextError extends Error {
  override readonly name = 'DamagedTextError'
  constructor() {
    super('a stored text is damaged')
  }
}

/** Texts of replies, in rows of bounded size, each with a digest that every reading checks. Lengths are UTF-16 code units. */
export interface Texts {
  /** Puts a text in the place of all that is stored from `offset` on, which must not be beyond the end. */
  write(reply: number, kind: TextKind, offset: number, text: string): void
  read(reply: number, kind: TextKind): string
  slice(reply: number, kind: TextKind, from: number, to: number): string
  length(reply: number, kind: TextKind): number
  remove(reply: number): void
}

/** Every row of texts with the place that its row id says. */
export const selectPlaced = `
  SELECT id >> ${kindBits + offsetBits} AS reply, (id >> ${offsetBits}) & ${2 ** kindBits - 1} AS kind,
    start, digest, text
  FROM texts`

/** @throws {@link DamagedTextError} */
export function checkPlaced(row: Row): void {
  checked(integer(row['reply']), integer(row['kind']), row)
}

function checked(reply: number, kind: number, row: Row): string {
  const text = string(row['text'])
  if (digestOf(reply, kind, integer(row['start']), text) !== row['digest']) {
    throw new DamagedTextError()
  }
  return text
}

export function createTexts(db: DatabaseSync): Texts {
  const id = (offset: string) =>
    `((:reply << ${kindBits + offsetBits}) | (:kind << ${offsetBits}) | (${offset} >> ${blockBits}))`
  const last = db.prepare(`
    SELECT start, digest, text FROM texts
    WHERE id >= ${id('0')} AND id <= ${id(':offset')} AND start <= :offset ORDER BY id DESC LIMIT 1`)
  const between = db.prepare(`
    SELECT start, digest, text FROM texts
    WHERE id >= ${id(':from')} AND id <= ${id(':last')} AND start >= :from AND start <= :last ORDER BY id`)
  const put = db.prepare(`
    INSERT INTO texts (id, start, digest, text) VALUES (${id(':offset')}, :offset, :digest, :text)`)
  const cut = db.prepare(`
    DELETE FROM texts WHERE id >= ${id(':offset')} AND id <= ${id(`${maxLength - 1}`)}`)
  const removeAll = db.prepare(
    `DELETE FROM texts
     WHERE id >= (:reply << ${kindBits + offsetBits}) AND id < ((:reply + 1) << ${kindBits + offsetBits})`,
  )

  /** The row that holds an offset, or that ends there. */
  function rowAt(reply: number, kind: TextKind, offset: number) {
    const row = last.get({ reply, kind: kinds[kind], offset: Math.min(offset, maxLength - 1) })
    if (row === undefined) return beginning
    return { start: integer(row['start']), text: checked(reply, kinds[kind], row) }
  }

  function slice(reply: number, kind: TextKind, from: number, to: number): string {
    if (to <= from) return ''
    const first = from === 0 ? beginning : rowAt(reply, kind, from)
    const rows = between.all({
      reply,
      kind: kinds[kind],
      from: first.start,
      last: Math.min(to, maxLength) - 1,
    })
    let text = ''
    for (const row of rows) {
      // A row that is missing in between would put all behind it in a wrong place.
      if (integer(row['start']) !== first.start + text.length) throw new DamagedTextError()
      text += checked(reply, kinds[kind], row)
    }
    return text.slice(from - first.start, to - first.start)
  }

  function length(reply: number, kind: TextKind): number {
    const { start, text } = rowAt(reply, kind, maxLength)
    return start + text.length
  }

  return {
    write(reply, kind, offset, text) {
      const at = offset === 0 ? beginning : rowAt(reply, kind, offset)
      const kept = at.text.slice(0, offset - at.start)
      if (at.start + kept.length !== offset) {
        throw new RangeError('a text begins beyond the end of what is stored')
      }
      cut.run({ reply, kind: kinds[kind], offset: at.start })
      const whole = kept + text
      for (let start = 0, end = 0; start < whole.length; start = end) {
        end = endOfRow(whole, start)
        const piece = whole.slice(start, end)
        const place = at.start + start
        put.run({
          reply,
          kind: kinds[kind],
          offset: place,
          digest: digestOf(reply, kinds[kind], place, piece),
          text: piece,
        })
      }
    },
    read: (reply, kind) => slice(reply, kind, 0, maxLength),
    slice,
    length,
    remove: (reply) => void removeAll.run({ reply }),
  }
}

/** Nothing stands before the first row: it is not looked for. */
const beginning = { start: 0, text: '' }

/** Where the row that begins at `from` ends: never inside a surrogate pair. */
function endOfRow(text: string, from: number): number {
  let end = Math.min(text.length, from + maxRowBytes)
  for (;;) {
    const bytes = Buffer.byteLength(text.slice(from, end))
    if (bytes <= maxRowBytes) break
    end = from + Math.floor(((end - from) * maxRowBytes) / bytes)
  }
  return end < text.length && isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end
}

/** The digest covers the text and its place, so that a row that stands in another's place is found as well. */
function digestOf(reply: number, kind: number, start: number, text: string): number {
  return crc32(text, crc32(`${reply} ${kind} ${start}`))
}
