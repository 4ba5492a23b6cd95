import { executeSubscriptionEvent, validateSubscriptionArgs, type ExecutionArgs } from 'graphql'
import type { SessionId } from '../../domain.ts'
import { RateLimitedError, UnavailableError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { encodeJson } from '../../lib/json-text.ts'
import type { SharedTurns } from '../../lib/turns.ts'
import type { GraphContext } from '../context.ts'
import { answerTooLarge, type AnswerBudget } from './answer-budget.ts'
import { gatewayErrorOf, type PresentError } from './errors.ts'

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
export interface EventParts {
  readonly args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>
  readonly contextValue: Omit<GraphContext, 'budget'>
  readonly present: PresentError
  readonly account: EventAccount
  /** Points of executing it once. */
  readonly cost: number
}

/** Bytes of an event's answer up to which it is written at once. */
const maxPlainBytes = 16_384

/** An event that a subscriber is to be told. */
interface AskedEvent {
  /** What the selection is executed for. */
  readonly event: unknown
  /** The answer, where it is known without that. */
  readonly rendered: string | undefined
  frame(payload: string): string
}

/** The answer to one event; disposed when it was handed on. */
interface EventAnswer extends Disposable {
  readonly frames: string
}

/**
 * Answers one event, at the cost of its session: by what was rendered of it, else by executing the selection. Where the
 * session has spent its budget, or its answers hold as much as they may, the event waits; none is left out.
 * @param flush called before it waits
 */
export async function answerEvent(
  parts: EventParts,
  asked: AskedEvent,
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
      const frames = asked.frame(await payEvent(parts, asked, budget))
      held.keep(frames.length)
      const owned = unsent.move()
      return { frames, [Symbol.dispose]: () => owned.dispose() }
    } catch (error) {
      if (!(error instanceof RateLimitedError || error instanceof UnavailableError)) throw error
      await flush()
      await account.clock.sleep(error.retryAfterMs, signal)
    }
  }
}

/** What was read is paid also where there is no room for the answer, or it would be read again and again for nothing. */
async function payEvent(
  parts: EventParts,
  { event, rendered }: AskedEvent,
  budget: AnswerBudget,
): Promise<string> {
  try {
    if (rendered !== undefined) return countOnce(parts, rendered, budget)
    return await executeOnce(parts, event, budget)
  } finally {
    await parts.account.charge(parts.contextValue.store.session.id, budget.points)
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
  const refused = refusalOf(budget, present)
  if (refused !== undefined) return refused
  if (errors) return JSON.stringify({ errors: errors.map(present), ...rest })
  const { maxBytes } = account
  // A character has six of them at most where it is escaped.
  if (budget.bytes <= maxPlainBytes && budget.bytes * 6 <= maxBytes) return JSON.stringify(rest)
  const turns = account.turns.of(contextValue.store.session.id)
  const text = await encodeJson(rest, { maxBytes, turns })
  return text ? text.pieces.join('') : refusal(answerTooLarge(maxBytes, 'subscription'), present)
}

/** @throws as {@link executeOnce} */
function countOnce({ present }: EventParts, rendered: string, budget: AnswerBudget): string {
  budget.countWhole(Buffer.byteLength(rendered))
  return refusalOf(budget, present) ?? rendered
}

/** Undefined: the answer is within its budget. @throws what passes by itself */
function refusalOf({ failure }: AnswerBudget, present: PresentError): string | undefined {
  if (!failure) return undefined
  const cause = gatewayErrorOf(failure)
  if (cause?.retryable) throw cause
  return refusal(failure, present)
}

function refusal(error: Error, present: PresentError): string {
  return JSON.stringify({ errors: [present(error)], data: null })
}
