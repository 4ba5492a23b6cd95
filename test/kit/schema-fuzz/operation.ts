import {
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isListType,
  isObjectType,
} from 'graphql'

export type OperationKind = 'query' | 'mutation' | 'subscription'

/** What an operation selects: kept beside its text, so that an answer can be read along with it. */
export type Selection = SelectedField | SelectedType

export interface SelectedField {
  readonly kind: 'field'
  /** The type that has it; `__typename` has none. */
  readonly parent: string
  readonly name: string
  /** Its name in the answer. */
  readonly key: string
  /** As they are written, with parentheses. */
  readonly args: string
  readonly directives: string
  readonly selections: readonly Selection[]
}

/** An inline fragment, or a spread one if it has a name. */
export interface SelectedType {
  readonly kind: 'on'
  readonly type: string
  readonly fragment: string | undefined
  readonly selections: readonly Selection[]
}

/** A file that goes as a part of its own. */
export class Upload {
  readonly name: string
  readonly mediaType: string
  readonly content: Buffer
  constructor(name: string, mediaType: string, content: Buffer) {
    this.name = name
    this.mediaType = mediaType
    this.content = content
  }
}

export interface Operation {
  readonly kind: OperationKind
  readonly document: string
  readonly operationName?: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
  /** Undefined once the document is not what they say any more. */
  readonly selections: readonly Selection[] | undefined
}

export function printOperation(
  kind: OperationKind,
  name: string,
  variables: readonly string[],
  selections: readonly Selection[],
): string {
  const declared = variables.length > 0 ? `(${variables.join(', ')})` : ''
  const fragments = new Map<string, SelectedType>()
  const body = printSelections(selections, fragments)
  let text = `${kind} ${name}${declared} ${body}`
  // A fragment may spread others, which join the map while it is printed.
  for (const [fragment, { type, selections: inner }] of fragments) {
    text += `\nfragment ${fragment} on ${type} ${printSelections(inner, fragments)}`
  }
  return text
}

function printSelections(
  selections: readonly Selection[],
  fragments: Map<string, SelectedType>,
): string {
  const lines = selections.map((selection) => {
    if (selection.kind === 'on') {
      if (selection.fragment === undefined) {
        return `... on ${selection.type} ${printSelections(selection.selections, fragments)}`
      }
      fragments.set(selection.fragment, selection)
      return `...${selection.fragment}`
    }
    const { key, name, args, directives, selections: inner } = selection
    const label = key === name ? name : `${key}: ${name}`
    const below = inner.length > 0 ? ` ${printSelections(inner, fragments)}` : ''
    return `${label}${args}${directives && ` ${directives}`}${below}`
  })
  return `{ ${lines.join(' ')} }`
}

/** A value as GraphQL writes it; what does not fit the type is written all the same. */
export function printLiteral(value: unknown, type?: GraphQLInputType): string {
  const wanted = type && getNullableType(type)
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) {
    const item = isListType(wanted) ? wanted.ofType : undefined
    return `[${value.map((entry) => printLiteral(entry, item)).join(', ')}]`
  }
  if (typeof value === 'object') {
    const fields = isInputObjectType(wanted) ? wanted.getFields() : {}
    const members = Object.entries(value).map(
      ([name, member]) =>
        `${name}: ${printLiteral(member, Object.hasOwn(fields, name) ? fields[name]?.type : undefined)}`,
    )
    return `{ ${members.join(', ')} }`
  }
  if (typeof value === 'string') {
    return isEnumType(wanted) && /^[A-Za-z_]\w*$/.test(value) ? value : JSON.stringify(value)
  }
  return JSON.stringify(value)
}

/** A field that an answer really has. */
export interface AnsweredField {
  readonly parent: string
  readonly name: string
  readonly value: unknown
}

/** Every selected field that stands in the data. */
export function* readAnswered(
  schema: GraphQLSchema,
  type: string,
  selections: readonly Selection[],
  data: unknown,
): Generator<AnsweredField, void, undefined> {
  if (Array.isArray(data)) {
    for (const item of data) yield* readAnswered(schema, type, selections, item)
    return
  }
  if (!isRecord(data)) return
  const actual = typeof data['__typename'] === 'string' ? data['__typename'] : type
  for (const selection of selections) {
    if (selection.kind === 'on') {
      if (fits(schema, actual, selection.type)) {
        yield* readAnswered(schema, actual, selection.selections, data)
      }
      continue
    }
    if (!Object.hasOwn(data, selection.key) || selection.name === '__typename') continue
    const value = data[selection.key]
    yield { parent: selection.parent, name: selection.name, value }
    if (actual !== selection.parent) yield { parent: actual, name: selection.name, value }
    if (selection.selections.length > 0) {
      yield* readAnswered(schema, '', selection.selections, value)
    }
  }
}

function fits(schema: GraphQLSchema, actual: string, condition: string): boolean {
  if (actual === condition) return true
  const [type, wanted] = [schema.getType(actual), schema.getType(condition)]
  return isObjectType(type) && isAbstractType(wanted) && schema.isSubType(wanted, type)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
