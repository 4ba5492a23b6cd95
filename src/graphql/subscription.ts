import {
  createSourceEventStream,
  executeSubscriptionEvent,
  validateSubscriptionArgs,
} from 'graphql'
import type { ExecutionArgs, GraphQLError } from 'graphql'
import type { Cursor, ReplyEvent, ReplyId } from '../domain.ts'
import type { ReplySubscription } from '../reply/subscribe.ts'
import type { GraphContext } from './context.ts'
import type { DeltaCompiler, RenderDelta } from './delta-renderer.ts'
import { asInputError } from './errors.ts'
import type { PresentError } from './errors.ts'
import { encodeGlobal } from './global-id.ts'
import { ReplyEvents } from './reply-event.ts'

/** Makes one message of a payload and its place. */
export type Frame = (payload: string, cursor: Cursor) => string

/** A `replies` subscription that was accepted: everything that can be refused was refused before. */
export interface OpenSubscription {
  readonly subscription: ReplySubscription
  /** The frames of a batch in order, joined. Without a promise as long as the compiled selection does. */
  encode(batch: readonly ReplyEvent[], frame: Frame): string | Promise<string>
}

export interface SubscriptionArgs extends ExecutionArgs {
  readonly contextValue: GraphContext
}

interface SubscriptionParts {
  readonly args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>
  readonly contextValue: GraphContext
  readonly present: PresentError
  /** Undefined: deltas are executed as all other events are. */
  readonly render: RenderDelta | undefined
}

type DeltaEvent = Extract<ReplyEvent, { readonly type: 'delta' }>

/** Validates variables, subscribes, and compiles the selection; answers the errors of a refusal. */
export async function openSubscription(
  args: SubscriptionArgs,
  { present, compile }: { readonly present: PresentError; readonly compile: DeltaCompiler },
): Promise<OpenSubscription | readonly GraphQLError[]> {
  const validated = validateSubscriptionArgs(args)
  if (!('schema' in validated)) return validated.map(asInputError)
  const source = await createSourceEventStream(validated)
  if (!(source instanceof ReplyEvents)) {
    if (Symbol.asyncIterator in source) throw new TypeError('an unknown event stream')
    return (source.errors ?? []).map(present)
  }
  const { schema, document, operationName, variableValues } = args
  return new RunningSubscription(source.subscription, {
    args: { schema, document, operationName, variableValues },
    contextValue: args.contextValue,
    present,
    render: compile(validated),
  })
}

/** Mostly idle, and there are thousands: it holds no closures, and nothing that can be had again from what was asked. */
class RunningSubscription implements OpenSubscription {
  readonly subscription: ReplySubscription
  readonly #parts: SubscriptionParts
  #replyId: ReplyId | undefined
  #globalId = ''

  constructor(subscription: ReplySubscription, parts: SubscriptionParts) {
    this.subscription = subscription
    this.#parts = parts
  }

  encode(batch: readonly ReplyEvent[], frame: Frame): string | Promise<string> {
    const { render } = this.#parts
    let frames = ''
    for (const [index, event] of batch.entries()) {
      if (event.type !== 'delta' || !render) {
        return this.#encodeRest(frames, batch.slice(index), frame)
      }
      frames += this.#renderDelta(event, render, frame)
    }
    return frames
  }

  async #encodeRest(frames: string, batch: readonly ReplyEvent[], frame: Frame): Promise<string> {
    const { render } = this.#parts
    for (const event of batch) {
      if (event.type === 'delta' && render) frames += this.#renderDelta(event, render, frame)
      else {
        const cursor = this.subscription.cursor(event)
        frames += frame(await this.#execute(event, cursor), cursor)
      }
    }
    return frames
  }

  #renderDelta(event: DeltaEvent, render: RenderDelta, frame: Frame): string {
    const cursor = this.subscription.cursor(event)
    if (event.replyId !== this.#replyId) {
      this.#replyId = event.replyId
      this.#globalId = encodeGlobal('Reply', event.replyId)
    }
    return frame(render(event, cursor, this.#globalId), cursor)
  }

  async #execute(event: ReplyEvent, cursor: Cursor): Promise<string> {
    const { args, contextValue, present } = this.#parts
    const validated = validateSubscriptionArgs(args)
    if (!('schema' in validated)) throw new TypeError('a valid operation is not valid any more')
    const { errors, ...rest } = await executeSubscriptionEvent({
      ...validated,
      rootValue: { ...event, cursor },
      // Loaders live as long as their context: what an event shows is loaded for it.
      contextValue: { ...contextValue },
    })
    return JSON.stringify(errors ? { errors: errors.map(present), ...rest } : rest)
  }
}
