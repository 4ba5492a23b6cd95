import type {
  AssistantInfo,
  AttachmentId,
  ConversationId,
  MessageId,
  ReplyId,
} from '../../domain.ts'
import { GatewayError, NotFoundError } from '../../errors.ts'
import type { AnswerBudget } from '../execution/answer-budget.ts'
import { builder } from './builder.ts'

/**
 * References of the types that refer to each other. Each type is implemented in its own file. A loader makes one store
 * call for
 * all ids of a tick, and lives as long as its context: one request, or one event of a subscription.
 */
export const ConversationNode = builder.loadableNodeRef('Conversation', {
  load: async (ids: ConversationId[], { store }) => (await store.conversations(ids)).map(found),
  id: { resolve: (conversation) => conversation.id },
})

export const MessageNode = builder.loadableNodeRef('Message', {
  load: async (ids: MessageId[], { store, budget }) =>
    (await readInParts(ids, (some) => store.messages(some), budget)).map(found),
  id: { resolve: (message) => message.id },
})

export const ReplyNode = builder.loadableNodeRef('Reply', {
  load: async (ids: ReplyId[], { store, budget }) =>
    (await readInParts(ids, (some) => store.replies(some), budget)).map(found),
  id: { resolve: (reply) => reply.id },
})

export const AttachmentNode = builder.loadableNodeRef('Attachment', {
  load: async (ids: AttachmentId[], { store }) => (await store.attachments(ids)).map(found),
  id: { resolve: (attachment) => attachment.id },
})

export const AssistantNode = builder.objectRef<AssistantInfo>('Assistant')

/** The rows that are read at once, if their texts are short. */
export const rowsPerRead = 8

/** Reads a few rows at a time, and counts each part in the budget of the result before it reads the next one. */
async function readInParts<Id, Row extends WithText>(
  ids: readonly Id[],
  read: (ids: readonly Id[]) => Promise<readonly (Row | undefined)[]>,
  budget: AnswerBudget,
): Promise<readonly (Row | undefined)[]> {
  const rows: (Row | undefined)[] = []
  while (rows.length < ids.length) {
    const some = await read(ids.slice(rows.length, rows.length + rowsPerRead))
    rows.push(...some)
    const turn = budget.read(lengthOf(some))
    if (turn) await turn
  }
  return rows
}

interface WithText {
  readonly text: string
  readonly reasoning?: string
}

/** The code units of the texts of rows. */
export function lengthOf(rows: readonly (WithText | undefined)[]): number {
  let length = 0
  for (const row of rows) length += (row?.text.length ?? 0) + (row?.reasoning?.length ?? 0)
  return length
}

/** Returns null instead of NOT_FOUND. */
export async function orNull<Row>(loading: Promise<Row>): Promise<Row | null> {
  try {
    return await loading
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'NOT_FOUND') return null
    throw error
  }
}

function found<Row>(row: Row | undefined): Row | NotFoundError {
  return row ?? new NotFoundError('Not found.')
}
