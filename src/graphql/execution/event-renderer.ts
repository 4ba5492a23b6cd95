import {
  getNullableType,
  GraphQLInt,
  GraphQLString,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLLeafType,
  type GraphQLNullableOutputType,
  type GraphQLOutputType,
  type OperationDefinitionNode,
  type ValidatedSubscriptionArgs,
} from 'graphql'
import type { Cursor, ReplyEvent } from '../../domain.ts'
import type { LogItem } from '../../store/log.ts'
import { eventTypeNames } from '../schema/reply-event.ts'
import { type Collect, createCollector, isDecidedByVariables } from './collect-fields.ts'

/** Returns the result for an event as JSON, or undefined if the event has to be executed. `replyId` is the global id. */
export type RenderEvent = (event: ReplyEvent, cursor: Cursor, replyId: string) => string | undefined

/** The selection of a `replies` subscription, shared by all subscriptions to the same operation. */
export interface CompiledSelection {
  readonly render: RenderEvent
  /** The deltas that were rendered last. Readers of a session that are at the same position come one after the other. */
  lastBatch: RenderedBatch | undefined
}

export interface RenderedBatch {
  readonly items: readonly LogItem[]
  /** The framing of the frames. */
  readonly framing: object
  readonly cursors: readonly Cursor[]
  readonly frames: string
}

export type SelectionCompiler = (args: ValidatedSubscriptionArgs) => CompiledSelection

/**
 * Fields whose resolvers only read a property: `field`, or `field:property` if the property has another name. An empty name
 * means the object itself. Any other field, such as the reply of an event, has to be executed.
 */
const plainFields: Readonly<Record<string, readonly string[]>> = {
  [eventTypeNames.started]: [],
  [eventTypeNames.delta]: ['kind', 'offset', 'text'],
  [eventTypeNames['action-required']]: ['toolCalls', 'expiresAt'],
  [eventTypeNames.completed]: ['text', 'usage', 'followUps', 'question', 'omitted', 'contextReset'],
  [eventTypeNames.failed]: ['failure:'],
  [eventTypeNames.cancelled]: ['upstreamCancelled'],
  ReplyFailure: ['code', 'message', 'retryable', 'retryAfterMs'],
  ToolCall: ['callId:id', 'kind', 'name', 'arguments'],
  TokenUsage: ['inputTokens', 'outputTokens', 'totalTokens'],
  Question: ['text', 'options', 'fields'],
  QuestionField: ['name', 'type', 'isRequired:required'],
}

/** An event with its cursor and the global id of its reply. */
interface Delivery {
  readonly event: ReplyEvent
  readonly cursor: Cursor
  readonly replyId: string
}

/** Writes a source as JSON. @throws if a value is not of the schema's type, so that the event is executed instead */
type Write<Source> = (source: Source) => string

/**
 * Compiles the selection of a subscription into a template for each type of event, since executing an event costs more than
 * everything else together. It is compiled once for an operation, unless variables decide which fields are included.
 */
export function createSelectionCompiler(): SelectionCompiler {
  const compiled = new WeakMap<OperationDefinitionNode, CompiledSelection>()
  return (args) => {
    const known = compiled.get(args.operation)
    if (known) return known
    const selection = compile(args)
    if (!isDecidedByVariables(args)) compiled.set(args.operation, selection)
    return selection
  }
}

function compile(args: ValidatedSubscriptionArgs): CompiledSelection {
  const templates = new Map<ReplyEvent['type'], Write<Delivery> | undefined>()
  return {
    lastBatch: undefined,
    render(event, cursor, replyId) {
      let template = templates.get(event.type)
      if (!template && !templates.has(event.type)) {
        // Most subscriptions receive only a few types.
        template = eventTemplate(args, event.type)
        templates.set(event.type, template)
      }
      try {
        return template?.({ event, cursor, replyId })
      } catch {
        return undefined
      }
    },
  }
}

