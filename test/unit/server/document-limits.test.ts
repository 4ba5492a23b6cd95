import { getIntrospectionQuery, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { BadRequestError } from '../../../src/errors.ts'
import { fieldCosts } from '../../../src/graphql/cost.ts'
import { schema } from '../../../src/graphql/schema.ts'
import { graphiqlTabs } from '../../../src/server/graphiql/tabs.ts'
import { checkDocument } from '../../../src/server/graphql/document-limits.ts'

const limits = {
  maxDepth: 12,
  maxAliases: 30,
  maxDirectives: 30,
  maxCost: 50_000,
  maxEventCost: 250,
}
const costs = fieldCosts(schema)
const check = (source: string) => checkDocument(parse(source), limits, costs)
const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ')

/** Each fragment spreads the next one twice: 2^n fields out of n lines. */
const bomb = `{ ...F0 } ${times(20, (n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`)}
  fragment F20 on Query { a }`
/** The same, and what is spread in the end is no fragment: there is no field to count. */
const hollowBomb = bomb.replace('{ a }', '{ ...Unknown }')
const page = (inner: string) => `{ conversations(first: 100) { edges { node ${inner} } } }`
const pages = page(page('{ id }').replace('conversations', 'messages'))
const nodes = (ids: string, inner: string) =>
  `query ($ids: [ID!]!) { nodes(ids: ${ids}) { ... on Conversation { ${inner} } } }`
const pageOfMessages = `messages(first: 100) { edges { node { ${'id text role '.repeat(7)} } } }`

describe('the limits of a document', () => {
  it.each([
    ['depth', `${'{ a '.repeat(13)}${'}'.repeat(13)}`],
    [
      'depth through fragments',
      `{ a { ...F } } fragment F on A ${'{ a '.repeat(12)}${'}'.repeat(12)}`,
    ],
    ['aliases', `{ ${times(31, (n) => `a${n}: a`)} }`],
    [
      'aliases through fragments',
      `{ ${'x { ...F } '.repeat(4)} } fragment F on A { ${times(10, (n) => `a${n}: a`)} }`,
    ],
    ['directives', `{ a ${'@skip(if: false) '.repeat(31)} }`],
    ['fields that overlap', `{ ${'a '.repeat(200)} }`],
    [
      'fields that overlap in an unused fragment',
      `{ a } fragment F on Query { ${'a '.repeat(200)} }`,
    ],
    ['a fragment bomb', bomb],
    ['a fragment bomb without a field', hollowBomb],
    ['many exports', `{ ${times(11, (n) => `e${n}: sessionExport { nextCursor }`)} }`],
    ['three erasures', `mutation { ${times(3, (n) => `e${n}: eraseSession { a }`)} }`],
    ['pages within pages', page(`{ id } edges { node ${pages} }`)],
    [
      'pages of no given size within each other, behind fragments',
      `{ conversations { ...A } } fragment A on A { edges { node { messages { ...B } } } }
        fragment B on B { edges { node { reply { conversation { messages { ...C } } } } } }
        fragment C on B { edges { node { ${'id text role '.repeat(10)} } } }`,
    ],
    [
      'pages of less than nothing beside others',
      `{ a: ${page(pages).slice(1, -1).replace('first: 100', 'first: -100')} b: ${page(pages).slice(1, -1)} }`,
    ],
    ['pages of many nodes', nodes('$ids', pageOfMessages)],
    ['pages of many nodes by name', nodes(`[${'"x" '.repeat(100)}]`, pageOfMessages)],
  ])('refuse %s (T16)', (_what, source) => {
    expect(() => check(source)).toThrow(BadRequestError)
  })

  it('T16 refuse fragments within fragments before they overflow the stack, however many tokens are allowed', () => {
    const chain = Array.from({ length: 1_900 }, (_, at) => {
      const inline = (text: string) => text.repeat(150)
      return `fragment F${at} on A { ${inline('... { ')} ...F${at + 1} ${inline('} ')} }`
    })
    expect(() => check(`{ ...F0 } ${chain.join(' ')}`)).toThrow(/nesting/)
  })

  it('let through what tools and people ask', () => {
    check(getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true }))
    for (const { query } of graphiqlTabs) check(query)
    check(pages)
    check(nodes('["x"]', pageOfMessages))
    check(nodes('$ids', 'title'))
  })

  it('leave to validation what is no matter of cost', () => {
    check('{ ...Unknown ...Self } fragment Self on Query { a ...Self }')
  })
})
