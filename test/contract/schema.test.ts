import { readFile, readdir } from 'node:fs/promises'
import { generate, loadContext } from '@graphql-codegen/cli'
import { isInputObjectType, isInterfaceType, isObjectType, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { printGatewaySchema, schema } from '../../src/graphql/schema.ts'

const top = new URL('../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, top), 'utf8')

describe('the schema', () => {
  it('is printed in schema/schema.graphql as it is', async () => {
    expect(await read('schema/schema.graphql')).toBe(printGatewaySchema())
  })

  it('describes every type and every field', () => {
    const bare: string[] = []
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith('__')) continue
      if (!type.description) bare.push(type.name)
      if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue
      for (const field of Object.values(type.getFields())) {
        if (!field.description) bare.push(`${type.name}.${field.name}`)
        for (const arg of 'args' in field ? field.args : []) {
          if (!arg.description) bare.push(`${type.name}.${field.name}(${arg.name})`)
        }
      }
    }
    expect(bare).toEqual([])
  })

  it('prices every mutation where it is defined', () => {
    const unpriced = Object.values(schema.getMutationType()?.getFields() ?? {})
      .filter(({ extensions }) => !(Number(extensions['cost']) > 1))
      .map(({ name }) => name)
    expect(unpriced).toEqual([])
  })

  it('validates every operation of schema/operations', async () => {
    const names = (await readdir(new URL('schema/operations/', top))).filter((name) =>
      name.endsWith('.graphql'),
    )
    const sources = await Promise.all(names.map((name) => read(`schema/operations/${name}`)))
    expect(validate(schema, parse(sources.join('\n')))).toEqual([])
  })

  it('has given the operations the types that codegen gives them now', async () => {
    const context = await loadContext(new URL('codegen.ts', top).pathname)
    context.cwd = top.pathname
    const files: { filename: string; content: string }[] = await generate(context, false)
    expect(files.length).toBeGreaterThan(0)
    for (const { filename, content } of files) {
      expect(await readFile(new URL(filename, top), 'utf8'), filename).toBe(content)
    }
  })
})
