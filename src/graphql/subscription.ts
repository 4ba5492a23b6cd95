import {
  createSourceEventStream,
  executeSubscriptionEvent,
  validateSubscriptionArgs,
} from 'graphql'
import type { ExecutionArgs, GraphQLError } from 'graphql'
import type { Cursor, ReplyEvent, ReplyId } from '../domain.ts'
import type { ProbeRun } from '../domain/probe.ts'
import type { ReplySubscription } from '../reply/subscribe.ts'
import type { GraphContext } from './context.ts'
import type { DeltaCompiler, RenderDelta } from './delta-renderer.ts'
import { asInputError } from './errors.ts'
import type { PresentError } from './errors.ts'
import { encodeGlobal } from './global-id.ts'
import { ProbeEvents } from './probe.ts'
import { ReplyEvents } from './reply-event.ts'

/** Makes one message of a payload and its place; undefined: nothing can be resumed after it. */
export type Frame = (payload: string, cursor: Cursor | undefined) => string

/** Takes frames; a promise when the next ones have to wait. */
export type SendFrames = (frames: string) => Promise<void> | undefined

/** A subscription that was accepted: everything that can be refused was refused before. */
export interface OpenSubscription {
  /** The client has had all of it already: answer 204. */
  readonly past: boolean
  /** What to resume after until something was sent; undefined: it begins at its beginning again. */
  readonly start: Cursor | undefined
  /** Sends its events in order, until it has ended or the signal aborts, whose reason is thrown. */
  follow(frame: Frame, send: SendFrames, signal: AbortSignal): Promise<void>
}

export interface SubscriptionArgs extends ExecutionArgs {
  readonly contextValue: GraphContext
}

/** What executing one event takes. */
interface EventParts {
  readonly args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>
  readonly contextValue: GraphContext
  readonly present: PresentError
}

interface SubscriptionParts extends EventParts {
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
  const { schema, document, operationName, variableValues } = args
  const parts = {
    args: { schema, document, operationName, variableValues },
    contextValue: args.contextValue,
    present,
  }
  if (source instanceof ReplyEvents) {
    const render = compile(validated)
    return new RunningSubscription(source.subscription, { ...parts, render })
  }
  if (source instanceof ProbeEvents) return openProbeProgress(source.run, parts)
  if (Symbol.asyncIterator in source) throw new TypeError('an unknown event stream')
  return (source.errors ?? []).map(present)
}

function openProbeProgress(run: ProbeRun, parts: EventParts): OpenSubscription {
  return {
    past: false,
    start: undefined,
    async follow(frame, send, signal) {
      for await (const event of run.events(signal)) {
        await send(frame(await executeEvent(parts, event), undefined))
      }
    },
  }
}

/** Mostly idle, and there are thousands: it holds no closures, and nothing that can be had again from what was asked. */
class RunningSubscription implements OpenSubscription {
  readonly #subscription: ReplySubscription
  readonly #parts: SubscriptionParts
  #replyId: ReplyId | undefined
  #globalId = ''

  constructor(subscription: ReplySubscription, parts: SubscriptionParts) {
    this.#subscription = subscription
    this.#parts = parts
  }

  get past(): boolean {
    return this.#subscription.past
  }

  get start(): Cursor {
    return this.#subscription.start
  }

  follow(frame: Frame, send: SendFrames, signal: AbortSignal): Promise<void> {
    return this.#subscription.follow((batch) => {
      signal.throwIfAborted()
      const frames = this.#encode(batch, frame)
      return typeof frames === 'string' ? send(frames) : frames.then(send)
    }, signal)
  }

  /** The frames of a batch in order, joined. Without a promise as long as the compiled selection does. */
  #encode(batch: readonly ReplyEvent[], frame: Frame): string | Promise<string> {
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
        const cursor = this.#subscription.cursor(event)
        frames += frame(await executeEvent(this.#parts, { ...event, cursor }), cursor)
      }
    }
    return frames
  }

  #renderDelta(event: DeltaEvent, render: RenderDelta, frame: Frame): string {
    const cursor = this.#subscription.cursor(event)
    if (event.replyId !== this.#replyId) {
      this.#replyId = event.replyId
      this.#globalId = encodeGlobal('Reply', event.replyId)
    }
    return frame(render(event, cursor, this.#globalId), cursor)
  }
}

async function executeEvent(
  { args, contextValue, present }: EventParts,
  rootValue: unknown,
): Promise<string> {
  const validated = validateSubscriptionArgs(args)
  if (!('schema' in validated)) throw new TypeError('a valid operation is not valid any more')
  const { errors, ...rest } = await executeSubscriptionEvent({
    ...validated,
    rootValue,
    // Loaders live as long as their context: what an event shows is loaded for it.
    contextValue: { ...contextValue },
  })
  return JSON.stringify(errors ? { errors: errors.map(present), ...rest } : rest)
}
