import {
  BREAK,
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isAbstractType,
  Kind,
  visit as visitNodes,
  type FieldNode,
  type GraphQLObjectType,
  type NamedTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidatedSubscriptionArgs,
} from 'graphql'

/** Whether a variable decides which fields of the operation are included. */
export function isDecidedByVariables({
  operation,
  fragmentDefinitions,
}: ValidatedSubscriptionArgs): boolean {
  let found = false
  for (const definition of [operation, ...Object.values(fragmentDefinitions)]) {
    visitNodes(definition, {
      Directive(node) {
        if (!node.arguments?.some(({ value: { kind } }) => kind === Kind.VARIABLE)) return undefined
        found = true
        return BREAK
      },
    })
  }
  return found
}

export type Collect = (
  selectionSets: readonly SelectionSetNode[],
  type: GraphQLObjectType,
) => ReadonlyMap<string, readonly FieldNode[]>

/** CollectFields of the GraphQL specification, §6.3.2: the fields of selection sets by their response names. */
export function createCollector(args: ValidatedSubscriptionArgs): Collect {
  const { schema, fragmentDefinitions, variableValues } = args
  return (selectionSets, type) => {
    const fields = new Map<string, FieldNode[]>()
    const visited = new Set<string>()
    for (const selectionSet of selectionSets) visit(selectionSet, type, fields, visited)
    return fields
  }

  function visit(
    selectionSet: SelectionSetNode,
    type: GraphQLObjectType,
    fields: Map<string, FieldNode[]>,
    visited: Set<string>,
  ): void {
    for (const selection of selectionSet.selections) {
      if (!isIncluded(selection)) continue
      switch (selection.kind) {
        case Kind.FIELD: {
          const name = (selection.alias ?? selection.name).value
          const same = fields.get(name)
          if (same) same.push(selection)
          else fields.set(name, [selection])
          break
        }
        case Kind.INLINE_FRAGMENT:
          if (applies(selection.typeCondition, type)) {
            visit(selection.selectionSet, type, fields, visited)
          }
          break
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value
          const fragment = fragmentDefinitions[name]
          if (visited.has(name) || !fragment) break
          visited.add(name)
          if (applies(fragment.typeCondition, type)) {
            visit(fragment.selectionSet, type, fields, visited)
          }
        }
      }
    }
  }

  function isIncluded(node: SelectionNode): boolean {
    if (!node.directives?.length) return true
    const skip = getDirectiveValues(GraphQLSkipDirective, node, variableValues)
    const include = getDirectiveValues(GraphQLIncludeDirective, node, variableValues)
    return skip?.['if'] !== true && include?.['if'] !== false
  }

  function applies(condition: NamedTypeNode | undefined, type: GraphQLObjectType): boolean {
    if (!condition) return true
    const named = schema.getType(condition.name.value)
    return named === type || (isAbstractType(named) && schema.isSubType(named, type))
  }
}
