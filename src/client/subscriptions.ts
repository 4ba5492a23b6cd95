import { ChatError, networkError } from './chat-error.ts'
import type { Surroundings } from './requests.ts'
import { openResumingStream } from './resuming-stream.ts'
import type { SessionStream } from './session-stream.ts'
import type { DataResult } from './transport.ts'

export interface SubscriptionSink<Data> {
  next(result: DataResult<Data>): void
  error(error: ChatError): void
  complete(): void
}

export interface Subscriptions {
  /**
   * Any other subscription, on a stream of its own that resumes by itself: after the last event if the document has the variable
   * `$after`, else from where it began. Returns a function that ends it.
   */
  readonly subscribe: <Data>(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    sink: SubscriptionSink<Data>,
  ) => () => void
  readonly wake: (isNewNetwork: boolean) => void
  readonly close: () => void
}

interface OpenSubscription {
  readonly stop: () => void
  readonly notice: (isNewNetwork: boolean) => void
}

/** The streams beside that of the session. */
export function createSubscriptions(
  surroundings: Surroundings,
  session: Pick<SessionStream, 'position' | 'keepAliveMs'>,
): Subscriptions {
  const open = new Set<OpenSubscription>()

  return {
    subscribe<Data>(
      document: string,
      variables: Readonly<Record<string, unknown>>,
      sink: SubscriptionSink<Data>,
    ) {
      let after = variables['after']
      let isWanted = true
      const stream = openResumingStream<Data>(surroundings, {
        isWanted: () => isWanted,
        async start() {
          // It also tells how long the gateway may be silent.
          if (session.keepAliveMs() === 0) await session.position()
          const operation = { query: document, variables: { ...variables, after } }
          return { operation, keepAliveMs: session.keepAliveMs() }
        },
        alive: () => undefined,
        waiting: () => undefined,
        next(result, cursor) {
          after = cursor ?? after
          sink.next(result)
        },
        moveTo(cursor, error) {
          if (cursor === undefined) throw error
          after = cursor
        },
      })
      const subscription: OpenSubscription = {
        notice: stream.notice,
        stop() {
          isWanted = false
          open.delete(subscription)
          stream.interrupt()
        },
      }
      open.add(subscription)
      stream.ended.then(
        () => {
          if (isWanted) sink.complete()
          subscription.stop()
        },
        (error: unknown) => {
          if (isWanted) sink.error(error instanceof ChatError ? error : networkError(error))
          subscription.stop()
        },
      )
      return subscription.stop
    },
    wake(isNewNetwork) {
      for (const { notice } of open) notice(isNewNetwork)
    },
    close() {
      for (const { stop } of open) stop()
    },
  }
}
