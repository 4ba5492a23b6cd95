import { builder } from './builder.ts'
import type { GraphContext } from '../context.ts'

const ViewerLimits = builder.objectRef<GraphContext>('ViewerLimits').implement({
  description: 'What the session may still do now, and how much a message may have.',
  fields: (t) => ({
    messagesLeft: t.int({
      description: 'Messages that may still be sent within this minute.',
      resolve: async ({ replies }) => (await replies.limitsLeft()).messages,
    }),
    openRepliesLeft: t.int({
      description: 'Replies that may still be opened before others have ended.',
      resolve: async ({ replies }) => (await replies.limitsLeft()).openReplies,
    }),
    messageLength: t.int({
      description: 'Characters (UTF-16 code units) that a message may have.',
      resolve: ({ limits }) => limits.maxMessageLength,
    }),
    attachments: t.int({
      description: 'Attachments that a message may have.',
      resolve: ({ limits }) => limits.maxAttachments,
    }),
    uploadBytes: t.int({
      description: 'Bytes that an uploaded file may have.',
      resolve: ({ limits }) => limits.maxUploadBytes,
    }),
    uploadMediaTypes: t.stringList({
      description: 'Media types that an uploaded file may have, such as `image/*`.',
      resolve: ({ uploads }) => [...uploads.mediaTypes],
    }),
  }),
})

const Viewer = builder.objectRef<GraphContext>('Viewer').implement({
  description: 'The session of the caller.',
  fields: (t) => ({
    session: t.exposeString('fingerprint', {
      description: 'A short fingerprint of the session, for support requests.',
    }),
    isGuest: t.boolean({
      description: 'Whether nobody has signed in: the session goes with its credential.',
      resolve: ({ caller }) => caller.kind === 'guest',
    }),
    isOperator: t.exposeBoolean('isOperator', {
      description: 'Whether the credential has the scope of operators.',
    }),
    credentialExpiresAt: t.field({
      description: 'When the credential of this request stops being accepted.',
      type: 'DateTime',
      resolve: ({ caller }) => caller.expiresAt,
    }),
    limits: t.field({
      description: 'What the session may still do now, and how much a message may have.',
      type: ViewerLimits,
      resolve: (context) => context,
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
