import type { CozeMessage } from '../coze/conversations.ts'
import { CozeError } from '../coze/errors.ts'
import { type ChatIds, isFinishNote } from '../coze/events.ts'
import type { ReplyId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { compareDecimals, isDecimal } from '../lib/decimal.ts'
import { replyKey } from '../domain/keying.ts'
import { isOurAnswer, retell } from './run-events.ts'
import type { RunEvent } from './strategy.ts'

/** The platform asks for at least this pause between two looks (docs/coze-platform.md#bot-chat). */
const pauseMs = 1000

/**
 * Looks until `look` has an answer, at most `forMs`; undefined if it never had one. A look that failed for a passing
 * reason is made again; one that failed for another reason, or that cannot be read, tells nothing and ends it.
 */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  options: { readonly clock: Clock; readonly forMs: number },
  signal: AbortSignal,
): Promise<T | undefined> {
  const { clock, forMs } = options
  const giveUpAt = clock.monotonic() + forMs
  for (;;) {
    try {
      const answer = await look()
      if (answer !== undefined) return answer
    } catch (error) {
      if (!(error instanceof CozeError)) throw error
      if (!passing.has(error.kind)) return undefined
    }
    if (clock.monotonic() + pauseMs > giveUpAt) return undefined
    await clock.sleep(pauseMs, signal)
  }
}

const passing: ReadonlySet<string> = new Set([
  'unavailable',
  'rate-limited',
  'server',
  'timeout',
  'truncated',
])

/**
 * The upstream's id of our run, if a message is there that carries our reply's id: the user's own, and on Studio every
 * message of the run.
 */
export function findChatId(rows: readonly CozeMessage[], replyId: ReplyId): string | undefined {
  return rows.find((row) => row.chatId !== undefined && row.metaData[replyKey] === replyId)?.chatId
}

/** The state of a run, by a list of messages, when readers hold a part of its answer. */
export interface ListedAnswer {
  /** The run as its stream would have told it, with `end` as its end. */
  readonly events: readonly RunEvent[]
  /** The list holds an answer of the run. */
  readonly hasAnswer: boolean
  /** It tells what is of another conversation: whatever else is missing, that is for the guard to judge. */
  readonly strays: boolean
  /** The listed answer begins with what was shown. */
  readonly extendsShown: boolean
  /** The list holds the platform's note that the answer is whole, and a text for what was shown, if only to correct it. */
  readonly isFinished: boolean
}

export function readListedAnswer(
  ids: ChatIds,
  listed: readonly CozeMessage[],
  end: Parameters<typeof retell>[2],
  shown: string,
): ListedAnswer {
  const rows = inOrder(ids, listed)
  const events = retell(ids, rows, end)
  const ours = rows.filter(({ chatId }) => chatId === ids.chatId)
  const texts = events.flatMap((event) =>
    event.type === 'message' && event.text !== '' ? [event.text.toWellFormed()] : [],
  )
  return {
    events,
    hasAnswer: ours.some(isOurAnswer),
    strays: events.some(({ conversationId }) => conversationId !== ids.conversationId),
    extendsShown: texts.join('\n\n').startsWith(shown),
    isFinished:
      (texts.length > 0 || shown === '') &&
      ours.some(({ type, text }) => type === 'verbose' && isFinishNote(text)),
  }
}

/**
 * The rows of a run from its question on, as they came: a list is in no order that can be relied on, while ids are decimal
 * numbers that rise. What is older than the question was sent along with it, whatever it is stored as. Where ids are no
 * numbers, the list is taken as it is.
 */
function inOrder({ chatId }: ChatIds, listed: readonly CozeMessage[]): readonly CozeMessage[] {
  if (!listed.every(({ id }) => isDecimal(id))) return listed
  const rows = listed.toSorted((a, b) => compareDecimals(a.id, b.id))
  const asked = rows.findLastIndex(
    (row) => row.chatId === chatId && row.role === 'user' && row.type === 'question',
  )
  return rows.filter((row, index) => row.chatId !== chatId || index >= asked)
}
