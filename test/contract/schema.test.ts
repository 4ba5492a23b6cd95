import { readFile, readdir } from 'node:fs/promises'
import { generate, loadContext } from '@graphql-codegen/cli'
import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  parse,
  validate,
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLOutputType,
} from 'graphql'
import { describe, expect, it } from 'vitest'
import { printGatewaySchema, schema } from '../../src/graphql/schema.ts'

const top = new URL('../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, top), 'utf8')

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type),
)
interface Field {
  readonly parent: GraphQLNamedType
  readonly name: string
  readonly type: GraphQLInputType | GraphQLOutputType
  readonly description?: string | null | undefined
  readonly args: readonly GraphQLArgument[]
}
const fields: readonly Field[] = types.flatMap((parent): readonly Field[] => {
  if (isInputObjectType(parent)) {
    return Object.values(parent.getFields()).map(({ name, type, description }) => {
      return { parent, name, type, description, args: [] }
    })
  }
  if (!isObjectType(parent) && !isInterfaceType(parent)) return []
  return Object.values(parent.getFields()).map(({ name, type, description, args }) => {
    return { parent, name, type, description, args }
  })
})

/** Whatever has a description, with it. */
const places: readonly (readonly [string, string])[] = [
  ...types.map((type) => [type.name, type.description] as const),
  ...fields.map((field) => [`${field.parent.name}.${field.name}`, field.description] as const),
  ...fields.flatMap(({ parent, name, args }) =>
    args.map((arg) => [`${parent.name}.${name}(${arg.name})`, arg.description] as const),
  ),
  ...types.flatMap((type) =>
    isEnumType(type)
      ? type.getValues().map((value) => [`${type.name}.${value.name}`, value.description] as const)
      : [],
  ),
].map(([place, description]) => [place, description ?? ''])

describe('the schema', () => {
  it('is printed in schema/schema.graphql as it is', async () => {
    expect(await read('schema/schema.graphql')).toBe(printGatewaySchema())
  })

  it.each(places)('describes %s in a sentence that stands by itself', (_place, description) => {
    const [first, second, ...more] = description.split(/(?<=[.!?]) (?=[A-Z])/)
    expect(first).toMatch(/^[A-Z][^.]*(?:\.[a-z/][^.]*)*\.$/)
    expect(first).not.toMatch(/^(Of|It|Its|They|Their|What|Who|When|Where|Why|As|Undefined|Null)\b/)
    // A second sentence states a default or a limit.
    if (second !== undefined) expect(second).toMatch(/default|at most|may|null|kept/i)
    expect(more).toEqual([])
  })

  it('calls ids, instants and truths by their endings and beginnings', () => {
    const misnamed = fields.filter(({ name, type }) => {
      const named = getNamedType(type).name
      if (/Ids?$/.test(name)) return named !== 'ID'
      if (name.endsWith('At')) return named !== 'DateTime'
      if (/Ms$|Size$/.test(name)) return named !== 'Int'
      return named === 'DateTime' || (named === 'Boolean' && !/^(is|accepts|has)[A-Z]/.test(name))
    })
    // Participles are truths as well.
    const named = new Set(misnamed.map(({ name }) => name))
    expect([...named].sort()).toEqual(['contextReset', 'retryable', 'upstreamCancelled'])
  })

  it('gives an id to Nodes alone, whose ids are unique', () => {
    const ids = fields.filter(({ name, parent }) => name === 'id' && isObjectType(parent))
    for (const { parent } of ids) {
      expect(isObjectType(parent) && parent.getInterfaces().map(String)).toContain('Node')
    }
  })

  it('has nodes on every connection, and says where every scalar is specified', () => {
    for (const type of types) {
      if (isObjectType(type) && type.name.endsWith('Connection')) {
        expect(Object.keys(type.getFields()).sort()).toEqual(['edges', 'nodes', 'pageInfo'])
      }
      if (isScalarType(type) && !isSpecifiedScalarType(type)) {
        expect(type.specifiedByURL, type.name).toMatch(/^https:/)
      }
    }
  })

  it('has one input and one result union for every mutation', () => {
    for (const { name, args, type } of Object.values(schema.getMutationType()?.getFields() ?? {})) {
      const capital = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
      const inputs = args.map((arg) => `${arg.name}: ${String(arg.type)}`)
      // There is nothing to say about it: the session is the caller's.
      expect(inputs).toEqual(name === 'eraseSession' ? [] : [`input: ${capital}Input!`])
      expect(String(type)).toBe(`${capital}Result!`)
    }
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
