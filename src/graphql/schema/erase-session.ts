import { ConversationBusyError } from '../../errors.ts'
import type { Erasure } from '../../session/conversations.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { UpstreamCleanupType } from './upstream-cleanup.ts'

const EraseSessionSuccess = builder.objectRef<Erasure>('EraseSessionSuccess').implement({
  description:
    'The result of a session whose records were all deleted and whose name for the platforms is new.',
  fields: (t) => ({
    deletedConversations: t.exposeInt('conversations', {
      description: 'The number of conversations that were deleted.',
    }),
    deletedMessages: t.exposeInt('messages', {
      description: 'The number of messages that were deleted.',
    }),
    deletedAttachments: t.exposeInt('attachments', {
      description: 'The number of attachments that were deleted.',
    }),
    upstreamCleanup: t.field({
      type: UpstreamCleanupType,
      description: "The part of the deletion that concerns the assistants' platforms.",
      resolve: (erasure) => erasure,
    }),
  }),
})

builder.mutationField('eraseSession', (t) =>
  t.field({
    ...costs(20_000),
    description:
      "Cancels all open replies and deletes everything of the caller's session here and on the platforms of its assistants.",
    type: EraseSessionSuccess,
    errors: {
      types: [ConversationBusyError],
      union: {
        name: 'EraseSessionResult',
        description: 'The outcome of `eraseSession`: the deletion or a refusal.',
      },
    },
    resolve: (_root, _args, { conversations }) => conversations.erase(),
  }),
)
