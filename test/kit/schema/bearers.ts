import { readFileSync } from 'node:fs'
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLInputField,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql'

const bearers = new Set(['after', 'before', 'cursor', 'idempotencyKey'])

/**
 * Every argument and input field of the schema that can carry an id, a cursor or a key, as `Type.field.argument` with
 * the fields of input objects behind it.
 */
export function findBearers(): readonly string[] {
  const file = new URL('../../../schema/schema.graphql', import.meta.url)
  const schema = buildSchema(readFileSync(file, 'utf8'))
  const found: string[] = []
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || !(isObjectType(type) || isInterfaceType(type))) continue
    for (const field of Object.values(type.getFields())) {
      for (const argument of field.args) visit(argument, `${type.name}.${field.name}`, [])
    }
  }
  return found.sort()

  function visit(
    input: GraphQLArgument | GraphQLInputField,
    parent: string,
    seen: readonly string[],
  ) {
    const path = `${parent}.${input.name}`
    const type = getNamedType(input.type)
    if (type.name === 'ID' || bearers.has(input.name)) found.push(path)
    if (!isInputObjectType(type) || seen.includes(type.name)) return
    for (const field of Object.values(type.getFields())) visit(field, path, [...seen, type.name])
  }
}
