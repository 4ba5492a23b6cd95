/** A JSON object from the wire: nothing in it is believed before it was looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Undefined for broken JSON: its text must not get into an error. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Undefined for anything that is not a JSON object, broken JSON included. */
export function parseObject(text: string): JsonObject | undefined {
  const value = parseJson(text)
  return isObject(value) ? value : undefined
}

export function findObject(from: JsonObject, key: string): JsonObject | undefined {
  const value = from[key]
  return isObject(value) ? value : undefined
}

/** The objects of a list; none if it is no list. */
export function findObjects(from: JsonObject, key: string): readonly JsonObject[] {
  const value = from[key]
  return Array.isArray(value) ? value.filter(isObject) : []
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
