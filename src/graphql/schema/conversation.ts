import type { ConversationId, Message, MessageId } from '../../domain.ts'
import { NotFoundError } from '../../errors.ts'
import type { Page, PageRequest } from '../../store/session-store.ts'
import { builder } from './builder.ts'
import type { GraphContext } from '../context.ts'
import { costs } from '../cost.ts'
import { decodeId } from '../global-id.ts'
import {
  AssistantNode,
  ConversationNode,
  lengthOf,
  MessageNode,
  orNull,
  ReplyNode,
  rowsPerRead,
} from './nodes.ts'
import { connection, pageRequest } from './page.ts'

const MessageConnection = builder.connectionObject(
  {
    type: MessageNode,
    name: 'MessageConnection',
    description: 'A page of messages, oldest first.',
  },
  { name: 'MessageEdge', description: 'A message and its cursor.' },
)

const ConversationConnection = builder.connectionObject(
  {
    type: ConversationNode,
    name: 'ConversationConnection',
    description: 'A page of conversations, most recently used first.',
  },
  { name: 'ConversationEdge', description: 'A conversation and its cursor.' },
)

ConversationNode.implement({
  description: "A line of talk between the caller's session and one assistant.",
  fields: (t) => ({
    title: t.exposeString('title', {
      nullable: true,
      description:
        'The title that was set or else the beginning of the first message, or null if there is neither or retention has deleted it.',
    }),
    assistant: t.field({
      description: 'The assistant that answers here, or null if it is no longer configured.',
      type: AssistantNode,
      nullable: true,
      resolve: ({ assistantId }, _args, { assistants }) =>
        assistants.find(({ id }) => id === assistantId) ?? null,
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'The instant at which the conversation was started.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      description: 'The instant at which the last message of the conversation was accepted.',
    }),
    messages: t.connection(
      {
        description: 'The messages of the conversation that are still kept, oldest first.',
        type: MessageNode,
        resolve: async ({ id }, args, context) =>
          connection(await readMessages(id, pageRequest(args), context)),
      },
      MessageConnection,
    ),
    openReplies: t.field({
      ...costs(20),
      description:
        'The replies of the conversation that are queued, running or waiting for tool outputs, in the order in which they run.',
      type: [ReplyNode],
      resolve: async ({ id }, _args, { store }) =>
        (await store.openReplies(id)).map((reply) => reply.id),
    }),
  }),
})

builder.queryFields((t) => ({
  conversations: t.connection(
    {
      description: "The conversations of the caller's session, most recently used first.",
      type: ConversationNode,
      resolve: async (_root, args, { store }) =>
        connection(await store.conversationPage(pageRequest(args))),
    },
    ConversationConnection,
  ),
  conversation: t.field({
    description: "The conversation with this id, or null if the caller's session has none.",
    type: ConversationNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'The id of a conversation.' }) },
    resolve: (_root, args, context) => {
      const id = decodeId('Conversation', args.id)
      return id ? orNull(ConversationNode.getDataloader(context).load(id)) : null
    },
  }),
}))

/** Reads a few rows at a time, since a result may have megabytes. Returns undefined if a bounding row does not exist. */
async function readMessages(
  id: ConversationId,
  page: PageRequest<MessageId>,
  { store, budget }: GraphContext,
): Promise<Page<Message> | undefined> {
  const isForward = page.direction === 'forward'
  let rows: readonly Message[] = []
  let first: Page<Message> | undefined
  for (;;) {
    const bound = isForward ? rows.at(-1)?.id : rows[0]?.id
    const part = await store.messagePage(id, {
      ...page,
      limit: Math.min(page.limit - rows.length, rowsPerRead),
      ...(bound !== undefined && (isForward ? { after: bound } : { before: bound })),
    })
    // The conversation was deleted meanwhile. The rows that were read are returned.
    if (!part) return first && { ...first, rows }
    first ??= part
    rows = isForward ? [...rows, ...part.rows] : [...part.rows, ...rows]
    const turn = budget.read(lengthOf(part.rows))
    if (turn) await turn
    const hasMore = isForward ? part.hasNextPage : part.hasPreviousPage
    // Beyond a bound there is always at least the bound itself.
    if (rows.length >= page.limit || part.rows.length === 0 || !hasMore) {
      return {
        rows,
        hasPreviousPage: isForward ? first.hasPreviousPage : part.hasPreviousPage,
        hasNextPage: isForward ? part.hasNextPage : first.hasNextPage,
      }
    }
  }
}

/**
 * The id that a `conversationId` argument contains. @throws {@link NotFoundError} for text that is not the id of a
 * conversation
 */
export function getConversationId(argument: string) {
  const id = decodeId('Conversation', argument)
  if (!id) throw new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
  return id
}
