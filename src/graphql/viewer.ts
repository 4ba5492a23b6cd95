import { builder } from './builder.ts'
import type { GraphContext } from './context.ts'

const Viewer = builder.objectRef<GraphContext>('Viewer').implement({
  description: 'The session of the caller.',
  fields: (t) => ({
    session: t.exposeString('fingerprint', {
      description: 'A short fingerprint of the session, for support requests.',
    }),
    credentialExpiresAt: t.field({
      description: 'When the credential of this request stops being accepted.',
      type: 'DateTime',
      resolve: ({ caller }) => caller.expiresAt,
    }),
    cursor: t.string({
      description:
        'The end of the event log: query a snapshot together with it, then subscribe after it with no gap.',
      resolve: ({ replies }) => replies.cursor(),
    }),
  }),
})

builder.queryField('viewer', (t) =>
  t.field({
    description: 'The session of the caller, which its credentials alone decide.',
    type: Viewer,
    resolve: (_root, _args, context) => context,
  }),
)
