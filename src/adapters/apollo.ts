import { ApolloLink, Observable } from '@apollo/client'
import { getMainDefinition, print } from '@apollo/client/utilities'
import { subscribe } from '../client/calls.ts'
import type { ChatClient } from '../client/chat-client.ts'

/**
 * A link of Apollo Client that sends everything through a chat client.
 * @example
 * new ApolloClient({ link: chatLink(chat), cache: new InMemoryCache({ possibleTypes, typePolicies }) })
 */
export function chatLink(chat: ChatClient): ApolloLink {
  return new ApolloLink(
    ({ query, variables }) =>
      new Observable((observer) => {
        const definition = getMainDefinition(query)
        const document = print(query)
        if ('operation' in definition && definition.operation === 'subscription') {
          return subscribe<Record<string, unknown>>(chat, document, variables, observer)
        }
        chat.execute<Record<string, unknown>>(document, variables).then(
          (result) => {
            observer.next(result)
            observer.complete()
          },
          (error: unknown) => observer.error(error),
        )
        return undefined
      }),
  )
}
