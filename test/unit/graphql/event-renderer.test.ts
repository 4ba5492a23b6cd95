import fc from 'fast-check'
import {
  executeSubscriptionEvent,
  parse,
  validate,
  validateSubscriptionArgs,
  type ValidatedSubscriptionArgs,
} from 'graphql'
import { describe, expect, it } from 'vitest'
import type {
  ConversationId,
  Cursor,
  DeltaKind,
  ReplyEvent,
  ReplyEventBody,
  ReplyId,
} from '../../../src/domain.ts'
import { createSelectionCompiler } from '../../../src/graphql/execution/event-renderer.ts'
import { encodeGlobal } from '../../../src/graphql/global-id.ts'
import { eventTypeNames } from '../../../src/graphql/schema/reply-event.ts'
import { schema } from '../../../src/graphql/schema.ts'
import { openBudget } from '../../kit/fakes/budget.ts'

const eventTypes = [
  'ReplyStarted',
  'ReplyDelta',
  'ReplyActionRequired',
  'ReplyCompleted',
  'ReplyFailed',
  'ReplyCancelled',
] as const
type TypeName = 'ReplyEvent' | (typeof eventTypes)[number]

const common = ['__typename', 'cursor', 'replyId']
const fieldsOf: Record<TypeName, readonly string[]> = {
  ReplyEvent: common,
  ReplyStarted: common,
  ReplyDelta: [...common, 'kind', 'offset', 'text'],
  ReplyActionRequired: [
    ...common,
    'expiresAt',
    'toolCalls { callId __typename kind }',
    'toolCalls { again: callId name arguments }',
  ],
  ReplyCompleted: [
    ...common,
    'text',
    'followUps',
    'omitted',
    'contextReset',
    'usage { inputTokens }',
    'usage { __typename outputTokens totalTokens }',
    'question { text options }',
    'question { fields { name type } ...Question }',
  ],
  ReplyFailed: [
    ...common,
    'failure { code message }',
    'failure { __typename retryable retryAfterMs }',
  ],
  ReplyCancelled: [...common, 'upstreamCancelled'],
}

const directives = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  ...['@skip', '@include'].map((name) =>
    fc.constantFrom('true', 'false', '$yes', '$no').map((value) => ` ${name}(if: ${value})`),
  ),
)

