import {
  ApolloClient,
  ApolloLink,
  gql,
  HttpLink,
  InMemoryCache,
  Observable as ApolloObservable,
} from '@apollo/client'
import { CombinedGraphQLErrors, CombinedProtocolErrors, ServerError } from '@apollo/client/errors'
import { Client, type CombinedError, fetchExchange, subscriptionExchange } from '@urql/core'
import { print } from 'graphql'
import { createClient as createSse } from 'graphql-sse'
import { createClient as createWs } from 'graphql-ws'
import {
  type ConcreteRequest,
  Environment,
  type FetchFunction,
  type GraphQLResponse,
  Network,
  Observable as RelayObservable,
  RecordSource,
  Store,
  type SubscribeFunction,
} from 'relay-runtime'
import { WebSocket } from 'ws'
import { dataOf, eventOf, iterate, post, postFile, RefusedError } from './recipe-client.ts'
import type { OpenRecipe } from './ten-steps.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export const graphqlSse: OpenRecipe = (url, token) => {
  const headers = bearer(token)
  const client = createSse({ url, headers, retryAttempts: 0 })
  return {
    request: (query, variables) => post(url, headers, query, variables),
    upload: (query, input, file) => postFile(url, headers, query, input, file),
    async *subscribe(query, variables) {
      for await (const result of client.iterate({ query, variables: { ...variables } }))
        yield eventOf(result)
    },
    [Symbol.asyncDispose]: async () => client.dispose(),
  }
}

export const graphqlWs: OpenRecipe = (url, token) => {
  const headers = bearer(token)
  const client = createWs({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: headers,
    retryAttempts: 0,
  })
  async function* results(query: string, variables: object) {
    try {
      yield* client.iterate({ query, variables: { ...variables } })
    } catch (error) {
      // 4403 is how a WebSocket is told that its credential is refused.
      const isRefused = Object(error).code === 4403
      throw new RefusedError(isRefused ? { extensions: { code: 'UNAUTHENTICATED' } } : error)
    }
  }
  return {
    async request(query, variables = {}) {
      for await (const result of results(query, variables)) return dataOf(result)
      return undefined
    },
    upload: (query, input, file) => postFile(url, headers, query, input, file),
    async *subscribe(query, variables) {
      for await (const result of results(query, variables)) yield eventOf(result)
    },
    [Symbol.asyncDispose]: async () => await client.dispose(),
  }
}

export const urql: OpenRecipe = (url, token) => {
  const headers = bearer(token)
  const sse = createSse({ url, headers, retryAttempts: 0 })
  const client = new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers },
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables = {} }) => ({
          subscribe: (sink) => ({ unsubscribe: sse.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  })
  const errorsOf = (error: CombinedError | undefined) => error && { errors: error.graphQLErrors }
  return {
    async request(query, variables = {}) {
      const isMutation = query.trimStart().startsWith('mutation')
      const context = { requestPolicy: 'network-only' } as const
      const result = isMutation
        ? await client.mutation(query, variables)
        : await client.query(query, variables, context)
      return dataOf({ data: result.data, ...errorsOf(result.error) })
    },
    upload: (query, input, file) => postFile(url, headers, query, input, file),
    async *subscribe(query, variables) {
      const results = iterate<{ data?: unknown; error?: CombinedError | undefined }>((sink) => {
        const subscription = client.subscription(query, { ...variables }).subscribe(sink.next)
        return () => subscription.unsubscribe()
      })
      for await (const { data, error } of results) yield eventOf({ data, ...errorsOf(error) })
    },
    [Symbol.asyncDispose]: async () => sse.dispose(),
  }
}

function refusalOfApollo(error: unknown): unknown {
  if (CombinedGraphQLErrors.is(error) || CombinedProtocolErrors.is(error))
    return new RefusedError(error.errors)
  if (ServerError.is(error)) return new RefusedError(Object(JSON.parse(error.bodyText)).errors)
  return error
}

const apolloOver =
  (linkOf: (url: string, headers: Readonly<Record<string, string>>) => ApolloLink): OpenRecipe =>
  (url, token) => {
    const headers = bearer(token)
    const client = new ApolloClient({ link: linkOf(url, headers), cache: new InMemoryCache() })
    return {
      async request(query, variables = {}) {
        try {
          const document = gql(query)
          const options = { variables, fetchPolicy: 'no-cache' } as const
          const { data } = query.trimStart().startsWith('mutation')
            ? await client.mutate({ mutation: document, ...options })
            : await client.query({ query: document, ...options })
          return data
        } catch (error) {
          throw refusalOfApollo(error)
        }
      },
      upload: (query, input, file) => postFile(url, headers, query, input, file),
      async *subscribe(query, variables) {
        const results = iterate<{ data?: unknown; error?: unknown }>((sink) => {
          const options = { query: gql(query), variables, fetchPolicy: 'no-cache' } as const
          const subscription = client.subscribe(options).subscribe(sink)
          return () => subscription.unsubscribe()
        })
        for await (const { data, error } of results) {
          if (error !== undefined) throw refusalOfApollo(error)
          yield eventOf({ data })
        }
      },
      [Symbol.asyncDispose]: async () => client.stop(),
    }
  }

export const apolloMultipart = apolloOver((uri, headers) => new HttpLink({ uri, headers }))

export const apolloSse = apolloOver((url, headers) => {
  const sse = createSse({ url, headers, retryAttempts: 0 })
  const streams = new ApolloLink(
    ({ query, variables }) =>
      new ApolloObservable((sink) =>
        sse.subscribe(
          { query: print(query), variables },
          {
            next: (result) => sink.next(Object(result)),
            error: (error) => sink.error(error),
            complete: () => sink.complete(),
          },
        ),
      ),
  )
  return ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    streams,
    new HttpLink({ uri: url, headers }),
  )
})

export const relay: OpenRecipe = (url, token) => {
  const headers = bearer(token)
  const sse = createSse({ url, headers, retryAttempts: 0 })
  const request: FetchFunction = async ({ text }, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ query: text, variables }),
    })
    return (await response.json()) as GraphQLResponse
  }
  const subscribe: SubscribeFunction = ({ text }, variables) =>
    RelayObservable.create<GraphQLResponse>((sink) =>
      sse.subscribe<GraphQLResponse>(
        { query: text ?? '', variables },
        {
          next: (value) => sink.next(value as GraphQLResponse),
          error: (error) => sink.error(error instanceof Error ? error : new Error(String(error))),
          complete: () => sink.complete(),
        },
      ),
    )
  const environment = new Environment({
    network: Network.create(request, subscribe),
    store: new Store(new RecordSource()),
  })
  /** What the network layer gets of a document that `relay-compiler` has compiled. */
  const execute = (text: string, variables: object) => {
    const [operationKind = 'query'] = /^\s*(query|mutation|subscription)/.exec(text) ?? []
    const params = { id: null, name: 'Recipe', metadata: {}, text, cacheID: text, operationKind }
    return environment
      .getNetwork()
      .execute(params as ConcreteRequest['params'], { ...variables }, { force: true })
  }
  return {
    async request(query, variables = {}) {
      return dataOf(Object(await execute(query, variables).toPromise()))
    },
    upload: (query, input, file) => postFile(url, headers, query, input, file),
    async *subscribe(query, variables) {
      const results = iterate<object>((sink) => {
        const subscription = execute(query, variables).subscribe(sink)
        return () => subscription.unsubscribe()
      })
      for await (const result of results) yield eventOf(result)
    },
    [Symbol.asyncDispose]: async () => sse.dispose(),
  }
}
