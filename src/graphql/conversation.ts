import { builder } from './builder.ts'
import { decodeId } from './global-id.ts'
import { AssistantNode, ConversationNode, MessageNode, orNull } from './nodes.ts'
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
        description: 'Its messages, oldest first.',
        type: MessageNode,
        resolve: async ({ id }, args, { store }) =>
          connection(await store.messagePage(id, pageRequest(args))),
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
