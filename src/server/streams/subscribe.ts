import { BadRequestError } from '../../errors.ts'
import type { EventAccount } from '../../graphql/execution/event-answer.ts'
import { openSubscription } from '../../graphql/execution/subscription.ts'
import type { SelectionCompiler } from '../../graphql/execution/event-renderer.ts'
import { mediaTypes } from '../accept.ts'
import type { Subscribe } from '../graphql/plugins.ts'
import { framingOf } from './framing.ts'
import type { OpenStreams } from './open-streams.ts'
import { createResultStream } from './response-stream.ts'
import { SubscriptionStream, type StreamServices } from './subscription-stream.ts'

/** Accepts subscriptions. Every refusal is made here, before the head of a stream is sent. */
export function createSubscriber({
  streams,
  services,
  compile,
  account,
  maxEventCost,
}: {
  readonly streams: OpenStreams
  readonly services: StreamServices
  readonly compile: SelectionCompiler
  readonly account: EventAccount
  readonly maxEventCost: number
}): Subscribe {
  return async (args, operation, open) => {
    const framing = operation.accepted.map(framingOf).find((one) => one !== undefined)
    if (!framing) {
      throw new BadRequestError(`A subscription needs "accept: ${mediaTypes.events}".`)
    }
    const { headers } = framing
    const contextValue = await open()
    using admission = new DisposableStack()
    using _held = operation.making?.held
    const permit = admission.use(streams.admit(contextValue.store.session.id))
    const opened = await openSubscription(
      { ...args, contextValue },
      { present: services.present, compile, account, cost: operation.cost ?? maxEventCost },
    )
    if (!('follow' in opened)) return { errors: opened }
    if (opened.past) {
      // A browser's EventSource stops on 204. graphql-sse, which uses POST, would take 204 for a broken connection.
      operation.response =
        operation.request.method === 'GET'
          ? { status: 204, headers: {} }
          : { status: 200, headers, stream: createResultStream(framing) }
      return responded
    }
    admission.move()
    const { expiresAt } = contextValue.caller
    const credential = { status: operation.credentialStatus, expiresAt }
    const stream = new SubscriptionStream(opened, framing, credential, permit, services)
    operation.response = { status: 200, headers, stream }
    return responded
  }
}

/** The response is in the operation. The result is not used. */
const responded = { data: null }
