import { AnswerBudget } from '../../../src/graphql/execution/answer-budget.ts'
import { createTurns } from '../../../src/lib/turns.ts'

/** For tests that execute the schema themselves: an answer as large as it comes. */
export function openBudget(options: { readonly maxBytes?: number } = {}): AnswerBudget {
  return new AnswerBudget({
    maxBytes: Number.MAX_SAFE_INTEGER,
    turns: createTurns(Number.MAX_SAFE_INTEGER),
    held: { add: () => undefined },
    ...options,
  })
}
