import { Buffer } from 'node:buffer'
import type { Question, ReplyFailure, ToolCall } from '../domain.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import { runFailures } from './run-failures.ts'

/** Options or fields of a question, or tool calls that a run waits for: nobody could answer more. */
const maxAsked = 200

/**
 * Counts all that one reply holds and writes against one limit, in bytes of UTF-8: its texts with their corrections, ids
 * of messages and tool calls, suggestions, questions and arguments. Each method throws {@link RunFailedError}.
 */
export interface ReplySize {
  /** `LIMIT`: the reply is too large with this text. */
  readonly charge: (text: string) => void
  /** `UPSTREAM_TOO_LARGE` where it asks for more than anybody could answer. */
  chargeQuestion(question: Question): void
  /** As a question. */
  chargeToolCalls(calls: readonly ToolCall[]): void
  readonly isExceeded: boolean
}

/** `held`: the texts that a recovered reply holds already. */
export function createReplySize(maxBytes: number, held: readonly string[]): ReplySize {
  let bytes = 0
  for (const text of held) bytes += Buffer.byteLength(text)

  function charge(text: string): void {
    bytes += Buffer.byteLength(text)
    if (bytes > maxBytes) throw failed(runFailures.overLimit)
  }

  return {
    charge,
    chargeQuestion({ text, options, fields }) {
      if (options.length > maxAsked || fields.length > maxAsked) throw failed(runFailures.tooLarge)
      charge(text)
      for (const option of options) charge(option)
      for (const { name, type } of fields) charge(name + type)
    },
    chargeToolCalls(calls) {
      if (calls.length > maxAsked) throw failed(runFailures.tooLarge)
      for (const { id, name, arguments: given } of calls) charge(id + (name ?? '') + (given ?? ''))
    },
    get isExceeded() {
      return bytes > maxBytes
    },
  }
}

function failed(failure: ReplyFailure): RunFailedError {
  return new RunFailedError(failure, { outcome: 'unseen' })
}
