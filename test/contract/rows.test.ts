import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../', import.meta.url)
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(
    (path) => path.endsWith('.ts') && !path.startsWith('sim/') && !path.endsWith('rows.test.ts'),
  )
  .map((path) => readFileSync(new URL(path, root), 'utf8'))

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at)
/** Threats and faults that one machine can meet; those of Redis (F27 to F31) are another engine's. */
const rows = [
  ...numbers(1, 22).map((row) => `T${row}`),
  ...numbers(1, 26).map((row) => `F${row}`),
  ...numbers(32, 37).map((row) => `F${row}`),
  'F38a',
  'F38b',
  'F38c',
  ...numbers(39, 41).map((row) => `F${row}`),
]

/** In the title of a test or of a group of tests, or in the name of a case that has one of its own. */
const titles = files.flatMap((text) =>
  [...text.matchAll(/^.*(?:describe|it|\]\)\(|^ {2}'F).*$/gm)].map(([line]) => line),
)

describe('every threat and fault', () => {
  it.each(rows)('%s is named by a test', (row) => {
    const pattern = new RegExp(`\\b${row}\\b`)
    expect(titles.some((title) => pattern.test(title))).toBe(true)
  })
})
