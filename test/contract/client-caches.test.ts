import { readFileSync } from 'node:fs'
import { ApolloClient, ApolloLink, gql, InMemoryCache, Observable } from '@apollo/client'
import { Client, fetchExchange } from '@urql/core'
import { cacheExchange } from '@urql/exchange-graphcache'
import { buildSchema, introspectionFromSchema, print } from 'graphql'
import { describe, expect, it } from 'vitest'
import { keys, resolvers } from '../../schema/graphcache.ts'
import {
  ConversationsDocument,
  SendMessageDocument,
  ViewerDocument,
} from '../../schema/operations/generated/graphql.ts'
import { typePolicies } from '../../schema/type-policies.ts'
import { createClient } from '../kit/clients/client.ts'
import { openFakeGateway } from '../kit/fakes/gateway.ts'

const possibleTypes: Record<string, string[]> = JSON.parse(
  readFileSync(new URL('../../schema/possible-types.json', import.meta.url), 'utf8'),
)
const newCache = () => new InMemoryCache({ possibleTypes, typePolicies })

const refused = { input: { text: ' ' } }
const member = {
  __typename: 'InvalidInputError',
  code: 'INVALID_INPUT',
  message: '"text" is empty.',
  field: ['text'],
  retryAfterMs: null,
}
/** What a reader of the schema alone would write. */
const byInterface = `mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) { __typename ... on UserError { code message field retryAfterMs } }
}`

const sdl = readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8')

/** A gateway, and what it answers. */
async function open() {
  const gateway = await openFakeGateway()
  const client = createClient(gateway.url)
  return {
    url: `${gateway.url}/graphql`,
    async ask(query: string, variables: Record<string, unknown> = {}) {
      const { body } = await client.call({ token: 'alice', query, variables })
      return JSON.parse(body)
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

describe("K1: Apollo Client's cache", () => {
  it.each([
    ['a ready operation', SendMessageDocument.toString()],
    ['an operation on the interface', byInterface],
  ])('keeps code and message of an error member of %s', async (_what, source) => {
    await using gateway = await open()
    const link = new ApolloLink(
      ({ variables }) =>
        new Observable((observer) => {
          gateway.ask(source, variables).then(
            (result) => {
              observer.next(result)
              observer.complete()
            },
            (error: unknown) => observer.error(error),
          )
        }),
    )
    const cache = newCache()
    const apollo = new ApolloClient({ cache, link })
    const mutation = gql(source)
    const { data } = await apollo.mutate({ mutation, variables: refused, keepRootFields: true })
    expect(data).toEqual({ sendMessage: member })
    const query = cache.transformDocument(gql(source.replace('mutation', 'query')))
    const kept = { query, rootId: 'ROOT_MUTATION', variables: refused, optimistic: false }
    expect(cache.read(kept)).toEqual({ sendMessage: member })
  })

  it('joins pages of a connection, and has one viewer', async () => {
    await using gateway = await open()
    for (let n = 0; n < 3; n += 1) {
      await gateway.ask('mutation { startConversation(input: {}) { __typename } }')
    }
    const cache = newCache()
    const query = gql(ConversationsDocument.toString())
    let after: string | null = null
    for (let n = 0; n < 2; n += 1) {
      const variables = { first: 2, after }
      const { data } = await gateway.ask(withTypenames(query), variables)
      cache.writeQuery({ query, variables, data })
      after = data.conversations.pageInfo.endCursor
    }
    const whole: { conversations: { edges: unknown[] } } | null = cache.readQuery({ query })
    expect(whole?.conversations.edges).toHaveLength(3)
    const viewer = gql(ViewerDocument.toString())
    const { data } = await gateway.ask(withTypenames(viewer))
    cache.writeQuery({ query: viewer, data })
    expect(Object.keys(cache.extract())).toContain('Viewer:{}')

    function withTypenames(document: typeof query): string {
      return print(cache.transformDocument(document))
    }
  })
})

describe("K1: urql's graphcache", () => {
  it.each([
    ['a ready operation', SendMessageDocument.toString()],
    ['an operation on the interface', byInterface],
  ])('keeps code and message of an error member of %s', async (_what, source) => {
    await using gateway = await open()
    const client = new Client({
      url: gateway.url,
      preferGetMethod: false,
      exchanges: [
        cacheExchange({ keys, resolvers, schema: introspectionFromSchema(buildSchema(sdl)) }),
        fetchExchange,
      ],
      fetchOptions: { headers: { authorization: 'Bearer alice' } },
    })
    const result = await client.mutation(source, refused).toPromise()
    expect(result.error).toBeUndefined()
    expect(result.data).toEqual({ sendMessage: member })
  })
})
