/** @throws {SyntaxError} A field that is `null` is a field that is absent. */
export function parseWithoutNulls(text: string): unknown {
  const value: unknown = JSON.parse(text, function (this: unknown, _key, field: unknown) {
    return field === null && !Array.isArray(this) ? undefined : field
  })
  return value
}
