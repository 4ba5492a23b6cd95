import type { UpstreamCleanup } from '../../session/remains.ts'
import { builder } from './builder.ts'

export const UpstreamCleanupType = builder.objectRef<UpstreamCleanup>('UpstreamCleanup').implement({
  description: "What became of what the assistant's platform keeps.",
  fields: (t) => ({
    deleted: t.exposeInt('deleted', { description: 'Conversations that are gone there.' }),
    remains: t.exposeStringList('remains', {
      description: 'What remains there, each in a sentence; empty: nothing that is known of.',
    }),
  }),
})
