import type { SqlValue } from './sql.ts'

// PostgreSQL's text has no U+0000, which a user may well send: it is written as U+0001 and a digit, as U+0001 itself is.

export function encodeText(text: string): string {
  return text.replaceAll('\u0001', '\u00011').replaceAll('\u0000', '\u00010')
}

function decodeText(text: string): string {
  return text.replaceAll('\u00010', '\u0000').replaceAll('\u00011', '\u0001')
}

/** A value as it is sent. */
export function toParameter(value: SqlValue): unknown {
  if (typeof value === 'string') return encodeText(value)
  if (value === null || typeof value === 'number') return value
  return value.map((one) => (typeof one === 'string' ? encodeText(one) : one))
}

/** https://www.postgresql.org/docs/15/catalog-pg-type.html */
const oids = { int8: 20, int2: 21, int4: 23, text: 25, json: 114 } as const

/** Columns and answers have these types and no others. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [oids.int8]: Number,
  [oids.int2]: Number,
  [oids.int4]: Number,
  [oids.text]: decodeText,
  [oids.json]: (text) =>
    JSON.parse(text, (_, value: unknown) =>
      typeof value === 'string' ? decodeText(value) : value,
    ),
}

/** How a value of a type is read. */
export function parserOf(oid: number): (text: string) => unknown {
  return parsers[oid] ?? String
}
