import {
  GraphQLError,
  Kind,
  Lexer,
  OperationTypeNode,
  Source,
  TokenKind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import type { Limits } from '../../config/sections/limits.ts'
import { BadRequestError } from '../../errors.ts'

export type DocumentLimits = Pick<
  Limits,
  'maxDepth' | 'maxAliases' | 'maxDirectives' | 'maxCost' | 'maxEventCost'
>

/** Introspection queries are deep. graphql-js itself refuses recursive ones. */
const maxIntrospectionDepth = 20
/** Fields of a document. A fragment counts as often as it is spread. */
const maxFields = 2_000
/** Pairs of fields that share a response key. Validation compares every pair. */
const maxOverlaps = 10_000
/** Points of an introspection field: its result is many times larger than a page of rows. */
const introspectionCost = 10_000
const defaultRows = 20
const maxRows = 100
/** Nested brackets of any kind, and nested fragments: readers of a document recurse into each. */
const maxNesting = 200
/** Arguments that say how many rows a field has: those of a page, or of nodes by their ids. */
const sizes: ReadonlySet<string> = new Set(['first', 'last', 'ids'])
/** Fields of a page that have one value for each row. */
const pageRows: ReadonlySet<string> = new Set(['edges', 'nodes'])

/** The fields of one response key. */
interface ResponseKey {
  count: number
  readonly below: Map<string, ResponseKey>
}

interface Where {
  readonly depth: number
  /** Nested selections, fragments included: each is a nested call. */
  readonly levels: number
  readonly maxDepth: number
  /** How often a field is resolved at most, or 0 if it is not resolved. */
  readonly rows: number
  /** How many rows `edges` or `nodes` has here, if they have not been counted yet. */
  readonly edges: number
}

/**
 * Refuses a document that costs too much to validate or to execute, and returns the cost. Call it before validation, whose
 * cost it bounds. It does not use the schema: it knows a page by its `edges` or `nodes`, and a field by its name.
 * @param fieldCosts points of the fields that cost more than 1
 * @throws {@link BadRequestError}
 */
export function checkDocument(
  document: DocumentNode,
  limits: DocumentLimits,
  fieldCosts: ReadonlyMap<string, number>,
): number {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      fragments.set(definition.name.value, definition)
    }
  }
  const spreading = new Set<string>()
  const total = {
    fields: 0,
    aliases: 0,
    directives: 0,
    overlaps: 0,
    cost: 0,
    'cost of an event': 0,
  }
  let isSubscription = false

  for (const definition of document.definitions) {
    if (
      definition.kind === Kind.OPERATION_DEFINITION ||
      definition.kind === Kind.FRAGMENT_DEFINITION
    ) {
      countDirectives(definition)
      // A fragment by itself is only validated. Its cost of execution counts where it is spread.
      const isExecuted = definition.kind === Kind.OPERATION_DEFINITION
      isSubscription = isExecuted && definition.operation === OperationTypeNode.SUBSCRIPTION
      const maxDepth = isExecuted ? limits.maxDepth : maxIntrospectionDepth
      const root: ResponseKey = { count: 0, below: new Map() }
      const rows = isExecuted ? 1 : 0
      visit(definition.selectionSet, root, { depth: 1, levels: 1, maxDepth, rows, edges: 1 })
    }
  }
  return total.cost

  function visit({ selections }: SelectionSetNode, key: ResponseKey, at: Where): void {
    if (at.levels > maxNesting) throw tooMuch('nesting', maxNesting)
    const levels = at.levels + 1
    for (const selection of selections) {
      countDirectives(selection)
      switch (selection.kind) {
        case Kind.FIELD: {
          if (at.depth > at.maxDepth) throw tooMuch('depth', at.maxDepth)
          count('fields', 1, maxFields)
          if (selection.alias && at.rows > 0) count('aliases', 1, limits.maxAliases)
          const below = enter(key, (selection.alias ?? selection.name).value)
          count('overlaps', below.count - 1, maxOverlaps)
          countCost(at.rows * costOf(selection))
          if (!selection.selectionSet) break
          visit(selection.selectionSet, below, {
            depth: at.depth + 1,
            levels,
            maxDepth: isIntrospection(selection) ? maxIntrospectionDepth : at.maxDepth,
            ...rowsBelow(selection, at),
          })
          break
        }
        case Kind.INLINE_FRAGMENT:
          visit(selection.selectionSet, key, { ...at, levels })
          break
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value
          const fragment = fragments.get(name)
          // Validation refuses a fragment that contains itself, and an unknown one.
          if (!fragment || spreading.has(name)) break
          count('fields', 1, maxFields)
          spreading.add(name)
          visit(fragment.selectionSet, key, { ...at, levels })
          spreading.delete(name)
        }
      }
    }
  }

  /** A subscription is executed for each event, so it may cost less than an operation that is executed once. */
  function countCost(more: number): void {
    count('cost', more, limits.maxCost)
    if (isSubscription) count('cost of an event', more, limits.maxEventCost)
  }

  function costOf(field: FieldNode): number {
    return isIntrospection(field) ? introspectionCost : (fieldCosts.get(field.name.value) ?? 1)
  }

  /** Each counts as often as it is written. */
  function countDirectives({
    directives,
  }: {
    readonly directives?: readonly unknown[] | undefined
  }) {
    if (spreading.size === 0) count('directives', directives?.length ?? 0, limits.maxDirectives)
  }

  function count(what: keyof typeof total, more: number, max: number): void {
    total[what] += more
    if (total[what] > max) throw tooMuch(what, max)
  }
}

