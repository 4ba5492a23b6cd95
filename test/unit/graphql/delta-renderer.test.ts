import fc from 'fast-check'
import { executeSubscriptionEvent, parse, validate, validateSubscriptionArgs } from 'graphql'
import type { ValidatedSubscriptionArgs } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { ConversationId, Cursor, DeltaKind, ReplyId } from '../../../src/domain.ts'
import { createDeltaCompiler } from '../../../src/graphql/delta-renderer.ts'
import { encodeGlobal } from '../../../src/graphql/global-id.ts'
import { schema } from '../../../src/graphql/schema.ts'
import { openBudget } from '../../kit/budget.ts'

const types = ['ReplyEvent', 'ReplyDelta'] as const
type TypeName = (typeof types)[number]

const fieldsOf: Record<TypeName, readonly string[]> = {
  ReplyEvent: ['__typename', 'cursor', 'replyId'],
  ReplyDelta: ['__typename', 'cursor', 'replyId', 'kind', 'offset', 'text'],
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
    .tuple(
      fc.constantFrom('', '', 'a: ', 'b: ', '__proto__: '),
      fc.constantFrom(...fieldsOf[on]),
      directives,
    )
    .map(([alias, name, directive]) => `${alias}${name}${directive}`)
  const spread = fc
    .tuple(fc.constantFrom('...Event', '...Delta', '...Started'), directives)
    .map(([name, directive]) => `${name}${directive}`)
  if (depth === 0) return field
  const inline = (type: TypeName | 'ReplyStarted' | undefined) =>
    fc
      .tuple(
        directives,
        selections(type === 'ReplyDelta' ? 'ReplyDelta' : type ? 'ReplyEvent' : on, depth - 1),
      )
      .map(([directive, inner]) => `...${type ? ` on ${type}` : ''}${directive} { ${inner} }`)
  return fc
    .array(
      fc.oneof(
        { weight: 3, arbitrary: field },
        spread,
        inline('ReplyEvent'),
        inline('ReplyDelta'),
        inline('ReplyStarted'),
        inline(undefined),
      ),
      { minLength: 1, maxLength: 5 },
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
  })
  .map(({ root, more, rootAlias, event, delta }) => {
    const again = more === undefined ? '' : `${rootAlias}replies { ${more} }`
    return `subscription S($yes: Boolean!, $no: Boolean!) { ${rootAlias}replies { ${root} } ${again} }
      fragment Event on ReplyEvent { ${event} }
      fragment Delta on ReplyDelta { ${delta} ...Event }
      fragment Started on ReplyStarted { __typename cursor }`
  })

const deltas = fc.record({
  kind: fc.constantFrom<DeltaKind>('ANSWER', 'REASONING'),
  offset: fc.nat(),
  text: fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ud800"\\\n\u2028</script>')),
})

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

type DeltaShape = { kind: DeltaKind; offset: number; text: string }

async function executed(args: ValidatedSubscriptionArgs, delta: DeltaShape): Promise<string> {
  const rootValue = { ...delta, type: 'delta', replyId, conversationId, cursor, epoch: 1, seq: 2 }
  return JSON.stringify(
    await executeSubscriptionEvent({ ...args, rootValue, contextValue: { budget: openBudget() } }),
  )
}

const replyId = 'r1' as ReplyId
const conversationId = 'c1' as ConversationId
const cursor = 'tag.1.2' as Cursor
const delta: DeltaShape = { kind: 'ANSWER', offset: 3, text: 'hi' }

function compile(source: string) {
  const args = validatedArgs(source)
  if (!args) throw new Error('the document of the test is invalid')
  return { args, render: createDeltaCompiler()(args) }
}

describe('the compiled selection of a delta', () => {
  it('gives byte for byte what execution gives, for any selection of the event itself', async () => {
    let compared = 0
    await fc.assert(
      fc.asyncProperty(documents, deltas, async (source, event) => {
        const args = validatedArgs(source)
        fc.pre(args !== undefined)
        if (!args) return
        const render = createDeltaCompiler()(args)
        expect(render?.(event, cursor, encodeGlobal('Reply', replyId))).toBe(
          await executed(args, event),
        )
        compared += 1
      }),
      { numRuns: 200 },
    )
    expect(compared).toBe(200)
  })

  it('leaves to execution what needs the store', () => {
    const { render } = compile('subscription { replies { cursor reply { text } } }')
    expect(render).toBeUndefined()
  })

  it('does not mistake what only other events select for its own', async () => {
    const { args, render } = compile(
      'subscription { replies { cursor ... on ReplyCompleted { reply { text } } } }',
    )
    expect(render?.(delta, cursor, '')).toBe(await executed(args, delta))
  })

  it('follows the variables of each subscription to the same document', () => {
    const document = parse(
      'subscription($yes: Boolean!) { replies { cursor ... on ReplyDelta { text @include(if: $yes) } } }',
    )
    const compiler = createDeltaCompiler()
    const rendered = [true, false, true].map((yes) => {
      const args = validateSubscriptionArgs({ schema, document, variableValues: { yes } })
      return 'schema' in args ? compiler(args)?.(delta, cursor, '') : undefined
    })
    expect(rendered).toEqual([
      '{"data":{"replies":{"cursor":"tag.1.2","text":"hi"}}}',
      '{"data":{"replies":{"cursor":"tag.1.2"}}}',
      '{"data":{"replies":{"cursor":"tag.1.2","text":"hi"}}}',
    ])
  })

  it('is compiled once for all subscriptions to a document that no variable changes', () => {
    const document = parse('subscription { replies { cursor } }')
    const compiler = createDeltaCompiler()
    const [first, second] = [1, 2].map(() => {
      const args = validateSubscriptionArgs({ schema, document })
      return 'schema' in args ? compiler(args) : undefined
    })
    expect(first).toBeDefined()
    expect(second).toBe(first)
  })
})
