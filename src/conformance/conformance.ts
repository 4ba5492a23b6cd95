import type { Rule } from './rule.ts'
import { endingRules } from './rules/endings.ts'
import { eventRules } from './rules/events.ts'
import { refusalRules } from './rules/refusals.ts'
import { resumeRules } from './rules/resuming.ts'
import { sendingRules } from './rules/sending.ts'
import { streamRules } from './rules/streams.ts'
import { createSubject, type SubjectOptions } from './subject.ts'

/** The sentences of docs/protocol.md, in its order. */
export const rules: readonly Rule[] = [
  ...streamRules,
  ...eventRules,
  ...resumeRules,
  ...endingRules,
  ...sendingRules,
  ...refusalRules,
]

export interface RuleResult {
  readonly rule: Rule
  readonly outcome: 'HOLDS' | 'VIOLATED' | 'NOT_TESTED'
  /** What was seen instead, or what is needed. */
  readonly reason: string | undefined
}

/** A rule that is not decided by then is violated, in ms. */
const ruleLimitMs = 180_000

/**
 * Examines a running gateway, rule by rule. The credential that expires is used first, and what makes the gateway drain comes
 * last.
 */
export async function* examine(
  wanted: readonly Rule[],
  options: SubjectOptions,
  signal: AbortSignal,
): AsyncGenerator<RuleResult, void, undefined> {
  const subject = createSubject(options, signal)
  const turn = ({ needs }: Rule) =>
    ['expiringToken', 'otherToken', undefined, 'drain'].indexOf(needs)
  for (const rule of wanted.toSorted((a, b) => turn(a) - turn(b))) {
    const { needs } = rule
    if (needs !== undefined && subject[needs] === undefined) {
      yield { rule, outcome: 'NOT_TESTED', reason: optionOf[needs] }
      continue
    }
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ruleLimitMs)])
    try {
      await rule.check({ ...subject, signal: limit })
      yield { rule, outcome: 'HOLDS', reason: undefined }
    } catch (error) {
      signal.throwIfAborted()
      const seen = limit.aborted ? `not decided in ${ruleLimitMs} ms` : String(error)
      yield { rule, outcome: 'VIOLATED', reason: seen.replace(/^Violation: /, '') }
    }
  }
}

const optionOf = {
  otherToken: '--other-token-file',
  expiringToken: '--expiring-token-file',
  drain: '--drain-command',
} as const