/**
 * Refuses a document whose brackets nest so deep that parsing it would overflow the stack. Call it before parsing.
 * It reads at most `maxTokens` tokens, and refuses a longer document as well.
 * @throws {@link BadRequestError}
 */
export function checkNesting(source: string | Source, maxTokens: number): void {
  const lexer = new Lexer(typeof source === 'string' ? new Source(source) : source)
  let depth = 0
  for (let tokens = 0; tokens <= maxTokens; tokens += 1) {
    switch (nextKind(lexer)) {
      case TokenKind.BRACE_L:
      case TokenKind.BRACKET_L:
      case TokenKind.PAREN_L:
        depth += 1
        if (depth > maxNesting) throw tooMuch('nesting', maxNesting)
        break
      case TokenKind.BRACE_R:
      case TokenKind.BRACKET_R:
      case TokenKind.PAREN_R:
        depth -= 1
        break
      case TokenKind.EOF:
      case undefined:
        return
      default:
    }
  }
}

/** Returns undefined where there is no token. The parser reports that. */
function nextKind(lexer: Lexer): TokenKind | undefined {
  try {
    return lexer.advance().kind
  } catch (error) {
    if (error instanceof GraphQLError) return undefined
    throw error
  }
}

function enter(key: ResponseKey, name: string): ResponseKey {
  let below = key.below.get(name)
  if (!below) key.below.set(name, (below = { count: 0, below: new Map() }))
  below.count += 1
  return below
}

function isIntrospection({ name }: FieldNode): boolean {
  return name.value === '__schema' || name.value === '__type'
}

/**
 * The rows of a page with a size count at once. Those of another page count at its `edges` or `nodes`, which may be in a
 * fragment.
 */
function rowsBelow(
  { name, arguments: args }: FieldNode,
  { rows, edges }: Where,
): Pick<Where, 'rows' | 'edges'> {
  const size = args?.find((argument) => sizes.has(argument.name.value))?.value
  if (!size) return { rows: pageRows.has(name.value) ? rows * edges : rows, edges: defaultRows }
  return { rows: rows * sizeOf(size), edges: 1 }
}

function sizeOf(size: ValueNode): number {
  if (size.kind === Kind.INT) return Math.max(1, Math.min(Number(size.value), maxRows))
  return size.kind === Kind.LIST ? Math.min(size.values.length, maxRows) : maxRows
}

function tooMuch(what: string, max: number): BadRequestError {
  return new BadRequestError(`The document exceeds the limit of ${max} for ${what}.`)
}
