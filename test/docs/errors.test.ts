import { readFileSync } from 'node:fs'
import { buildSchema, isEnumType } from 'graphql'
import { describe, expect, it } from 'vitest'
import { endingCodes, requestStatuses } from '../kit/schema/codes.ts'
import { root } from './markdown.ts'

const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

/** The rows of the table of codes, each code with where it comes and what to do about it. */
const advice = (read('docs/errors.md').split('## Codes')[1] ?? '')
  .split('\n\n')
  .filter((block) => block.startsWith('| where'))
  .flatMap((table) => table.split('\n').slice(2))
  .reduce<{ where: string; code: string; what: string }[]>((rows, line) => {
    const [, where = '', codes = '', what = ''] = line.split('|').map((cell) => cell.trim())
    const place = where === '' ? (rows.at(-1)?.where ?? '') : where
    for (const [, code = ''] of codes.matchAll(/`(\w+)`/g)) rows.push({ where: place, code, what })
    return rows
  }, [])

const schema = buildSchema(read('schema/schema.graphql'))
function valuesOf(name: string): readonly string[] {
  const type = schema.getType(name)
  return isEnumType(type) ? type.getValues().map((value) => value.name) : []
}

/** Every code with each place where it may come. */
const codes: readonly (readonly [code: string, where: string])[] = [
  ...Object.entries(requestStatuses).flatMap(([code, statuses]) =>
    statuses.map((status) => [code, status === 500 ? 'anything else' : `HTTP ${status}`] as const),
  ),
  ...valuesOf('UserErrorCode').map((code) => [code, 'member of a result union'] as const),
  ...[...endingCodes].map((code) => [code, 'end of a stream'] as const),
  ...valuesOf('ReplyFailureCode').map((code) => [code, '`ReplyFailure.code`'] as const),
]

function isAt(where: string, place: string): boolean {
  const [, status] = /^HTTP (\d+)$/.exec(place) ?? []
  return status === undefined
    ? where === place
    : where.startsWith('HTTP ') && where.includes(status)
}

describe('the table of codes', () => {
  it.each(codes)('says what to do about %s, as it comes by: %s', (code, place) => {
    const rows = advice.filter((row) => row.code === code && isAt(row.where, place))
    expect(rows).toMatchObject([{ what: expect.stringMatching(/\w+ \w+/) }])
  })

  it('has no code that nobody meets, and every one that the gateway has', () => {
    expect(new Set(advice.map(({ code }) => code))).toEqual(new Set(codes.map(([code]) => code)))
    const ours = [...read('src/errors.ts').matchAll(/code = '(\w+)'/g)].map(([, code]) => code)
    expect(ours.length).toBeGreaterThan(15)
    expect(advice.map(({ code }) => code)).toEqual(expect.arrayContaining(ours))
  })
})
