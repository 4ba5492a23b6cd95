import { executeSubscriptionEvent, validateSubscriptionArgs, type ExecutionArgs } from 'graphql'
import type { SessionId } from '../../domain.ts'
import { RateLimitedError, UnavailableError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { encodeJson } from '../../lib/json-text.ts'
import type { OneAtATime } from '../../lib/one-at-a-time.ts'
import type { SharedTurns } from '../../lib/turns.ts'
import type { GraphContext } from '../context.ts'
import { answerTooLarge, type AnswerBudget } from './answer-budget.ts'
import { gatewayErrorOf, type PresentError } from './errors.ts'

/** Charges the execution of events to sessions and counts the bytes of their results. All subscriptions share it. */
export interface EventAccount {
  readonly turns: SharedTurns
  /**
   * The events of a session are executed one after another, so that one is paid before the next begins. Hundreds at once
   * would each find the budget that none of them has spent yet.
   */
  readonly executions: OneAtATime<SessionId>
  /** The most bytes of the result for one event. */
  readonly maxBytes: number
  readonly clock: Clock
  begin(session: SessionId): {
    readonly budget: AnswerBudget
    readonly held: Disposable & { keep(bytes: number): void }
  }
  /** @throws {@link RateLimitedError} when less is left of the session's budget. */
  take(session: SessionId, points: number): void
  charge(session: SessionId, points: number): void
}

/** The parts that are needed to execute one event. */
export interface EventParts {
  readonly args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'variableValues'>
  readonly contextValue: Omit<GraphContext, 'budget'>
  readonly present: PresentError
  readonly account: EventAccount
  /** The points of executing it once. */
  readonly cost: number
}

/** A result up to this many bytes is written at once. */
const maxPlainBytes = 16_384

/** An event to send to a subscriber. */
interface AskedEvent {
  /** The value that the selection is executed on. */
  readonly event: unknown
  /** The result, if it is known without executing. */
  readonly rendered: string | undefined
  frame(payload: string): string
}

/** The result for one event. Dispose it when it has been passed on. */
interface EventAnswer extends Disposable {
  readonly frames: string
}

/**
 * Makes the result for one event and charges it to the session. It uses the rendered result if there is one, else it executes
 * the selection. If the session has spent its budget, or its results hold too many bytes, the event waits. No event is lost.
 * @param flush called before waiting
 */
export async function answerEvent(
  parts: EventParts,
  asked: AskedEvent,
  flush: () => Promise<void>,
  signal: AbortSignal,
): Promise<EventAnswer> {
  const answer = () => answerInBudget(parts, asked, flush, signal)
  if (asked.rendered !== undefined) return await answer()
  const { executions } = parts.account
  const { id } = parts.contextValue.store.session
  if (executions.isBusy(id)) await flush()
  return await executions.run(id, answer, signal)
}

async function answerInBudget(
  parts: EventParts,
  asked: AskedEvent,
  flush: () => Promise<void>,
  signal: AbortSignal,
): Promise<EventAnswer> {
  const { account, cost, contextValue } = parts
  const { id } = contextValue.store.session
  for (;;) {
    try {
      account.take(id, cost)
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

/** Reading is charged even if there is no room for the result, because the event is read again later. */
async function payEvent(
  parts: EventParts,
  { event, rendered }: AskedEvent,
  budget: AnswerBudget,
): Promise<string> {
  try {
    if (rendered !== undefined) return countOnce(parts, rendered, budget)
    return await executeOnce(parts, event, budget)
  } finally {
    parts.account.charge(parts.contextValue.store.session.id, budget.points)
  }
}

/** @throws {@link RateLimitedError} {@link UnavailableError} when there is no room for the result now. */
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
    // Loaders live as long as their context, so each event loads its data afresh.
    contextValue: { ...contextValue, budget },
  })
  const refused = refusalOf(budget, present)
  if (refused !== undefined) return refused
  if (errors) return JSON.stringify({ errors: errors.map(present), ...rest })
  const { maxBytes } = account
  // An escaped character has at most six bytes.
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

/** Returns undefined if the result is within its budget. @throws an error that can pass by itself */
function refusalOf({ failure }: AnswerBudget, present: PresentError): string | undefined {
  if (!failure) return undefined
  const cause = gatewayErrorOf(failure)
  if (cause?.retryable) throw cause
  return refusal(failure, present)
}

function refusal(error: Error, present: PresentError): string {
  return JSON.stringify({ errors: [present(error)], data: null })
}
