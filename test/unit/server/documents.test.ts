import { buildSchema, type GraphQLSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import { limitsSchema } from '../../../src/config/sections/limits.ts'
import { createDocuments } from '../../../src/server/graphql/documents.ts'

describe('documents', () => {
  it.each(['{ known }', '{ unknown }'])('validates %s once, however often it comes', (source) => {
    const schema = buildSchema('type Query { known: Int }')
    let validations = 0
    const counted: GraphQLSchema = new Proxy(schema, {
      get(target, name, receiver) {
        if (name === 'getQueryType') validations += 1
        return Reflect.get(target, name, receiver)
      },
    })
    const documents = createDocuments(schema, {
      limits: limitsSchema.parse({}),
      introspection: true,
    })
    const document = documents.parse(source)
    const first = documents.validate(counted, document)
    const asked = validations
    expect(first.map(({ extensions }) => extensions['code'])).toEqual(
      source === '{ known }' ? [] : ['GRAPHQL_VALIDATION_FAILED'],
    )
    expect(documents.validate(counted, document)).toEqual(first)
    expect([asked > 0, validations]).toEqual([true, asked])
  })
})
