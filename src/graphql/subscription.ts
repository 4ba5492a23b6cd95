import {
  createSourceEventStream,
  executeSubscriptionEvent,
  validateSubscriptionArgs,
} from 'graphql'
import type { ExecutionArgs, GraphQLError } from 'graphql'
import type { Cursor, DeltaEvent, ReplyId, SessionId } from '../domain.ts'
import type { ProbeRun } from '../domain/probe.ts'
import { RateLimitedError, UnavailableError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import { encodeJson } from '../lib/json-text.ts'
import type { SharedTurns, Turns } from '../lib/turns.ts'
import type { ReplySubscription } from '../reply/subscribe.ts'
import type { LogItem } from '../store/log.ts'
import { answerTooLarge } from './answer-budget.ts'
import type { AnswerBudget } from './answer-budget.ts'
import type { GraphContext } from './context.ts'
import type { DeltaCompiler, RenderDelta } from './delta-renderer.ts'
import { asInputError, gatewayErrorOf } from './errors.ts'
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
  /** The cursor to resume after until something was sent; undefined: it begins at its beginning again. */
  readonly start: Cursor | undefined
  /** Sends its events in order, until it has ended or the signal aborts, whose reason is thrown. */
  follow(frame: Frame, send: SendFrames, signal: AbortSignal): Promise<void>
}

export interface SubscriptionArgs extends ExecutionArgs {
  readonly contextValue: GraphContext
}

/** Code units of small frames that are handed on together. */
const maxJoinedLength = 16_384

/** Code units of frames from which on their reader catches up. */
const longPart = 8_192
/** Reading the next part of a log may take as long as writing so many bytes. */
const readUnits = 131_072
const firstReadUnits = 16_384

/** Where executing an event is paid, and its answer counted; one for all subscriptions. */
export interface EventAccount {
  readonly turns: SharedTurns
  /** Bytes of the answer to one event. */
  readonly maxBytes: number
  readonly clock: Clock
  begin(session: SessionId): {
    readonly budget: AnswerBudget
    readonly held: Disposable & { keep(bytes: number): void }
  }
  /** @throws {@link RateLimitedError} when so much is not left of the session's budget. */
  take(session: SessionId, points: number): Promise<void>
  charge(session: SessionId, points: number): Promise<void>
}

/** The parts that are needed to execute one event. */
interface EventParts {
  readonly args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>
  readonly contextValue: Omit<GraphContext, 'budget'>
  readonly present: PresentError
  readonly account: EventAccount
  /** Points of executing it once. */
  readonly cost: number
}

interface SubscriptionParts extends EventParts {
  /** Undefined: deltas are executed as all other events are. */
  readonly render: RenderDelta | undefined
}

/** Validates variables, subscribes, and compiles the selection; answers the errors of a refusal. */
export async function openSubscription(
  args: SubscriptionArgs,
  {
    compile,
    ...options
  }: Pick<EventParts, 'present' | 'account' | 'cost'> & { readonly compile: DeltaCompiler },
): Promise<OpenSubscription | readonly GraphQLError[]> {
  const validated = validateSubscriptionArgs(args)
  if (!('schema' in validated)) return validated.map(asInputError)
  const source = await createSourceEventStream(validated)
  const { schema, document, operationName, variableValues } = args
  const { budget: _, ...contextValue } = args.contextValue
  const parts = {
    args: { schema, document, operationName, variableValues },
    contextValue,
    ...options,
  }
  if (source instanceof ReplyEvents) {
    const render = compile(validated)
    return new RunningSubscription(source.subscription, { ...parts, render })
  }
  if (source instanceof ProbeEvents) return openProbeProgress(source.run, parts)
  if (Symbol.asyncIterator in source) throw new TypeError('an unknown event stream')
  return (source.errors ?? []).map(options.present)
}

