import type { QuestionField } from '../domain.ts'

/**
 * The answer to a form as Studio reads it: one line `name:value` for each field, in which every space counts. Taken are a
 * JSON object, lines with a space after the colon, and the bare value of a form with one field.
 */
export function formLines(text: string, fields: readonly QuestionField[]): string {
  const values = readObject(text) ?? readLines(text, fields)
  const [only, ...more] = fields
  if (values === undefined) {
    return only === undefined || more.length > 0 ? text : lineOf(only.name, text)
  }
  return values.map(([name, value]) => lineOf(name, value)).join('\n')
}

type Values = readonly (readonly [name: string, value: string])[]

function readObject(text: string): Values | undefined {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined
  return Object.entries(given).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
}

/** Undefined: it does not begin with the name of a field. A line without one belongs to the line before it. */
function readLines(text: string, fields: readonly QuestionField[]): Values | undefined {
  const names = new Set(fields.map(({ name }) => name))
  const values: [string, string][] = []
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trim()
    const last = values.at(-1)
    if (names.has(name)) values.push([name, line.slice(colon + 1)])
    else if (last === undefined) return undefined
    else last[1] += ` ${line}`
  }
  return values
}

/** A value stays on its line. */
function lineOf(name: string, value: string): string {
  return `${name}:${value.replaceAll(/\s*[\r\n]+\s*/g, ' ').trim()}`
}
