import type { JsonValue } from '../../domain.ts'
import { isPlain } from '../../lib/plain.ts'

export const maxJsonDepth = 16
/** The longest JSON text, in UTF-16 code units. */
export const maxJsonLength = 16_384

/** @throws `TypeError` for a value that is not JSON, too deep, too long, or not exact. */
export function checkJson(value: unknown): Exclude<JsonValue, null> {
  const checked = check(value, 0)
  if (checked === null) throw new TypeError('Null is not accepted as a JSON value.')
  if (JSON.stringify(checked).length > maxJsonLength) {
    throw new TypeError(`A JSON value may have at most ${maxJsonLength} characters.`)
  }
  return checked
}

/** A copy without prototypes, so that the checked value is the value that is used. */
function check(value: unknown, depth: number): JsonValue {
  if (depth > maxJsonDepth)
    throw new TypeError(`A JSON value may have at most ${maxJsonDepth} levels.`)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return checkNumber(value)
  if (Array.isArray(value)) return value.map((item) => check(item, depth + 1))
  if (typeof value === 'object' && isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, check(member, depth + 1)]),
    )
  }
  throw new TypeError('This is not a JSON value.')
}

/** An integer that a double cannot hold exactly was changed by parsing. */
function checkNumber(value: number): number {
  const isExact =
    Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
  if (isExact) return value
  throw new TypeError('A number of this size must be sent as text.')
}
