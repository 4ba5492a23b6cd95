import type { ConversationId } from '../domain.ts'
import { BadUserInputError } from '../errors.ts'
import type { UpstreamMessage } from '../reply/session-conversations.ts'
import type { GraphContext } from './context.ts'

/** Rows of one reading. */
const rowsPerCall = 50
/** Readings of the platform's list for one page, and for one request: not one for each of a hundred conversations. */
const maxCallsPerPage = 4
const maxCallsPerRequest = 8

/** Messages of a conversation that only the platform still has. Bounds are places; the answers are oldest first. */
export interface OlderMessages {
  /** The last `limit` before a place, or of all; none at or before `after`. */
  before(
    place: string | undefined,
    options: { readonly limit: number; readonly after: string | undefined },
  ): Promise<{ readonly rows: readonly UpstreamMessage[]; readonly hasMore: boolean }>
  /** All after a place, up to another or the newest. @throws {@link BadUserInputError} for one that lies too far back */
  after(place: string, before: string | undefined): Promise<readonly UpstreamMessage[]>
}

const callsOf = new WeakMap<GraphContext, number>()

export function createOlderMessages(id: ConversationId, context: GraphContext): OlderMessages {
  let callsLeft = maxCallsPerPage

  return {
    async before(place, { limit, after }) {
      const found: UpstreamMessage[] = []
      for (let at = place; ;) {
        const { rows, hasMore } = await read(at, Math.min(rowsPerCall, limit - found.length))
        const end = rows.findIndex((row) => row.place === after)
        found.push(...(end < 0 ? rows : rows.slice(0, end)))
        at = rows.at(-1)?.place
        const isOver = !hasMore || at === undefined || found.length >= limit
        if (end >= 0 || isOver) return { rows: found.toReversed(), hasMore: hasMore || end >= 0 }
      }
    },
    async after(place, before) {
      const found: UpstreamMessage[] = []
      for (let at = before; ;) {
        const { rows, hasMore } = await read(at, rowsPerCall)
        const end = rows.findIndex((row) => row.place === place)
        found.push(...(end < 0 ? rows : rows.slice(0, end)))
        if (end >= 0) return found.toReversed()
        at = rows.at(-1)?.place
        if (!hasMore || at === undefined) throw new BadUserInputError('"after" is gone.')
      }
    },
  }

  /** Newest first. */
  async function read(before: string | undefined, limit: number) {
    const calls = callsOf.get(context) ?? 0
    if (callsLeft === 0 || calls === maxCallsPerRequest) {
      throw new BadUserInputError('This lies too far back to be listed.')
    }
    callsLeft -= 1
    callsOf.set(context, calls + 1)
    return await context.conversations.older(id, { before, limit })
  }
}
