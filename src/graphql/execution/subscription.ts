import {
  createSourceEventStream,
  validateSubscriptionArgs,
  type ExecutionArgs,
  type GraphQLError,
} from 'graphql'
import type { Cursor, ReplyEvent, ReplyId } from '../../domain.ts'
import type { ProbeRun } from '../../domain/probe.ts'
import type { Turns } from '../../lib/turns.ts'
import type { ReplySubscription } from '../../reply/subscribe.ts'
import type { LogItem } from '../../store/log.ts'
import type { GraphContext } from '../context.ts'
import { encodeGlobal } from '../global-id.ts'
import { ProbeEvents } from '../schema/probe.ts'
import { ReplyEvents } from '../schema/reply-event.ts'
import { asInputError } from './errors.ts'
import { answerEvent, type EventParts } from './event-answer.ts'
import type { CompiledSelection, RenderedBatch, SelectionCompiler } from './event-renderer.ts'

/** The target of the events of a subscription. */
export interface EventOutput {
  /** Outputs with the same framing make the same frames. */
  readonly framing: object
  /** Makes a frame of a payload and its cursor. Undefined: the stream cannot be resumed after it. */
  frame(payload: string, cursor: Cursor | undefined): string
  /** Takes frames, and the cursor to resume after. Returns a promise if the next frames have to wait. */
  send(frames: string, last: Cursor | undefined): Promise<void> | undefined
}

/** An accepted subscription. Refusals come before it. */
export interface OpenSubscription {
  /** Whether the client has received all events already, so that the response is 204. */
  readonly past: boolean
  /** The cursor to resume after while nothing has been sent. Undefined: it begins at its beginning again. */
  readonly start: Cursor | undefined
  /** Sends the events in order until the end. @throws the reason of the signal when it aborts */
  follow(output: EventOutput, signal: AbortSignal): Promise<void>
}

export interface SubscriptionArgs extends ExecutionArgs {
  readonly contextValue: GraphContext
}

/** Small frames up to this many code units are passed on together. */
const maxJoinedLength = 16_384
/** The result for a text of this many code units or more takes turns with other work. */
const longText = 65_536

/** A reader whose frames have this many code units or more is catching up. */
const longPart = 8_192
/** Reading the next part of a log may take as long as writing this many bytes. */
const readUnits = 131_072
/** Beginning to read takes as long as writing this many bytes, and longer if a long text is read first. */
const beginUnits = 2_048

interface SubscriptionParts extends EventParts {
  readonly selection: CompiledSelection
}

/** Validates variables, subscribes, and compiles the selection. Returns the errors of a refusal. */
export async function openSubscription(
  args: SubscriptionArgs,
  {
    compile,
    ...options
  }: Pick<EventParts, 'present' | 'account' | 'cost'> & { readonly compile: SelectionCompiler },
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
    return new RunningSubscription(source.subscription, { ...parts, selection: compile(validated) })
  }
  if (source instanceof ProbeEvents) return openProbeProgress(source.run, parts)
  if (Symbol.asyncIterator in source) throw new TypeError('an unknown event stream')
  return (source.errors ?? []).map(options.present)
}

function openProbeProgress(run: ProbeRun, parts: EventParts): OpenSubscription {
  return {
    past: false,
    start: undefined,
    async follow(output, signal) {
      for await (const event of run.events(signal)) {
        const frame = (text: string) => output.frame(text, undefined)
        const asked = { event, rendered: undefined, frame }
        using answer = await answerEvent(parts, asked, async () => undefined, signal)
        await output.send(answer.frames, undefined)
      }
    },
  }
}

/** There are thousands of these, mostly idle, so it holds no closures and nothing that can be derived from the request. */
class RunningSubscription implements OpenSubscription {
  readonly #subscription: ReplySubscription
  readonly #parts: SubscriptionParts
  #replyId: ReplyId | undefined
  #globalId = ''
  #hasBegun = false
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

