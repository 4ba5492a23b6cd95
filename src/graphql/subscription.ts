import {
  createSourceEventStream,
  executeSubscriptionEvent,
  validateSubscriptionArgs,
} from 'graphql'
import type { ExecutionArgs, GraphQLError } from 'graphql'
import type { Cursor, ReplyEvent, ReplyId } from '../domain.ts'
import type { ReplySubscription } from '../reply/subscribe.ts'
import type { GraphContext } from './context.ts'
import type { DeltaCompiler } from './delta-renderer.ts'
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
  const executionArgs = validated
  const { subscription } = source
  const { contextValue } = args
  const render = compile(validated)
  const globalId = createReplyIds()

  return { subscription, encode }

  function encode(batch: readonly ReplyEvent[], frame: Frame): string | Promise<string> {
    let frames = ''
    for (const [index, event] of batch.entries()) {
      const cursor = subscription.cursor(event)
      if (event.type !== 'delta' || !render) return encodeRest(frames, batch.slice(index), frame)
      frames += frame(render(event, cursor, globalId(event.replyId)), cursor)
    }
    return frames
  }

  async function encodeRest(
    frames: string,
    batch: readonly ReplyEvent[],
    frame: Frame,
  ): Promise<string> {
    for (const event of batch) {
      const cursor = subscription.cursor(event)
      const payload =
        event.type === 'delta' && render
          ? render(event, cursor, globalId(event.replyId))
          : await execute(event, cursor)
      frames += frame(payload, cursor)
    }
    return frames
  }

  async function execute(event: ReplyEvent, cursor: Cursor): Promise<string> {
    const { errors, ...rest } = await executeSubscriptionEvent({
      ...executionArgs,
      rootValue: { ...event, cursor },
      // Loaders live as long as their context: what an event shows is loaded for it.
      contextValue: { ...contextValue },
    })
    return JSON.stringify(errors ? { errors: errors.map(present), ...rest } : rest)
  }
}

/** Global ids, encoded once as long as events are of one reply. */
function createReplyIds(): (id: ReplyId) => string {
  let last: ReplyId | undefined
  let encoded = ''
  return (id) => {
    if (id !== last) {
      last = id
      encoded = encodeGlobal('Reply', id)
    }
    return encoded
  }
}