function openProbeProgress(run: ProbeRun, parts: EventParts): OpenSubscription {
  return {
    past: false,
    start: undefined,
    async follow(frame, send, signal) {
      for await (const event of run.events(signal)) {
        using made = await executeEvent(parts, event, async () => undefined, signal)
        await send(frame(made.text, undefined))
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
  #isBehind = false

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

  async follow(frame: Frame, send: SendFrames, signal: AbortSignal): Promise<void> {
    // Many may come at once, each with much to read.
    await this.#turns().take(firstReadUnits)
    await this.#subscription.follow((batch) => {
      signal.throwIfAborted()
      return this.#send(batch, frame, send, signal)
    }, signal)
  }

  /** The frames of a batch in order. Without a promise as long as the compiled selection and the reader need none. */
  #send(
    batch: readonly LogItem[],
    frame: Frame,
    send: SendFrames,
    signal: AbortSignal,
  ): Promise<void> | undefined {
    const { render } = this.#parts
    let frames = ''
    for (const [index, item] of batch.entries()) {
      const { event } = item
      if (event.type !== 'delta' || !render) {
        return this.#sendRest(frames, batch.slice(index), frame, send, signal)
      }
      frames += this.#renderDelta(event, this.#subscription.cursor(item), render, frame)
    }
    const sent = send(frames)
    // The last part of what it catches up on is short, and the end with the whole text comes behind it.
    const wasBehind = this.#isBehind
    this.#isBehind = frames.length >= longPart
    return wasBehind || this.#isBehind ? this.#waitForTurn(sent) : sent
  }

  /** Whoever catches up reads a long part of the log next, or an end with the whole text: few may in one turn. */
  async #waitForTurn(sent: Promise<void> | undefined): Promise<void> {
    await sent
    await this.#turns().take(readUnits)
  }

  #turns(): Turns {
    const { account, contextValue } = this.#parts
    return account.turns.of(contextValue.store.session.id)
  }

  async #sendRest(
    ready: string,
    batch: readonly LogItem[],
    frame: Frame,
    send: SendFrames,
    signal: AbortSignal,
  ): Promise<void> {
    const { render } = this.#parts
    let frames = ready
    const flush = async () => {
      if (frames !== '') await send(frames)
      frames = ''
    }
    for (const item of batch) {
      const { event } = item
      const cursor = this.#subscription.cursor(item)
      if (event.type === 'delta' && render) {
        frames += this.#renderDelta(event, cursor, render, frame)
      } else {
        using made = await executeEvent(this.#parts, { ...event, cursor }, flush, signal)
        frames += frame(made.text, cursor)
        if (frames.length > maxJoinedLength) await flush()
      }
    }
    await flush()
  }

  #renderDelta(event: DeltaEvent, cursor: Cursor, render: RenderDelta, frame: Frame): string {
    if (event.replyId !== this.#replyId) {
      this.#replyId = event.replyId
      this.#globalId = encodeGlobal('Reply', event.replyId)
    }
    return frame(render(event, cursor, this.#globalId), cursor)
  }
}

/** The answer to one event; disposed when it was handed on. */
interface EventAnswer extends Disposable {
  readonly text: string
}

/**
 * Executes the selection for one event, at the cost of its session. Where the session has spent its budget, or its answers
 * hold as much as they may, the event waits; none is left out.
 * @param flush called before it waits
 */
async function executeEvent(
  parts: EventParts,
  rootValue: unknown,
  flush: () => Promise<void>,
  signal: AbortSignal,
): Promise<EventAnswer> {
  const { account, cost, contextValue } = parts
  const { id } = contextValue.store.session
  for (;;) {
    try {
      await account.take(id, cost)
      const { budget, held } = account.begin(id)
      using unsent = new DisposableStack()
      unsent.use(held)
      const text = await executeOnce(parts, rootValue, budget)
      await account.charge(id, budget.points)
      held.keep(text.length)
      const owned = unsent.move()
      return { text, [Symbol.dispose]: () => owned.dispose() }
    } catch (error) {
      if (!(error instanceof RateLimitedError || error instanceof UnavailableError)) throw error
      await flush()
      await account.clock.sleep(error.retryAfterMs, signal)
    }
  }
}

/** @throws {@link RateLimitedError} {@link UnavailableError} when there is no room for the answer now. */
async function executeOnce(
  { args, contextValue, present, account }: EventParts,
  rootValue: unknown,
  budget: AnswerBudget,
): Promise<string> {
  const validated = validateSubscriptionArgs(args)
  if (!('schema' in validated)) throw new TypeError('a valid operation is not valid any more')
  const { errors, ...rest } = await executeSubscriptionEvent({
    ...validated,
    rootValue,
    // Loaders live as long as their context: what an event shows is loaded for it.
    contextValue: { ...contextValue, budget },
  })
  const { failure } = budget
  const cause = failure && gatewayErrorOf(failure)
  if (cause?.retryable) throw cause
  if (failure) return refusal(failure)
  if (errors) return JSON.stringify({ errors: errors.map(present), ...rest })
  const { maxBytes } = account
  const turns = account.turns.of(contextValue.store.session.id)
  const text = await encodeJson(rest, { maxBytes, turns })
  return text ? text.pieces.join('') : refusal(answerTooLarge(maxBytes, 'subscription'))

  function refusal(error: Error): string {
    return JSON.stringify({ errors: [present(error)], data: null })
  }
}
