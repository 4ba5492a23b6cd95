import { isJsonObject } from '../lib/json-object.ts'
/** A JSON object from the wire: nothing in it is believed before it was looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Values of one JSON text. A list of messages has some thousands; a million take half a second to read. */
const maxValues = 100_000
/** Code units of a text that cannot take long, whatever it holds. */
const shortLength = 65_536

/** Undefined for broken JSON, whose text must not get into an error, and for more values than any platform sends. */
export function tryParseJson(text: string): unknown {
  if (text.length > shortLength && hasTooManyValues(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Undefined for anything that is not a JSON object, broken JSON included. */
export function parseObject(text: string): JsonObject | undefined {
  const value = tryParseJson(text)
  return isJsonObject(value) ? value : undefined
}

export function findObject(from: JsonObject, key: string): JsonObject | undefined {
  const value = from[key]
  return isJsonObject(value) ? value : undefined
}

/** The objects of a list; none if it is no list. */
export function findObjects(from: JsonObject, key: string): readonly JsonObject[] {
  const value = from[key]
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

/** Undefined if empty. */
export function findString(from: JsonObject, key: string): string | undefined {
  const value = from[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Code units of an id. The platform's have at most 36; what is longer is none, as ids are stored. */
export const maxIdLength = 512

/** Ids are decimal strings above 2^53; `""` and `"0"` mean none. */
export function findId(from: JsonObject, key: string): string | undefined {
  const value = findString(from, key)
  return value === '0' || (value?.length ?? 0) > maxIdLength ? undefined : value
}

/** A number or a string, as the dialects differ; 0 and `""` are no code. */
export function findCode(from: JsonObject, key: string): string | undefined {
  const value = from[key]
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const code = String(value)
  return code === '' || code === '0' ? undefined : code
}

const quote = 0x22
const backslash = 0x5c
const beforeValue: ReadonlySet<number> = new Set([0x2c, 0x5b, 0x7b])

/** Counts what begins a value (comma, bracket, brace) outside of strings. */
function hasTooManyValues(text: string): boolean {
  let values = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    else if (beforeValue.has(code) && ++values > maxValues) return true
  }
  return false
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes += 1
    if (escapes % 2 === 0) return end
  }
  return text.length
}
