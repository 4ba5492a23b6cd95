import { type Exchange, subscriptionExchange } from '@urql/core'
import { subscribe } from '../client/calls.ts'
import type { ChatClient } from '../client/chat-client.ts'

/**
 * An exchange of urql that sends everything through a chat client, as the last one of the list.
 * @example
 * new Client({ url: '/graphql', exchanges: [cacheExchange(), chatExchange(chat)] })
 */
export function chatExchange(chat: ChatClient): Exchange {
  return subscriptionExchange({
    enableAllOperations: true,
    forwardSubscription: ({ query = '', variables = {} }, { kind }) => ({
      subscribe(sink) {
        if (kind === 'subscription') {
          return { unsubscribe: subscribe(chat, query, variables, sink) }
        }
        chat.execute<Record<string, unknown>>(query, variables).then(
          (result) => {
            sink.next(result)
            sink.complete()
          },
          (error: unknown) => sink.error(error),
        )
        return { unsubscribe: () => undefined }
      },
    }),
  })
}
