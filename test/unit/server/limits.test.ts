import { getIntrospectionQuery, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { BadRequestError } from '../../../src/errors.ts'
import { graphiqlTabs } from '../../../src/server/graphiql-tabs.ts'
import { checkDocument } from '../../../src/server/limits.ts'

const limits = { maxDepth: 12, maxAliases: 30, maxDirectives: 30, maxCost: 200_000 }
const check = (source: string) => checkDocument(parse(source), limits)
const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ')

/** Each fragment spreads the next one twice: 2^n fields out of n lines. */
const bomb = `{ ...F0 } ${times(20, (n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`)}
  fragment F20 on Query { a }`
const page = (inner: string) => `{ conversations(first: 100) { edges { node ${inner} } } }`
const pages = page(page('{ id }').replace('conversations', 'messages'))

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
    ['many exports', `{ ${times(11, (n) => `e${n}: exportSession { next }`)} }`],
    ['three erasures', `mutation { ${times(3, (n) => `e${n}: eraseSession { a }`)} }`],
    ['pages within pages', page(`{ id } edges { node ${pages} }`)],
  ])('refuse %s (T16)', (_what, source) => {
    expect(() => check(source)).toThrow(BadRequestError)
  })

  it('let through what tools and people ask', () => {
    check(getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true }))
    for (const { query } of graphiqlTabs) check(query)
    check(pages)
  })

  it('leave to validation what is no matter of cost', () => {
    check('{ ...Unknown ...Self } fragment Self on Query { a ...Self }')
  })
})
