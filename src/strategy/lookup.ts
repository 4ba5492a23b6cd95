import type { CozeMessage } from '../coze/conversations.ts'
import { CozeError } from '../coze/errors.ts'
import type { ReplyId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { replyKey } from './keys.ts'

/** The platform asks for at least this pause between two looks (coze-api.md §6). */
const pauseMs = 1000

/**
 * Looks until `look` has an answer, at most `forMs`; undefined if it never had one. A look that failed for a passing
 * reason is made again, one that failed because there is nothing to see ends it.
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
      if (error.kind === 'conversation-gone') return undefined
      if (!passing.has(error.kind)) throw error
    }
    if (clock.monotonic() + pauseMs > giveUpAt) return undefined
    await clock.sleep(pauseMs, signal)
  }
}

const passing: ReadonlySet<string> = new Set(['unavailable', 'rate-limited', 'server', 'timeout'])

/** The upstream's id of our run, if the user's message is there that carries our reply's id. */
export function findChatId(rows: readonly CozeMessage[], replyId: ReplyId): string | undefined {
  return rows.find((row) => row.role === 'user' && row.metaData[replyKey] === replyId)?.chatId
}
