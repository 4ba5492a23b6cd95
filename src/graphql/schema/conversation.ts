import type { ConversationId, Message, MessageId } from '../../domain.ts'
import { NotFoundError } from '../../errors.ts'
import type { Page, PageRequest } from '../../store/session-store.ts'
import { builder } from './builder.ts'
import type { GraphContext } from '../context.ts'
import { decodeId } from '../global-id.ts'
import {
  AssistantNode,
  ConversationNode,
  lengthOf,
  MessageNode,
  orNull,
  rowsPerRead,
} from './nodes.ts'
import { connection, pageRequest } from './page.ts'

const MessageConnection = builder.connectionObject(
  { type: MessageNode, name: 'MessageConnection', description: 'Messages, oldest first.' },
  { name: 'MessageEdge', description: 'A message and its place.' },
)

const ConversationConnection = builder.connectionObject(
  {
    type: ConversationNode,
    name: 'ConversationConnection',
    description: 'Conversations, most recently used first.',
  },
  { name: 'ConversationEdge', description: 'A conversation and its place.' },
)

ConversationNode.implement({
  description: 'One line of talk with an assistant.',
  fields: (t) => ({
    title: t.exposeString('title', {
      nullable: true,
      description:
        'As it was set, else the beginning of its first message; null while there is neither, and once retention has deleted it.',
    }),
    assistant: t.field({
      description: 'Who answers here; null once it is no longer configured.',
      type: AssistantNode,
      nullable: true,
      resolve: ({ assistantId }, _args, { assistants }) =>
        assistants.find(({ id }) => id === assistantId) ?? null,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was begun.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      description: 'When its last message was accepted.',
    }),
    messages: t.connection(
      {
        description: 'Its messages, oldest first, as long as they are kept here.',
        type: MessageNode,
        resolve: async ({ id }, args, context) =>
          connection(await readMessages(id, pageRequest(args), context)),
      },
      MessageConnection,
    ),
  }),
})

builder.queryFields((t) => ({
  conversations: t.connection(
    {
      description: 'The conversations of the session, most recently used first.',
      type: ConversationNode,
      resolve: async (_root, args, { store }) =>
        connection(await store.conversationPage(pageRequest(args))),
    },
    ConversationConnection,
  ),
  conversation: t.field({
    description: 'The conversation that this id names, if the session has it.',
    type: ConversationNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'The id of a conversation.' }) },
    resolve: (_root, args, context) => {
      const id = decodeId('Conversation', args.id)
      return id ? orNull(ConversationNode.getDataloader(context).load(id)) : null
    },
  }),
}))

/** A few rows at a time: an answer may have megabytes. Undefined: a bounding row is not there. */
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
        hasPreviousPage: isForward ? first.hasPreviousPage : part.hasPreviousPage,
        hasNextPage: isForward ? part.hasNextPage : first.hasNextPage,
      }
    }
  }
}

/** What a `conversationId` argument names. @throws {@link NotFoundError} for what is no id of a conversation */
export function getConversationId(argument: string) {
  const id = decodeId('Conversation', argument)
  if (!id) throw new NotFoundError('There is no such conversation.')
  return id
}
