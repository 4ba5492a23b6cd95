import type { ConversationId, Message, MessageId } from '../domain.ts'
import { BadUserInputError, GatewayError } from '../errors.ts'
import type { UpstreamMessage } from '../reply/session-conversations.ts'
import type { MessagePage, Page, PageRequest } from '../store/ledger.ts'
import type { GraphContext } from './context.ts'
import { lengthOf, rowsPerRead, type ShownMessage } from './nodes.ts'
import { createOlderMessages, type OlderMessages } from './older-messages.ts'

/**
 * A page of a conversation's messages, oldest first: our own record, and before it, where that is trimmed, what the
 * platform still has, whose list can be read backwards only.
 *
 *     u.1 … u.9 (platform) │ a b c d (own record)
 *
 * Undefined: a bounding row is not in this conversation.
 */
export async function findMessages(
  id: ConversationId,
  page: PageRequest<MessageId>,
  context: GraphContext,
): Promise<Page<ShownMessage> | undefined> {
  const older = createOlderMessages(id, context)
  const find = page.direction === 'forward' ? findForward : findBackward
  try {
    return await find(page, (own) => readOwnPage(id, own, context), older)
  } catch (error) {
    // The conversation is there, so it is the place that the platform's list does not have.
    if (error instanceof GatewayError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}

type ReadOwn = (page: PageRequest<MessageId>) => Promise<MessagePage | undefined>

/** Our own record, a few rows at a time: an answer may have megabytes. Undefined: a bounding row is not there. */
async function readOwnPage(
  id: ConversationId,
  page: PageRequest<MessageId>,
  { store, budget }: GraphContext,
): Promise<MessagePage | undefined> {
  const isForward = page.direction === 'forward'
  let rows: readonly Message[] = []
  let first: MessagePage | undefined
  for (;;) {
    const bound = isForward ? rows.at(-1)?.id : rows[0]?.id
    const part = await store.messagePage(id, {
      ...page,
      limit: Math.min(page.limit - rows.length, rowsPerRead),
      ...(bound !== undefined && (isForward ? { after: bound } : { before: bound })),
    })
    // Deleted while we read: what was read of it is what there was.
    if (!part) return first && { ...first, rows }
    first ??= part
    rows = isForward ? [...rows, ...part.rows] : [...part.rows, ...rows]
    const turn = budget.read(lengthOf(part.rows))
    if (turn) await turn
    const hasMore = isForward ? part.hasNextPage : part.hasPreviousPage
    // Before a bound there always is more: the bound itself.
    if (rows.length >= page.limit || part.rows.length === 0 || !hasMore) {
      return {
        rows,
        trimmed: part.trimmed,
        hasPreviousPage: isForward ? first.hasPreviousPage : part.hasPreviousPage,
        hasNextPage: isForward ? part.hasNextPage : first.hasNextPage,
      }
    }
  }
}

const between = { rows: [], hasPreviousPage: true, hasNextPage: true } as const

async function findBackward(
  { limit, after, before }: PageRequest<MessageId>,
  readOwn: ReadOwn,
  older: OlderMessages,
): Promise<Page<ShownMessage> | undefined> {
  const isFromOwn = after !== undefined && !isPlace(after)
  if (isPlace(before)) {
    if (isFromOwn) return between
    const { rows, hasMore } = await older.before(before, { limit, after })
    return { rows: rows.map(shown), hasPreviousPage: hasMore, hasNextPage: true }
  }

  const bounds = { after: isFromOwn ? after : undefined, before }
  const own = await readOwn({ direction: 'backward', limit, ...bounds })
  if (!own || isFromOwn || own.hasPreviousPage) return own
  // Where nothing is gone no place was ever given.
  if (!own.trimmed) return after === undefined ? own : undefined
  // Whether the platform has more is not worth a call before somebody asks for it; nor is our record worth less where
  // the platform cannot be asked.
  const missing = limit - own.rows.length
  const found =
    missing > 0 && (await unlessRefused(older.before(undefined, { limit: missing, after })))
  if (!found) return { ...own, hasPreviousPage: true }
  return {
    rows: [...found.rows.map(shown), ...own.rows],
    hasPreviousPage: found.hasMore,
    hasNextPage: own.hasNextPage,
  }
}

async function findForward(
  { limit, after, before }: PageRequest<MessageId>,
  readOwn: ReadOwn,
  older: OlderMessages,
): Promise<Page<ShownMessage> | undefined> {
  if (!isPlace(after)) {
    if (isPlace(before)) {
      if (after !== undefined) return between
      throw new BadUserInputError('Use "last" where our own record has ended.')
    }
    const own = await readOwn({ direction: 'forward', limit, after, before })
    return own && { ...own, hasPreviousPage: own.hasPreviousPage || own.trimmed }
  }

  const rows = await older.after(after, isPlace(before) ? before : undefined)
  if (isPlace(before) || rows.length > limit) {
    return { rows: rows.slice(0, limit).map(shown), hasPreviousPage: true, hasNextPage: true }
  }
  const missing = limit - rows.length
  const own = await readOwn({
    direction: 'forward',
    limit: Math.max(missing, 1),
    after: undefined,
    before,
  })
  if (!own) return undefined
  return {
    rows: [...rows.map(shown), ...own.rows.slice(0, missing)],
    hasPreviousPage: true,
    hasNextPage: own.hasNextPage || own.rows.length > missing,
  }
}

/** Our own ids have no dot (see {@link UpstreamMessage}). */
function isPlace(bound: MessageId | undefined): bound is MessageId {
  return bound?.startsWith('u.') ?? false
}

async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

/** Its id finds nothing: `node` answers null. */
function shown({ place, role, text, createdAt }: UpstreamMessage): ShownMessage {
  return { id: place, replyId: null, role, text, createdAt, attachmentIds: [], rating: null }
}
