import { Kind, type GraphQLResolveInfo, type ValueNode } from 'graphql'
import { InvalidInputError } from '../../errors.ts'
import type { IdempotencyKey } from '../../session/acceptance.ts'

const maxKeyLength = 255

/**
 * An argument of the field as the caller sent it, before coercion and defaults, in a canonical form. So a default that
 * changes
 * with the schema does not turn a repeated request into another one.
 */
export function rawInput(info: GraphQLResolveInfo, argument: string): string {
  const node = info.fieldNodes[0]?.arguments?.find(({ name }) => name.value === argument)
  return canonicalJson(node && untyped(node.value, info))
}

/** An `idempotencyKey` of the input, for exactly this input. @throws {@link InvalidInputError} */
export function getIdempotency(
  key: string | null | undefined,
  info: GraphQLResolveInfo,
): IdempotencyKey | undefined {
  if (key == null) return undefined
  if (key === '' || key.length > maxKeyLength) {
    throw new InvalidInputError(`"idempotencyKey" must have 1 to ${maxKeyLength} characters.`, {
      field: ['idempotencyKey'],
    })
  }
  return { key, input: rawInput(info, 'input') }
}

/** JSON with sorted keys of every object and without undefined members. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}

function untyped(node: ValueNode, info: GraphQLResolveInfo): unknown {
  switch (node.kind) {
    case Kind.VARIABLE:
      return info.variableValues.sources[node.name.value]?.value
    case Kind.OBJECT:
      return Object.fromEntries(
        node.fields.map(({ name, value }) => [name.value, untyped(value, info)]),
      )
    case Kind.LIST:
      return node.values.map((value) => untyped(value, info))
    case Kind.NULL:
      return null
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value)
    case Kind.STRING:
    case Kind.ENUM:
    case Kind.BOOLEAN:
      return node.value
  }
}
