import type { z } from 'zod'

/** Our sentences instead of zod's. They follow a path, and never show a value. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== 'custom') return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${nameOfType(issue.expected)}`
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`
    case 'too_small':
      return `must ${boundOf(issue.origin, 'least', issue.minimum)}`
    case 'too_big':
      return `must ${boundOf(issue.origin, 'most', issue.maximum)}`
    case 'unrecognized_keys':
    case 'custom':
    case 'invalid_format':
    case 'invalid_key':
    case 'invalid_element':
    case 'invalid_union':
    case 'not_multiple_of':
      return undefined
  }
}

/** One line for each thing to mend: `assistants[0].baseUrl: must be …`. */
export function problemLines(
  issue: z.core.$ZodIssue,
  nameOf: (path: readonly PropertyKey[]) => string,
): readonly string[] {
  if (issue.code !== 'unrecognized_keys') return [`${nameOf(issue.path)}: ${issue.message}`]
  return issue.keys.map((key) => `${nameOf([...issue.path, key])}: is not a setting`)
}

/** `['assistants', 0, 'baseUrl']` → `assistants[0].baseUrl`. */
export function formatPath(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
  return text.join('').replace(/^\./, '') || 'configuration'
}

function nameOfType(expected: string): string {
  switch (expected) {
    case 'string':
      return 'text'
    case 'int':
      return 'a whole number'
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'a list'
    case 'record':
      return 'an object'
    default:
      return `${/^[aeiou]/.test(expected) ? 'an' : 'a'} ${expected}`
  }
}

function boundOf(origin: string, side: 'least' | 'most', bound: number | bigint): string {
  if (origin === 'string') return `have at ${side} ${plural(bound, 'character', 'characters')}`
  if (origin === 'array') return `have at ${side} ${plural(bound, 'entry', 'entries')}`
  return `be at ${side} ${bound}`
}

function plural(count: number | bigint, one: string, many: string): string {
  return `${count} ${Number(count) === 1 ? one : many}`
}