function eventTemplate(
  args: ValidatedSubscriptionArgs,
  eventType: ReplyEvent['type'],
): Write<Delivery> | undefined {
  const collect = createCollector(args)
  const root = args.schema.getSubscriptionType()
  const type = args.schema.getType(eventTypeNames[eventType])
  if (!root || !isObjectType(type)) return undefined
  const roots = [...collect([args.operation.selectionSet], root)]
  const [responseName, fields] = roots[0] ?? []
  if (roots.length !== 1 || !fields || fields[0]?.name.value !== 'replies') return undefined
  const write = objectTemplate<Delivery>(fields, type, collect, (name, nodes) => {
    // Cursors and ids need no escapes.
    if (name === 'cursor') return ({ cursor }) => `"${cursor}"`
    if (name === 'replyId') return ({ replyId }) => `"${replyId}"`
    const plain = plainTemplate(name, nodes, type, collect)
    return plain && (({ event }) => plain(event))
  })
  return write && ((delivery) => `{"data":{"${responseName}":${write(delivery)}}}`)
}

/** `fieldTemplate`: the template of a field with a name, other than `__typename`. */
function objectTemplate<Source>(
  nodes: readonly FieldNode[],
  type: GraphQLObjectType,
  collect: Collect,
  fieldTemplate: (name: string, nodes: readonly FieldNode[]) => Write<Source> | undefined,
): Write<Source> | undefined {
  const selectionSets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
  const parts: { readonly before: string; readonly write: Write<Source> }[] = []
  let constant = '{'
  let comma = ''
  for (const [responseName, fields] of collect(selectionSets, type)) {
    const name = fields[0]?.name.value ?? ''
    constant += `${comma}"${responseName}":`
    comma = ','
    if (name === '__typename') constant += `"${type.name}"`
    else {
      const write = fieldTemplate(name, fields)
      if (!write) return undefined
      parts.push({ before: constant, write })
      constant = ''
    }
  }
  const after = `${constant}}`
  return (source) => {
    let json = ''
    for (const { before, write } of parts) json += before + write(source)
    return json + after
  }
}

/** The template of a field whose resolver only reads a property. */
function plainTemplate(
  name: string,
  nodes: readonly FieldNode[],
  type: GraphQLObjectType,
  collect: Collect,
): Write<object> | undefined {
  const field = type.getFields()[name]
  const property = propertyOf(type.name, name)
  if (!field || property === undefined) return undefined
  const write = valueTemplate(field.type, nodes, collect)
  if (!write || property === '') return write
  return (source) => write(Reflect.get(source, property))
}

/** The property of a plain field. Undefined: the field is not plain. */
function propertyOf(type: string, name: string): string | undefined {
  for (const plain of plainFields[type] ?? []) {
    const [field, property = field] = plain.split(':')
    if (field === name) return property
  }
  return undefined
}

function valueTemplate(
  type: GraphQLOutputType,
  nodes: readonly FieldNode[],
  collect: Collect,
): Write<unknown> | undefined {
  const write = presentTemplate(getNullableType(type), nodes, collect)
  if (!write || isNonNullType(type)) return write
  return (value) => (value == null ? 'null' : write(value))
}

/** The template of a value that is not null. */
function presentTemplate(
  type: GraphQLNullableOutputType,
  nodes: readonly FieldNode[],
  collect: Collect,
): Write<unknown> | undefined {
  if (isLeafType(type)) return leafTemplate(type)
  if (isListType(type)) {
    const write = valueTemplate(type.ofType, nodes, collect)
    return (
      write &&
      ((value) =>
        `[${Array.isArray(value) ? value.map((one) => write(one)).join(',') : noValue()}]`)
    )
  }
  if (!isObjectType(type)) return undefined
  const write = objectTemplate<object>(nodes, type, collect, (name, fields) =>
    plainTemplate(name, fields, type, collect),
  )
  return (
    write && ((value) => write(typeof value === 'object' && value !== null ? value : noValue()))
  )
}

/** Usual values of usual types are written directly, as their types would write them. */
function leafTemplate(type: GraphQLLeafType): Write<unknown> {
  const coerced = (value: unknown) => JSON.stringify(type.coerceOutputValue(value) ?? noValue())
  if (type === GraphQLString) {
    return (value) => (typeof value === 'string' ? JSON.stringify(value) : coerced(value))
  }
  if (type === GraphQLInt) {
    return (value) => (isInt(value) ? String(value) : coerced(value))
  }
  if (isEnumType(type)) {
    const texts = new Map<unknown, string>()
    for (const { name, value } of type.getValues()) texts.set(value, `"${name}"`)
    return (value) => texts.get(value) ?? coerced(value)
  }
  return coerced
}

function isInt(value: unknown): boolean {
  return typeof value === 'number' && Object.is(value, value | 0)
}

/** The value is not what the schema says. */
function noValue(): never {
  throw new TypeError('the value of a field is of another type')
}
