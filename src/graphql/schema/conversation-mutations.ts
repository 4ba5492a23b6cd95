import type { Conversation } from '../../domain.ts'
import { ConversationBusyError, InvalidInputError, NotFoundError } from '../../errors.ts'
import type { UpstreamCleanup } from '../../session/remains.ts'
import { getAssistantId } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { getConversationId } from './conversation.ts'
import { ConversationNode } from './nodes.ts'
import { UpstreamCleanupType } from './upstream-cleanup.ts'

const StartConversationInput = builder.inputType('StartConversationInput', {
  description: 'With whom to begin a conversation.',
  fields: (t) => ({
    assistantId: t.id({
      description: 'The id or configured name of an assistant; default: the first configured.',
    }),
    title: t.string({
      description: 'Default: the beginning of its first message.',
    }),
  }),
})

const StartConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('StartConversationSuccess')
  .implement({
    description: 'The conversation is begun.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The new conversation, still empty.',
      }),
    }),
  })

builder.mutationField('startConversation', (t) =>
  t.field({
    ...costs(1_000),
    description: 'Begins an empty conversation.',
    type: StartConversationSuccess,
    args: {
      input: t.arg({ type: StartConversationInput, required: true, description: 'With whom.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError],
      union: { name: 'StartConversationResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input }, context) => ({
      conversation: await context.conversations.start({
        assistantId: getAssistantId(input.assistantId, context),
        title: input.title ?? undefined,
        idempotency: undefined,
      }),
    }),
  }),
)

const RenameConversationInput = builder.inputType('RenameConversationInput', {
  description: 'A conversation and its title.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'The id of the conversation.' }),
    title: t.string({
      description: 'Null: the beginning of its first message.',
    }),
  }),
})

const RenameConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('RenameConversationSuccess')
  .implement({
    description: 'The conversation has the title.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The conversation as it is now.',
      }),
    }),
  })

builder.mutationField('renameConversation', (t) =>
  t.field({
    ...costs(1_000),
    description: 'Gives a conversation a title.',
    type: RenameConversationSuccess,
    args: {
      input: t.arg({ type: RenameConversationInput, required: true, description: 'The title.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError],
      union: { name: 'RenameConversationResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input }, { conversations }) => ({
      conversation: await conversations.rename(
        getConversationId(input.conversationId),
        input.title ?? null,
      ),
    }),
  }),
)

const ClearConversationInput = builder.inputType('ClearConversationInput', {
  description: 'Which conversation shall forget.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'The id of the conversation.' }),
  }),
})

const ClearConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('ClearConversationSuccess')
  .implement({
    description: 'The assistant has forgotten what was said here.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The conversation, with its messages.',
      }),
    }),
  })

builder.mutationField('clearConversation', (t) =>
  t.field({
    ...costs(2_000),
    description:
      'Cancels what is open in a conversation, then has the assistant forget its context; its messages stay.',
    type: ClearConversationSuccess,
    args: {
      input: t.arg({ type: ClearConversationInput, required: true, description: 'Which.' }),
    },
    errors: {
      types: [NotFoundError, ConversationBusyError],
      union: { name: 'ClearConversationResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input }, { conversations }) => ({
      conversation: await conversations.clear(getConversationId(input.conversationId)),
    }),
  }),
)

const DeleteConversationInput = builder.inputType('DeleteConversationInput', {
  description: 'Which conversation to delete.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'The id of the conversation.' }),
  }),
})

const DeleteConversationSuccess = builder
  .objectRef<{ deletedId: string; upstream: UpstreamCleanup }>('DeleteConversationSuccess')
  .implement({
    description: 'The conversation is gone.',
    fields: (t) => ({
      deletedId: t.exposeID('deletedId', { description: 'The id that it had.' }),
      upstream: t.expose('upstream', {
        type: UpstreamCleanupType,
        description: "What became of what the assistant's platform keeps of it.",
      }),
    }),
  })

builder.mutationField('deleteConversation', (t) =>
  t.field({
    ...costs(2_000),
    description:
      'Cancels what is open in a conversation, then deletes it, here and with the assistant.',
    type: DeleteConversationSuccess,
    args: {
      input: t.arg({ type: DeleteConversationInput, required: true, description: 'Which.' }),
    },
    errors: {
      types: [NotFoundError, ConversationBusyError],
      union: { name: 'DeleteConversationResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input: { conversationId } }, { conversations }) => ({
      deletedId: conversationId,
      upstream: await conversations.delete(getConversationId(conversationId)),
    }),
  }),
)
