import { ConversationBusyError } from '../../errors.ts'
import type { Erasure } from '../../session/conversations.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { UpstreamCleanupType } from './upstream-cleanup.ts'

const EraseSessionSuccess = builder.objectRef<Erasure>('EraseSessionSuccess').implement({
  description: 'Nothing of the session is left here, and the assistants know it under a new name.',
  fields: (t) => ({
    conversations: t.exposeInt('conversations', {
      description: 'Conversations that were deleted.',
    }),
    messages: t.exposeInt('messages', { description: 'Messages that were deleted.' }),
    attachments: t.exposeInt('attachments', { description: 'Attachments that were deleted.' }),
    upstream: t.field({
      type: UpstreamCleanupType,
      description: "What became of what the assistants' platforms keep.",
      resolve: (erasure) => erasure,
    }),
  }),
})

builder.mutationField('eraseSession', (t) =>
  t.field({
    ...costs(20_000),
    description:
      'Cancels what is open, then deletes everything of the session, here and with the assistants.',
    type: EraseSessionSuccess,
    errors: {
      types: [ConversationBusyError],
      union: { name: 'EraseSessionResult', description: 'What became of the session.' },
    },
    resolve: (_root, _args, { conversations }) => conversations.erase(),
  }),
)
