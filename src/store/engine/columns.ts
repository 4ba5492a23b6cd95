export type StoredRow = Readonly<Record<string, unknown>>

/** Columns as the schema says they are: anything else is a bug, and is told as one. */
export function integer(value: unknown): number {
  if (typeof value === 'number') return value
  throw new TypeError(`expected an integer column, got ${typeof value}`)
}

export function integerOrNull(value: unknown): number | null {
  return value === null ? null : integer(value)
}

export function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError(`expected a text column, got ${typeof value}`)
}

export function stringOrNull(value: unknown): string | null {
  return value === null ? null : string(value)
}

/** JSON that we wrote. What the parser says of damaged text quotes it, and so what somebody said. */
export function json<T>(value: unknown): T {
  const text = string(value)
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError('expected a column of JSON, got other text')
  }
}

export function jsonOrNull<T>(value: unknown): T | null {
  return value === null || value === undefined ? null : json(value)
}

/** A row within a row; null: there is none. */
export function rowOf(value: unknown): StoredRow | null {
  if (value === null || value === undefined) return null
  if (isRow(value)) return value
  throw new TypeError(`expected a row, got ${typeof value}`)
}

/** Rows within a row; none where nothing was found. */
export function rowsOf(value: unknown): readonly StoredRow[] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value) && value.every(isRow)) return value
  throw new TypeError(`expected rows, got ${typeof value}`)
}

function isRow(value: unknown): value is StoredRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
