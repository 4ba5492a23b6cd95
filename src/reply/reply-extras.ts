import { Buffer } from 'node:buffer'
import type { OmittedContent, Question, ToolCall } from '../domain.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import { runFailures } from './failures.ts'

/** Suggestions beyond these (their count, their length in UTF-16 code units) are left out. */
const maxFollowUps = 20
const maxFollowUpLength = 1_000
/** Options or fields of a question, or tool calls that a run waits for: nobody could answer more. */
const maxAsked = 200

/**
 * What a run says beside its texts, kept until its end, and the size of all that the reply holds and writes: texts with
 * their corrections, ids of messages and tool calls, suggestions, questions and arguments, in bytes of UTF-8 against one
 * limit. Whatever charges throws {@link RunFailedError} `LIMIT` beyond it, and `UPSTREAM_TOO_LARGE` where the run asks for
 * more than anybody could answer.
 */
export interface ReplyExtras {
  readonly charge: (text: string) => void
  readonly isTooLarge: boolean
  keepFollowUp(text: string): void
  keepQuestion(question: Question): void
  /** Forgets the question, since it was answered. */
  dropQuestion(): void
  keepOmitted(content: OmittedContent): void
  /** The assistant used a tool of its own. */
  noteToolOutput(): void
  /** Charges the calls, and returns them with no half of a character. */
  takeToolCalls(calls: readonly ToolCall[]): readonly ToolCall[]
  readonly followUps: readonly string[]
  readonly question: Question | undefined
  omittedBeside(answer: { readonly text: string }): readonly OmittedContent[]
}

/** `held`: the texts that a recovered reply holds already. */
export function createReplyExtras(maxBytes: number, held: readonly string[]): ReplyExtras {
  let bytes = 0
  for (const text of held) bytes += Buffer.byteLength(text)
  const followUps = new Set<string>()
  const omitted = new Set<OmittedContent>()
  let usedTools = false
  let question: Question | undefined

  function charge(text: string): void {
    bytes += Buffer.byteLength(text)
    if (bytes > maxBytes) throw failed(runFailures.overLimit)
  }

  return {
    charge,
    get isTooLarge() {
      return bytes > maxBytes
    },
    keepFollowUp(told) {
      const text = told.toWellFormed()
      if (followUps.size >= maxFollowUps || text.length > maxFollowUpLength) return
      if (followUps.has(text)) return
      charge(text)
      followUps.add(text)
    },
    keepQuestion(asked) {
      const { options, fields } = asked
      question = wellFormed(asked)
      if (options.length > maxAsked || fields.length > maxAsked) throw failed(runFailures.tooLarge)
      charge(question.text)
      for (const option of question.options) charge(option)
      for (const { name, type } of question.fields) charge(name + type)
    },
    dropQuestion: () => void (question = undefined),
    keepOmitted: (content) => void omitted.add(content),
    noteToolOutput: () => void (usedTools = true),
    takeToolCalls(calls) {
      if (calls.length > maxAsked) throw failed(runFailures.tooLarge)
      for (const { id, name, arguments: given } of calls) charge(id + (name ?? '') + (given ?? ''))
      return wellFormedCalls(calls)
    },
    get followUps() {
      return [...followUps]
    },
    get question() {
      return question
    },
    omittedBeside(answer) {
      // The outputs of tools are the assistant's own, but a reply that says nothing else is not an empty one.
      const isSilent = usedTools && question === undefined && answer.text === ''
      return isSilent ? [...new Set(omitted).add('OTHER')] : [...omitted]
    },
  }
}

function failed(failure: (typeof runFailures)['overLimit']): RunFailedError {
  return new RunFailedError(failure, { outcome: 'unseen' })
}

/** No half of a character may reach a reader: it has no place in UTF-8. */
function wellFormed({ text, options, fields }: Question): Question {
  return {
    text: text.toWellFormed(),
    options: options.map((option) => option.toWellFormed()),
    fields: fields.map(({ name, type, required }) => ({
      name: name.toWellFormed(),
      type: type.toWellFormed(),
      required,
    })),
  }
}

/** As {@link wellFormed}, of tool calls. */
export function wellFormedCalls(calls: readonly ToolCall[]): readonly ToolCall[] {
  return calls.map(({ id, kind, name, arguments: text }) => {
    return { id, kind, name: name && name.toWellFormed(), arguments: text && text.toWellFormed() }
  })
}
