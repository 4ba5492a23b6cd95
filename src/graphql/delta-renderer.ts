import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLObjectType,
  GraphQLSkipDirective,
  isAbstractType,
  Kind,
} from 'graphql'
import type {
  FieldNode,
  NamedTypeNode,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
  ValidatedSubscriptionArgs,
} from 'graphql'
import type { Delta } from '../domain.ts'
import { eventTypeNames } from './reply-event.ts'

/** The response to one delta, as JSON. `replyId` is the global id. */
export type RenderDelta = (delta: Delta, cursor: string, replyId: string) => string

export type DeltaCompiler = (args: ValidatedSubscriptionArgs) => RenderDelta | undefined

type Slot = 'cursor' | 'replyId' | 'kind' | 'offset' | 'text'
const slots: readonly string[] = [
  'cursor',
  'replyId',
  'kind',
  'offset',
  'text',
] satisfies readonly Slot[]

/**
 * Compiles what a `replies` subscription selects of a delta into a template, since executing it for every delta costs
 * more than everything else together. Undefined: the selection needs more than the event itself, so execute it.
 * Operations are compiled once, as long as their document lives, unless a variable decides what is selected.
 */
export function createDeltaCompiler(): DeltaCompiler {
  const compiled = new WeakMap<OperationDefinitionNode, { render: RenderDelta | undefined }>()
  return (args) => {
    const known = compiled.get(args.operation)
    if (known) return known.render
    const { render, byVariables } = compile(args)
    if (!byVariables) compiled.set(args.operation, { render })
    return render
  }
}

function compile(args: ValidatedSubscriptionArgs) {
  const collector = createCollector(args)
  const render = renderer(args, collector)
  return { render, byVariables: collector.byVariables() }
}

function renderer(args: ValidatedSubscriptionArgs, collector: Collector): RenderDelta | undefined {
  const { schema, operation } = args
  const root = schema.getSubscriptionType()
  const type = schema.getType(eventTypeNames.delta)
  if (!root || !(type instanceof GraphQLObjectType)) return undefined
  const roots = [...collector.collect([operation.selectionSet], root)]
  const [responseName, fields] = roots[0] ?? []
  if (roots.length !== 1 || !fields || fields[0]?.name.value !== 'replies') return undefined
  const selectionSets = fields.flatMap(({ selectionSet }) => selectionSet ?? [])

  const parts: { before: string; slot: Slot }[] = []
  let constant = `{"data":{"${responseName}":{`
  let comma = ''
  for (const [name, [field]] of collector.collect(selectionSets, type)) {
    const fieldName = field?.name.value
    constant += `${comma}"${name}":`
    comma = ','
    if (fieldName === '__typename') constant += `"${type.name}"`
    else if (isSlot(fieldName)) {
      parts.push({ before: constant, slot: fieldName })
      constant = ''
    } else return undefined
  }
  const after = `${constant}}}}`

  return (delta, cursor, replyId) => {
    let json = ''
    for (const { before, slot } of parts) json += before + value(slot, delta, cursor, replyId)
    return json + after
  }
}

function value(slot: Slot, delta: Delta, cursor: string, replyId: string): string {
  switch (slot) {
    case 'text':
      return JSON.stringify(delta.text)
    case 'offset':
      return String(delta.offset)
    case 'kind':
      return `"${delta.kind}"`
    case 'cursor':
      return JSON.stringify(cursor)
    case 'replyId':
      return `"${replyId}"`
  }
}

interface Collector {
  collect(
    selectionSets: readonly SelectionSetNode[],
    type: GraphQLObjectType,
  ): ReadonlyMap<string, readonly FieldNode[]>
  /** A variable has decided something. */
  byVariables(): boolean
}

/** CollectFields of the GraphQL specification, §6.3.2. */
function createCollector(args: ValidatedSubscriptionArgs): Collector {
  const { schema, fragmentDefinitions, variableValues } = args
  let byVariables = false

  return {
    collect(selectionSets, type) {
      const fields = new Map<string, FieldNode[]>()
      const visited = new Set<string>()
      for (const selectionSet of selectionSets) visit(selectionSet, type, fields, visited)
      return fields
    },
    byVariables: () => byVariables,
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
    byVariables ||= node.directives.some(({ arguments: values }) =>
      values?.some(({ value: { kind } }) => kind === Kind.VARIABLE),
    )
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

function isSlot(name: string | undefined): name is Slot {
  return name !== undefined && slots.includes(name)
}
