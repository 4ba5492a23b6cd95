import type { UpstreamCleanup } from '../../session/remains.ts'
import { builder } from './builder.ts'

export const UpstreamCleanupType = builder.objectRef<UpstreamCleanup>('UpstreamCleanup').implement({
  description: "The part of a deletion that concerns the records of the assistants' platforms.",
  fields: (t) => ({
    deletedConversations: t.exposeInt('deleted', {
      description: 'The number of conversations that were deleted on the platforms.',
    }),
    leftBehind: t.exposeStringList('remains', {
      description:
        'Sentences that name what the platforms keep, empty if nothing is known to be left.',
    }),
  }),
})