/** Selections on a type: fields with aliases and directives, inline fragments, spreads of the three fragments. */
function selections(on: TypeName, depth: number): fc.Arbitrary<string> {
  const field = fc
    .tuple(fc.constantFrom('', '', 'a', '__proto__'), fc.constantFrom(...fieldsOf[on]), directives)
    // An alias is of one field, or most documents would not be valid.
    .map(([alias, name, directive]) => {
      const plain = name.replace(/ \{|$/, (rest) => directive + rest)
      if (alias === '' || (alias === '__proto__' && name !== 'cursor')) return plain
      return `${alias === 'a' ? `a_${name.split(' ')[0]}` : alias}: ${plain}`
    })
  const spread = fc
    .tuple(fc.constantFrom('...Event', '...Delta', '...Completed'), directives)
    .map(([name, directive]) => `${name}${directive}`)
  if (depth === 0) return field
  const inline = (type: TypeName | undefined) =>
    fc
      .tuple(directives, selections(type ?? on, depth - 1))
      .map(([directive, inner]) => `...${type ? ` on ${type}` : ''}${directive} { ${inner} }`)
  return fc
    .array(
      fc.oneof(
        { weight: 3, arbitrary: field },
        spread,
        inline('ReplyEvent'),
        { weight: 4, arbitrary: fc.constantFrom(...eventTypes).chain(inline) },
        inline(undefined),
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((parts) => parts.join(' '))
}

const documents = fc
  .record({
    root: selections('ReplyEvent', 2),
    more: fc.option(selections('ReplyEvent', 1), { nil: undefined }),
    rootAlias: fc.constantFrom('', 'events: '),
    event: selections('ReplyEvent', 0),
    delta: selections('ReplyDelta', 0),
    completed: selections('ReplyCompleted', 0),
  })
  .map(({ root, more, rootAlias, event, delta, completed }) => {
    const again = more === undefined ? '' : `${rootAlias}replies { ${more} }`
    return `subscription S($yes: Boolean!, $no: Boolean!) { ${rootAlias}replies { ${root} } ${again} }
      fragment Event on ReplyEvent { ${event} }
      fragment Delta on ReplyDelta { ${delta} ...Event }
      fragment Completed on ReplyCompleted { ${completed} question { options } }
      fragment Question on Question { text fields { isRequired __typename } }`
  })

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ud800"\\\n\u2028</script>'))
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null })

const bodies: fc.Arbitrary<ReplyEventBody> = fc.oneof(
  fc.constant({ type: 'started' as const }),
  fc.record({
    type: fc.constant('delta' as const),
    kind: fc.constantFrom<DeltaKind>('ANSWER', 'REASONING'),
    offset: fc.nat(),
    text,
  }),
  fc.record({
    type: fc.constant('action-required' as const),
    toolCalls: fc.array(
      fc.record({
        id: text,
        kind: fc.constantFrom('FUNCTION' as const, 'QUESTION' as const),
        name: maybe(text),
        arguments: maybe(text),
      }),
      { maxLength: 3 },
    ),
    expiresAt: fc.integer({ min: 0, max: 8_640_000_000_000 }),
  }),
  fc.record({
    type: fc.constant('completed' as const),
    text,
    usage: maybe(
      fc.record({
        inputTokens: fc.nat(),
        outputTokens: fc.nat(),
        // More than an Int may have: the field is an error then, told as execution tells it.
        totalTokens: fc.oneof(fc.nat(), fc.constant(2 ** 40)),
      }),
    ),
    followUps: fc.array(text, { maxLength: 3 }),
    question: maybe(
      fc.record({
        text,
        options: fc.array(text, { maxLength: 2 }),
        fields: fc.array(fc.record({ name: text, type: text, required: fc.boolean() }), {
          maxLength: 2,
        }),
      }),
    ),
    omitted: fc.array(fc.constantFrom('CARD' as const, 'AUDIO' as const, 'OTHER' as const), {
      maxLength: 3,
    }),
    contextReset: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('failed' as const),
    code: fc.constantFrom('LIMIT' as const, 'EXPIRED' as const),
    message: text,
    retryable: fc.boolean(),
    retryAfterMs: maybe(fc.nat()),
  }),
  fc.record({ type: fc.constant('cancelled' as const), upstreamCancelled: fc.boolean() }),
)

/** Only what validation lets through is ever compiled; fragments that a document happens not to use are no matter. */
function validatedArgs(source: string): ValidatedSubscriptionArgs | undefined {
  const document = parse(source)
  const errors = validate(schema, document).filter(({ message }) => !/is never used/.test(message))
  if (errors.length > 0) return undefined
  const args = validateSubscriptionArgs({
    schema,
    document,
    variableValues: { yes: true, no: false },
  })
  return 'schema' in args ? args : undefined
}

const replyId = 'r1' as ReplyId
const conversationId = 'c1' as ConversationId
const cursor = 'tag.1.2' as Cursor
const globalId = encodeGlobal('Reply', replyId)

function eventOf(body: ReplyEventBody): ReplyEvent {
  if (body.type === 'delta') return { ...body, replyId, conversationId }
  return { ...body, replyId, conversationId, seq: 2, check: 'c' }
}

const delta = eventOf({ type: 'delta', kind: 'ANSWER', offset: 3, text: 'hi' })

async function executed(args: ValidatedSubscriptionArgs, event: ReplyEvent) {
  const rootValue = { ...event, cursor }
  return await executeSubscriptionEvent({
    ...args,
    rootValue,
    contextValue: { budget: openBudget() },
  })
}

function compile(source: string) {
  const args = validatedArgs(source)
  if (!args) throw new Error('the document of the test is invalid')
  return { args, ...createSelectionCompiler()(args) }
}

describe('the compiled selection of an event', () => {
  it('gives byte for byte what execution gives, for any selection of any event itself', async () => {
    const compared = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(documents, bodies, async (source, body) => {
        const args = validatedArgs(source)
        fc.pre(args !== undefined)
        if (!args) return
        const event = eventOf(body)
        const rendered = createSelectionCompiler()(args).render(event, cursor, globalId)
        const result = await executed(args, event)
        // What is no value of its field is left to execution, and nothing else is.
        expect(rendered).toBe(result.errors ? undefined : JSON.stringify(result))
        const what = result.errors ? 'an error' : eventTypeNames[event.type]
        compared.set(what, (compared.get(what) ?? 0) + 1)
      }),
      { numRuns: 300 },
    )
    for (const name of eventTypes)
      expect([name, compared.get(name)]).toEqual([name, expect.any(Number)])
  })

  it('leaves to execution what needs the store, and of the same subscription nothing else', () => {
    const { render } = compile(
      'subscription { replies { cursor ... on ReplyDelta { text } ... on ReplyCompleted { reply { text } } } }',
    )
    expect(render(delta, cursor, globalId)).toBeDefined()
    const completed = eventOf({
      type: 'completed',
      text: 'hi',
      usage: null,
      followUps: [],
      question: null,
      omitted: [],
      contextReset: false,
    })
    expect(render(completed, cursor, globalId)).toBeUndefined()
    expect(
      compile('subscription { replies { cursor reply { text } } }').render(delta, cursor, globalId),
    ).toBeUndefined()
  })

  it('leaves to execution a value that is none of its field', async () => {
    const { args, render } = compile(
      'subscription { replies { ... on ReplyCompleted { usage { totalTokens } } } }',
    )
    const event = eventOf({
      type: 'completed',
      text: 'hi',
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 ** 40 },
      followUps: [],
      question: null,
      omitted: [],
      contextReset: false,
    })
    expect((await executed(args, event)).errors).toHaveLength(1)
    expect(render(event, cursor, globalId)).toBeUndefined()
  })

  it('follows the variables of each subscription to the same document', () => {
    const document = parse(
      'subscription($yes: Boolean!) { replies { cursor ...Text } } fragment Text on ReplyDelta { text @include(if: $yes) }',
    )
    const compiler = createSelectionCompiler()
    const rendered = [true, false, true].map((yes) => {
      const args = validateSubscriptionArgs({ schema, document, variableValues: { yes } })
      return 'schema' in args ? compiler(args).render(delta, cursor, '') : undefined
    })
    expect(rendered).toEqual([
      '{"data":{"replies":{"cursor":"tag.1.2","text":"hi"}}}',
      '{"data":{"replies":{"cursor":"tag.1.2"}}}',
      '{"data":{"replies":{"cursor":"tag.1.2","text":"hi"}}}',
    ])
  })

  it('is compiled once for all subscriptions to a document that no variable changes', () => {
    const document = parse('subscription { replies { cursor } }')
    const compiler = createSelectionCompiler()
    const [first, second] = [1, 2].map(() => {
      const args = validateSubscriptionArgs({ schema, document })
      return 'schema' in args ? compiler(args) : undefined
    })
    expect(first).toBeDefined()
    expect(second).toBe(first)
  })
})
