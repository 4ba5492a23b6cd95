import { readFileSync } from 'node:fs'
import {
  buildSchema,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql'

/** Which parts of the schema answers have shown: a field counts once it had a value, a list once it had a row, an argument once it was given one. */
export interface Coverage {
  /** `data`: what the operation was answered with. */
  record(source: string, variables: Readonly<Record<string, unknown>>, data: unknown): void
  /** `Type.field`, `Type.field.argument`, `Input.field` and `Enum.VALUE` that were not met. */
  readonly missing: readonly string[]
}

const schema = buildSchema(
  readFileSync(new URL('../../../schema/schema.graphql', import.meta.url), 'utf8'),
)

export function createCoverage(): Coverage {
  const met = new Set<string>()
  return {
    record(source, variables, data) {
      const document = parse(source)
      const fragments = new Map<string, FragmentDefinitionNode>()
      for (const definition of document.definitions) {
        if (definition.kind === Kind.FRAGMENT_DEFINITION) {
          fragments.set(definition.name.value, definition)
        }
      }
      for (const definition of document.definitions) {
        if (definition.kind !== Kind.OPERATION_DEFINITION) continue
        const root = schema.getRootType(definition.operation)
        if (root) visit(definition.selectionSet, root, Object(data))
      }

      function visit(
        { selections }: SelectionSetNode,
        type: GraphQLObjectType,
        value: Readonly<Record<string, unknown>>,
      ): void {
        for (const selection of selections) {
          switch (selection.kind) {
            case Kind.FIELD:
              visitField(selection, type, value)
              break
            case Kind.INLINE_FRAGMENT:
              if (applies(selection.typeCondition?.name.value, type)) {
                visit(selection.selectionSet, type, value)
              }
              break
            case Kind.FRAGMENT_SPREAD: {
              const fragment = fragments.get(selection.name.value)
              if (fragment && applies(fragment.typeCondition.name.value, type)) {
                visit(fragment.selectionSet, type, value)
              }
            }
          }
        }
      }

      function visitField(
        { name, alias, arguments: args, selectionSet }: FieldNode,
        parent: GraphQLObjectType,
        value: Readonly<Record<string, unknown>>,
      ): void {
        const field = parent.getFields()[name.value]
        const found = value[(alias ?? name).value]
        if (!field || found == null || (Array.isArray(found) && found.length === 0)) return
        const place = `${parent.name}.${field.name}`
        met.add(place)
        for (const { name: argument, value: given } of args ?? []) {
          const known = field.args.find((one) => one.name === argument.value)
          const input = valueFromASTUntyped(given, { ...variables })
          if (!known || input == null) continue
          met.add(`${place}.${known.name}`)
          visitInput(known.type, input)
        }
        for (const one of Array.isArray(found) ? found : [found]) {
          const type = concrete(field.type, one)
          if (type && selectionSet) visit(selectionSet, type, Object(one))
        }
      }
    },
    get missing() {
      return coordinates().filter((place) => !met.has(place))
    },
  }

  /** The type of a value; of a leaf undefined, its enum value noted. */
  function concrete(type: GraphQLOutputType, value: unknown): GraphQLObjectType | undefined {
    const named = getNamedType(type)
    if (isEnumType(named)) met.add(`${named.name}.${String(value)}`)
    if (isObjectType(named)) return named
    if (!isAbstractType(named)) return undefined
    const { __typename: name }: { __typename?: string } = Object(value)
    const found = schema.getType(name ?? '')
    return isObjectType(found) ? found : undefined
  }

  function visitInput(type: GraphQLInputType, value: unknown): void {
    const named = getNamedType(type)
    for (const one of Array.isArray(value) ? value : [value]) {
      if (isEnumType(named)) met.add(`${named.name}.${String(one)}`)
      if (!isInputObjectType(named)) continue
      for (const [name, part] of Object.entries(Object(one))) {
        const field = named.getFields()[name]
        if (!field || part == null) continue
        met.add(`${named.name}.${name}`)
        visitInput(field.type, part)
      }
    }
  }
}

function applies(condition: string | undefined, type: GraphQLObjectType): boolean {
  if (condition === undefined || condition === type.name) return true
  const abstract = schema.getType(condition)
  return isAbstractType(abstract) && schema.isSubType(abstract, type)
}

function coordinates(): readonly string[] {
  const argumentsOf = (place: string, args: readonly GraphQLArgument[]) =>
    args.map(({ name }) => `${place}.${name}`)
  return Object.values(schema.getTypeMap())
    .filter(({ name }) => !name.startsWith('__'))
    .flatMap((type) => {
      if (isEnumType(type)) return type.getValues().map(({ name }) => `${type.name}.${name}`)
      if (isInputObjectType(type)) {
        return Object.keys(type.getFields()).map((name) => `${type.name}.${name}`)
      }
      if (!isObjectType(type)) return []
      return Object.values(type.getFields()).flatMap((field) => {
        const place = `${type.name}.${field.name}`
        return [place, ...argumentsOf(place, field.args)]
      })
    })
}
