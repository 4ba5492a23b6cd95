import type { Conversation } from '../../domain.ts'
import {
  ConversationBusyError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
} from '../../errors.ts'
import type { UpstreamCleanup } from '../../session/remains.ts'
import { assistantIdDescription, getAssistant } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { getConversationId } from './conversation.ts'
import { ConversationNode } from './nodes.ts'
import { getIdempotency } from './raw-input.ts'
import { UpstreamCleanupType } from './upstream-cleanup.ts'

const StartConversationInput = builder.inputType('StartConversationInput', {
  description: 'The assistant and the title of a new conversation.',
  fields: (t) => ({
    assistantId: t.id({ description: assistantIdDescription }),
    title: t.string({
      description:
        'The title, of 1 to 100 characters. The default is the beginning of the first message.',
    }),
    idempotencyKey: t.string({
      description:
        'A key of at most 255 characters that makes every repetition of the same input return the same conversation.',
    }),
  }),
})

const StartConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('StartConversationSuccess')
  .implement({
    description: 'The result of a conversation that was started.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The new conversation, or the one that was started under the same key before.',
      }),
    }),
  })

builder.mutationField('startConversation', (t) =>
  t.field({
    ...costs(1_000),
    description: 'Starts an empty conversation.',
    type: StartConversationSuccess,
    args: {
      input: t.arg({
        type: StartConversationInput,
        required: true,
        description: 'The assistant and the title.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, IdempotencyMismatchError],
      union: {
        name: 'StartConversationResult',
        description: 'The outcome of `startConversation`: the conversation or a refusal.',
      },
    },
    resolve: async (_root, { input }, context, info) => ({
      conversation: await context.conversations.start({
        assistantId:
          input.assistantId == null ? undefined : getAssistant(input.assistantId, context).id,
        title: input.title ?? undefined,
        idempotency: getIdempotency(input.idempotencyKey, info),
      }),
    }),
  }),
)

const RenameConversationInput = builder.inputType('RenameConversationInput', {
  description: 'A conversation and its new title.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'The id of the conversation.' }),
    title: t.string({
      description:
        'The new title, of 1 to 100 characters. The default is the beginning of the first message.',
    }),
  }),
})

const RenameConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('RenameConversationSuccess')
  .implement({
    description: 'The result of a conversation that was renamed.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The conversation with its new title.',
      }),
    }),
  })

builder.mutationField('renameConversation', (t) =>
  t.field({
    ...costs(1_000),
    description: 'Changes the title of a conversation.',
    type: RenameConversationSuccess,
    args: {
      input: t.arg({
        type: RenameConversationInput,
        required: true,
        description: 'The conversation and its new title.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError],
      union: {
        name: 'RenameConversationResult',
        description: 'The outcome of `renameConversation`: the conversation or a refusal.',
      },
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
  description: 'The conversation whose context is to be forgotten.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'The id of the conversation.' }),
  }),
})

const ClearConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('ClearConversationSuccess')
  .implement({
    description: 'The result of a conversation whose context the assistant has forgotten.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The conversation, which keeps its messages.',
      }),
    }),
  })

builder.mutationField('clearConversation', (t) =>
  t.field({
    ...costs(2_000),
    description:
      'Cancels the open replies of a conversation and makes the assistant forget its context, while its messages stay.',
    type: ClearConversationSuccess,
    args: {
      input: t.arg({
        type: ClearConversationInput,
        required: true,
        description: 'The conversation.',
      }),
    },
    errors: {
      types: [NotFoundError, ConversationBusyError],
      union: {
        name: 'ClearConversationResult',
        description: 'The outcome of `clearConversation`: the conversation or a refusal.',
      },
    },
    resolve: async (_root, { input }, { conversations }) => ({
      conversation: await conversations.clear(getConversationId(input.conversationId)),
    }),
  }),
)

const DeleteConversationInput = builder.inputType('DeleteConversationInput', {
  description: 'The conversation to delete.',
  fields: (t) => ({
    conversationId: t.id({ required: true, description: 'The id of the conversation.' }),
  }),
})

const DeleteConversationSuccess = builder
  .objectRef<{ deletedConversationId: string; upstreamCleanup: UpstreamCleanup }>(
    'DeleteConversationSuccess',
  )
  .implement({
    description: 'The result of a conversation that was deleted.',
    fields: (t) => ({
      deletedConversationId: t.exposeID('deletedConversationId', {
        description: 'The id of the deleted conversation.',
      }),
      upstreamCleanup: t.expose('upstreamCleanup', {
        type: UpstreamCleanupType,
        description: "The part of the deletion that concerns the assistant's platform.",
      }),
    }),
  })

builder.mutationField('deleteConversation', (t) =>
  t.field({
    ...costs(2_000),
    description:
      'Cancels the open replies of a conversation and deletes it here and on the platform of its assistant.',
    type: DeleteConversationSuccess,
    args: {
      input: t.arg({
        type: DeleteConversationInput,
        required: true,
        description: 'The conversation.',
      }),
    },
    errors: {
      types: [NotFoundError, ConversationBusyError],
      union: {
        name: 'DeleteConversationResult',
        description: 'The outcome of `deleteConversation`: the deletion or a refusal.',
      },
    },
    resolve: async (_root, { input: { conversationId } }, { conversations }) => ({
      deletedConversationId: conversationId,
      upstreamCleanup: await conversations.delete(getConversationId(conversationId)),
    }),
  }),
)
