import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isNonNullType,
  isUnionType,
} from 'graphql'
import type { Coverage } from './coverage.ts'
import { hostileNumbers } from './hostile-values.ts'
import {
  isRecord,
  type Operation,
  type OperationKind,
  printLiteral,
  printOperation,
  type Selection,
  Upload,
} from './operation.ts'
import { type Asking, makeValue } from './values.ts'

/** How deep and how broad an operation becomes that stays below all limits. */
const maxDepth = 9
const maxFields = 90
const maxPagesWithin = 2

interface Budget {
  readonly depth: number
  /** Connections around this place: their pages multiply. */
  readonly pages: number
}

/** Writes an operation that the schema takes; its values are as ill-meant as `asking` says. */
export function writeOperation(
  schema: GraphQLSchema,
  kind: OperationKind,
  asking: Asking,
  coverage: Coverage,
): Operation {
  const { random } = asking
  const variables: Record<string, unknown> = {}
  const declared: string[] = []
  let fields = 0
  let fragments = 0

  const root = rootOf(schema, kind)
  const selections = kind === 'subscription' ? [writeRootField(root)] : writeRootFields(root)
  const operationName = 'Fuzz'
  return {
    kind,
    document: printOperation(kind, operationName, declared, selections),
    operationName: random.chance(0.5) ? operationName : undefined,
    variables,
    selections,
  }

  function writeRootField(type: GraphQLObjectType): Selection {
    const field = random.weigh(Object.values(type.getFields()), ({ name }) =>
      coverage.weightOf(type.name, name),
    )
    return writeField(type, field, new Map(), { depth: 1, pages: 0 })
  }

  function writeRootFields(type: GraphQLObjectType): Selection[] {
    const written = [writeRootField(type)]
    if (random.chance(0.2)) {
      const [first] = written
      const more = writeRootField(type)
      if (first?.kind === 'field' && more.kind === 'field' && first.name !== more.name) {
        written.push(more)
      }
    }
    return written
  }

  /** @param taken the names that the answer has here, and what stands there. */
  function writeSelections(
    type: GraphQLCompositeType,
    taken: Map<string, string>,
    budget: Budget,
  ): Selection[] {
    const written: Selection[] = []
    if (!taken.has('__typename')) {
      taken.set('__typename', 'String!')
      written.push(plainField(type.name, '__typename'))
    }
    if (!isUnionType(type)) {
      const possible = Object.values(type.getFields()).filter((field) => fitsIn(field, budget))
      const chosen = possible.filter((field) => random.chance(chanceOf(type.name, field, budget)))
      for (const field of chosen) {
        if (fields < maxFields) written.push(writeField(type, field, taken, budget))
      }
    }
    if (isAbstractType(type)) {
      for (const member of random.some(schema.getPossibleTypes(type), 0.8)) {
        if (fields >= maxFields) break
        const inner = writeSelections(member, taken, budget)
        if (inner.length === 0) continue
        const isSpread = random.chance(0.2)
        written.push({
          kind: 'on',
          type: member.name,
          fragment: isSpread ? `Part${(fragments += 1)}` : undefined,
          selections: inner,
        })
      }
    }
    return written
  }

  function chanceOf(parent: string, field: GraphQLField<unknown, unknown>, { depth }: Budget) {
    const wanted = coverage.weightOf(parent, field.name) > 1
    if (!isCompositeType(getNamedType(field.type))) return wanted ? 0.9 : 0.5
    return (wanted ? 0.8 : 0.35) * (depth > 4 ? 0.6 : 1)
  }

  function fitsIn(field: GraphQLField<unknown, unknown>, { depth, pages }: Budget): boolean {
    const type = getNamedType(field.type)
    if (!isCompositeType(type)) return true
    return depth < maxDepth - 2 && (!isPage(type.name) || pages < maxPagesWithin)
  }

  function writeField(
    parent: GraphQLCompositeType,
    field: GraphQLField<unknown, unknown>,
    taken: Map<string, string>,
    { depth, pages }: Budget,
  ): Selection {
    fields += 1
    const type = getNamedType(field.type)
    const args = writeArguments(field)
    const isSimple = args === '' && !isCompositeType(type)
    const said = isSimple ? String(field.type) : `${parent.name}.${field.name}.${fields}`
    const isFree = !taken.has(field.name) || taken.get(field.name) === said
    const key = isFree && !random.chance(0.03) ? field.name : `${field.name}_${fields}`
    taken.set(key, said)
    const below = { depth: depth + 1, pages: pages + (isPage(type.name) ? 1 : 0) }
    return {
      kind: 'field',
      parent: parent.name,
      name: field.name,
      key,
      args,
      directives: writeDirectives(),
      selections: isCompositeType(type) ? writeSelections(type, new Map(), below) : [],
    }
  }

  /** What is skipped is not in the answer, but was asked for. */
  function writeDirectives(): string {
    if (!random.chance(0.02)) return ''
    const flag = declare('Boolean!', random.chance(0.8))
    return random.pick([`@include(if: ${flag})`, `@skip(if: false) @include(if: ${flag})`])
  }

  function writeArguments(field: GraphQLField<unknown, unknown>): string {
    const answers = getNamedType(field.type)
    const isPaged = field.args.some(({ name }) => name === 'first')
    const backward = random.chance(0.4)
    const written = field.args.flatMap((argument) => {
      const { name, type } = argument
      const isNeeded = isNonNullType(type) && argument.defaultValue === undefined
      if (isPaged && !random.chance(asking.malice)) {
        if (backward ? name === 'first' : name === 'last') return []
      }
      if (!isNeeded && !random.chance(isPaged ? 0.5 : 0.35)) return []
      const isSize = name === 'first' || name === 'last'
      const value =
        isSize && random.chance(asking.malice)
          ? random.pick(hostileNumbers)
          : makeValue({ name, type, answers }, asking)
      return value === undefined ? [] : [`${name}: ${writeValue(value, type)}`]
    })
    return written.length > 0 ? `(${written.join(', ')})` : ''
  }

  function writeValue(value: unknown, type: GraphQLInputType): string {
    if (hasUpload(value) || !isWritable(value) || random.chance(0.6)) {
      return declare(String(type), value)
    }
    return printLiteral(value, type)
  }

  function declare(type: string, value: unknown): string {
    const name = `v${declared.length}`
    declared.push(`$${name}: ${type}`)
    variables[name] = value
    return `$${name}`
  }
}

export function rootOf(schema: GraphQLSchema, kind: OperationKind): GraphQLObjectType {
  const type = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  }[kind]
  if (!type) throw new TypeError(`the schema has no ${kind}`)
  return type
}

export function plainField(parent: string, name: string, key = name): Selection {
  return { kind: 'field', parent, name, key, args: '', directives: '', selections: [] }
}

function isPage(type: string): boolean {
  return type.endsWith('Connection')
}

export function hasUpload(value: unknown): boolean {
  if (value instanceof Upload) return true
  if (Array.isArray(value)) return value.some(hasUpload)
  return isRecord(value) && Object.values(value).some(hasUpload)
}

/** Names of members that GraphQL's own text can have, and values not too long for a document. */
function isWritable(value: unknown): boolean {
  if (Array.isArray(value)) return value.length < 200 && value.every(isWritable)
  if (isRecord(value)) {
    return Object.entries(value).every(
      ([name, member]) => /^[_A-Za-z]\w*$/.test(name) && isWritable(member),
    )
  }
  return true
}
