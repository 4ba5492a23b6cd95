import {
  type GraphQLResponse,
  type INetwork,
  Network,
  Observable,
  type PayloadData,
} from 'relay-runtime'
import { subscribe } from '../client/calls.ts'
import type { ChatClient } from '../client/chat-client.ts'
import type { DataResult } from '../client/transport.ts'

/**
 * A network of Relay that sends everything through a chat client.
 * @example
 * new Environment({ network: chatNetwork(chat), store: new Store(new RecordSource()) })
 */
export function chatNetwork(chat: ChatClient): INetwork {
  return Network.create(
    async ({ text }, variables) =>
      responseOf(await chat.execute<PayloadData>(text ?? '', variables)),
    ({ text }, variables) =>
      Observable.create((sink) =>
        subscribe<PayloadData>(chat, text ?? '', variables, {
          next: (result) => sink.next(responseOf(result)),
          error: (error) => sink.error(error),
          complete: () => sink.complete(),
        }),
      ),
  )
}

function responseOf({ data, errors }: DataResult<PayloadData>): GraphQLResponse {
  return errors ? { data, errors: [...errors] } : { data }
}