  follow(output: EventOutput, signal: AbortSignal): Promise<void> {
    return this.#subscription.follow((batch) => {
      signal.throwIfAborted()
      const turn = this.#hasBegun ? undefined : this.#begin(batch)
      if (!turn) return this.#take(batch, output, signal)
      return turn.then(() => {
        signal.throwIfAborted()
        return this.#take(batch, output, signal)
      })
    }, signal)
  }

  /** Many subscriptions may start at once, each with much to read: those that have little do not wait for the others. */
  #begin(batch: readonly LogItem[]): Promise<void> | undefined {
    this.#hasBegun = true
    let units = beginUnits
    for (const { event } of batch) units += 'text' in event ? event.text.length : 0
    return this.#turns().take(units)
  }

  /** Sends the frames of a batch in order. Returns no promise while all are deltas and the reader keeps up. */
  #take(
    batch: readonly LogItem[],
    output: EventOutput,
    signal: AbortSignal,
  ): Promise<void> | undefined {
    const rendered = this.#renderDeltas(batch, output)
    if (!rendered) return this.#takeEach(batch, output, signal)
    const { frames, cursors } = rendered
    const sent = output.send(frames, cursors.at(-1))
    // The last part while catching up is short, and the final event with the whole text follows it.
    const wasBehind = this.#isBehind
    this.#isBehind = frames.length >= longPart
    return wasBehind || this.#isBehind ? this.#waitForTurn(sent) : sent
  }

  /** Returns undefined if not all events are deltas that can be rendered. */
  #renderDeltas(batch: readonly LogItem[], output: EventOutput): RenderedBatch | undefined {
    const { selection } = this.#parts
    const last = selection.lastBatch
    if (last && last.framing === output.framing && this.#isSame(batch, last)) return last
    const cursors: Cursor[] = []
    let frames = ''
    for (const item of batch) {
      const { event } = item
      if (event.type !== 'delta') return undefined
      const cursor = this.#subscription.cursor(item)
      const payload = this.#render(event, cursor)
      if (payload === undefined) return undefined
      frames += output.frame(payload, cursor)
      cursors.push(cursor)
    }
    selection.lastBatch = { items: batch, framing: output.framing, cursors, frames }
    return selection.lastBatch
  }

  /** Whether another reader of the session was just sent the same events from the same position. */
  #isSame(batch: readonly LogItem[], { items }: RenderedBatch): boolean {
    return (
      batch.length === items.length &&
      batch.every(({ event, position }, index) => {
        const other = items[index]
        return event === other?.event && position === other.position
      })
    )
  }

  #render(event: ReplyEvent, cursor: Cursor): string | undefined {
    if (event.replyId !== this.#replyId) {
      this.#replyId = event.replyId
      this.#globalId = encodeGlobal('Reply', event.replyId)
    }
    return this.#parts.selection.render(event, cursor, this.#globalId)
  }

  /**
   * A reader that catches up reads a long part of the log next, or a final event with the whole text, so readers take
   * turns.
   */
  async #waitForTurn(sent: Promise<void> | undefined): Promise<void> {
    await sent
    await this.#turns().take(readUnits)
  }

  #turns(): Turns {
    const { account, contextValue } = this.#parts
    return account.turns.of(contextValue.store.session.id)
  }

  async #takeEach(
    batch: readonly LogItem[],
    output: EventOutput,
    signal: AbortSignal,
  ): Promise<void> {
    // The batch has events other than deltas. No text of the reply is kept here.
    this.#parts.selection.lastBatch = undefined
    let frames = ''
    let last: Cursor | undefined
    const flush = async () => {
      if (frames !== '') await output.send(frames, last)
      frames = ''
    }
    for (const item of batch) {
      const { event } = item
      const cursor = this.#subscription.cursor(item)
      const rendered = isLong(event) ? undefined : this.#render(event, cursor)
      if (event.type === 'delta' && rendered !== undefined) frames += output.frame(rendered, cursor)
      else {
        const frame = (text: string) => output.frame(text, cursor)
        const asked = { event: { ...event, cursor }, rendered, frame }
        using answer = await answerEvent(this.#parts, asked, flush, signal)
        frames += answer.frames
        last = cursor
        // The bytes still count as held here.
        if (frames.length > maxJoinedLength) await flush()
      }
      last = cursor
      if (frames.length > maxJoinedLength) await flush()
    }
    await flush()
  }
}

/** Whether the result for an event is so long that others would have to wait. */
function isLong(event: ReplyEvent): boolean {
  switch (event.type) {
    case 'completed':
      return event.text.length > longText
    case 'action-required':
      return event.toolCalls.some((call) => (call.arguments?.length ?? 0) > longText)
    case 'started':
    case 'delta':
    case 'failed':
    case 'cancelled':
      return false
  }
}
