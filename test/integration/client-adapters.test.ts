import { ApolloClient, gql as apolloGql, InMemoryCache } from '@apollo/client'
import { Client, gql as urqlGql } from '@urql/core'
import {
  type ConcreteRequest,
  Environment,
  fetchQuery,
  RecordSource,
  type RequestParameters,
  Store,
} from 'relay-runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import possibleTypes from '../../schema/possible-types.json' with { type: 'json' }
import { typePolicies } from '../../schema/type-policies.ts'
import { chatLink } from '../../src/adapters/apollo.ts'
import { chatNetwork } from '../../src/adapters/relay.ts'
import { chatExchange } from '../../src/adapters/urql.ts'
import { type ChatClient, createChatClient, fetchTransport } from '../../src/client/client.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { startSystem, type System } from '../kit/process/system.ts'

const words = 300
const sendDocument = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { __typename id } }
    ... on UserError { code message }
  }
}`
const followDocument = `subscription Follow($id: ID!, $after: String) {
  replies(replyId: $id, after: $after) {
    __typename
    ... on ReplyDelta { offset text }
    ... on ReplyCompleted { text }
  }
}`
const viewerDocument = `query Look { viewer { isGuest } }`

interface Sent {
  readonly sendMessage: {
    readonly __typename: string
    readonly reply?: { readonly id: string }
    readonly code?: string
  }
}
interface Followed {
  readonly replies: {
    readonly __typename: string
    readonly offset?: number
    readonly text?: string
  }
}

/** A library with the client below it. */
interface Adapter {
  send(input: object): Promise<Sent['sendMessage']>
  follow(id: string, next: (event: Followed['replies']) => void): Promise<void>
  /** The code of the error that a query meets. */
  refusal(): Promise<string>
}

const adapters: Readonly<Record<string, (chat: ChatClient) => Adapter>> = {
  urql(chat) {
    const client = new Client({
      url: '/graphql',
      preferGetMethod: false,
      exchanges: [chatExchange(chat)],
    })
    return {
      async send(input) {
        const { data } = await client.mutation<Sent>(urqlGql(sendDocument), { input })
        return data?.sendMessage ?? { __typename: 'none' }
      },
      follow: (id, next) =>
        new Promise((resolve, reject) => {
          client.subscription<Followed>(urqlGql(followDocument), { id }).subscribe((result) => {
            if (result.error) reject(result.error)
            if (result.data) next(result.data.replies)
            if (result.data?.replies.__typename === 'ReplyCompleted') resolve()
          })
        }),
      async refusal() {
        const { error } = await client.query(urqlGql(viewerDocument), {})
        return String(Reflect.get(Object(error?.networkError), 'code'))
      },
    }
  },
  'Apollo Client'(chat) {
    const client = new ApolloClient({
      link: chatLink(chat),
      cache: new InMemoryCache({ possibleTypes, typePolicies }),
    })
    return {
      async send(input) {
        const { data } = await client.mutate<Sent>({
          mutation: apolloGql(sendDocument),
          variables: { input },
        })
        return data?.sendMessage ?? { __typename: 'none' }
      },
      async follow(id, next) {
        const events = client.subscribe<Followed>({
          query: apolloGql(followDocument),
          variables: { id },
          fetchPolicy: 'no-cache',
        })
        await events.forEach(({ data }) => {
          if (data) next(data.replies)
        })
      },
      refusal: async () =>
        await client.query({ query: apolloGql(viewerDocument) }).then(
          () => 'none',
          (error: unknown) => String(Reflect.get(Object(error), 'code')),
        ),
    }
  },
  Relay(chat) {
    const network = chatNetwork(chat)
    const environment = new Environment({ network, store: new Store(new RecordSource()) })
    const run = (
      operationKind: RequestParameters['operationKind'],
      text: string,
      variables: object,
    ) =>
      network.execute(
        {
          id: null,
          cacheID: text,
          text,
          name: 'Any',
          operationKind,
          metadata: {},
          providedVariables: {},
        } as RequestParameters,
        { ...variables },
        {},
      )
    return {
      async send(input) {
        const result = await run('mutation', sendDocument, { input }).toPromise()
        const data: Sent = Object(Reflect.get(Object(result), 'data'))
        return data.sendMessage
      },
      follow: (id, next) =>
        new Promise((resolve, reject) => {
          run('subscription', followDocument, { id }).subscribe({
            next: (result) => {
              const data: Followed = Object(Reflect.get(Object(result), 'data'))
              next(data.replies)
            },
            error: reject,
            complete: resolve,
          })
        }),
      // By way of its store and its own compiled documents.
      refusal: async () =>
        await fetchQuery(environment, compiledViewer, {})
          .toPromise()
          .then(
            () => 'none',
            (error: unknown) => String(Reflect.get(Object(error), 'code')),
          ),
    }
  },
}

/** As relay-compiler writes it. */
const selections = [
  {
    alias: null,
    args: null,
    concreteType: 'Viewer',
    kind: 'LinkedField',
    name: 'viewer',
    plural: false,
    selections: [
      { alias: null, args: null, kind: 'ScalarField', name: 'isGuest', storageKey: null },
    ],
    storageKey: null,
  },
] as const
const compiledViewer = {
  fragment: {
    argumentDefinitions: [],
    kind: 'Fragment',
    metadata: null,
    name: 'Look',
    selections,
    type: 'Query',
    abstractKey: null,
  },
  kind: 'Request',
  operation: { argumentDefinitions: [], kind: 'Operation', name: 'Look', selections },
  params: {
    cacheID: 'look',
    id: null,
    metadata: {},
    name: 'Look',
    operationKind: 'query',
    text: viewerDocument,
  },
} as unknown as ConcreteRequest

describe.each(Object.entries(adapters))('%s with the client below it', (_, adapt) => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  async function open(token = () => system.person('alice').token) {
    const stack = new AsyncDisposableStack()
    const proxy = stack.use(await openCuttingProxy(() => 15_000))
    proxy.forwardTo(system.gateway.url)
    const chat = createChatClient({
      url: `${proxy.url}/graphql`,
      token,
      transport: fetchTransport(),
      maxAttempts: 20,
    })
    stack.defer(() => chat.close())
    return { proxy, ...adapt(chat), [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  it('follows a reply to its end while its connections are cut', async () => {
    await using library = await open()
    const { reply } = await library.send({ text: `/speed 150 /long ${words}`, assistantId: 'bot' })
    let answer = ''
    let whole = ''
    await library.follow(reply?.id ?? '', ({ __typename, offset, text = '' }) => {
      if (__typename === 'ReplyDelta') {
        // Each event comes once, so that each delta begins where the last one ended.
        expect(offset).toBe(answer.length)
        answer += text
      }
      if (__typename === 'ReplyCompleted') whole = text
    })
    expect(library.proxy.cuts).toBeGreaterThan(1)
    expect(answer.split(' ')).toHaveLength(words)
    expect(answer).toBe(whole)
  })

  it('shows the code of a refusal that is a member of the union', async () => {
    await using library = await open()
    expect(await library.send({ text: 'hello', assistantId: 'nobody' })).toMatchObject({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
    })
  })

  it('shows the code of a request that is refused as a whole', async () => {
    await using library = await open(() => 'no token')
    expect(await library.refusal()).toBe('UNAUTHENTICATED')
  })
})
