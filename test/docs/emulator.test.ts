import { describe, expect, it } from 'vitest'
import { controlRoutes } from '../../src/emulator/control.ts'
import { faultSchema } from '../../src/emulator/faults.ts'
import { scriptCommands } from '../../src/emulator/model/script.ts'
import { optionsSchema, parseEmulatorOptions } from '../../src/emulator/options.ts'
import { readMarkdownFiles } from './markdown.ts'

const { lines = [] } = readMarkdownFiles().find(({ path }) => path === 'docs/emulator.md') ?? {}

/** The rows of the table under a heading, as cells without marks. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.endsWith(` ${heading}`))
  const end = lines.findIndex((line, at) => at > start && line.startsWith('#'))
  return lines
    .slice(start, end)
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2).split(' | '))
}

const namesUnder = (heading: string) =>
  rowsUnder(heading).flatMap(([cell = '']) =>
    [...cell.matchAll(/`\/?(\w+)[^`]*`/g)].map(([, name = '']) => name),
  )

describe('docs/emulator.md', () => {
  it.each<[heading: string, names: readonly string[]]>([
    ['Options', Object.keys(optionsSchema.shape)],
    ['Leaks', Object.keys(optionsSchema.shape.leaks.unwrap().shape)],
    ['Switches', Object.keys(optionsSchema.shape.switches.unwrap().shape)],
    ['Commands', Object.keys(scriptCommands)],
    ['Faults', faultSchema.options.map(({ shape }) => shape.kind.value)],
  ])('has a row for each name under %s, and no other', (heading, names) => {
    expect(namesUnder(heading).toSorted()).toEqual(names.toSorted())
  })

  it('has a row for each control route, and no other', () => {
    const routes = rowsUnder('Control routes').map(([cell = '']) => cell.replaceAll('`', ''))
    expect(routes.toSorted()).toEqual(Object.keys(controlRoutes).toSorted())
  })

  it('names the defaults of the switches and of the numbers among the options', () => {
    const { switches, ...options } = parseEmulatorOptions({})
    for (const [name = '', value = ''] of rowsUnder('Switches')) {
      const known: unknown = Object.entries(switches).find(([key]) => name === `\`${key}\``)?.[1]
      expect(value.replaceAll('`', ''), name).toBe(String(known))
    }
    const numbers = Object.entries(options).filter(([, value]) => typeof value === 'number')
    for (const [key, number] of numbers) {
      const [, value = ''] = rowsUnder('Options').find(([name]) => name === `\`${key}\``) ?? []
      expect(Number(value.replaceAll(',', '')), key).toBe(number)
    }
  })

  it.each(faultSchema.options.map(({ shape }) => [shape.kind.value, Object.keys(shape)] as const))(
    'names the fields of the fault %s',
    (kind, fields) => {
      const [, documented = ''] = rowsUnder('Faults').find(([name]) => name === `\`${kind}\``) ?? []
      for (const field of fields.filter((name) => name !== 'kind')) {
        expect(documented).toContain(`\`${field}\``)
      }
    },
  )
})
