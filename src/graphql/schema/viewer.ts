import type { SessionLimit } from '../../session/replies.ts'
import type { GraphContext } from '../context.ts'
import { builder } from './builder.ts'

const RateLimitType = builder.objectRef<SessionLimit>('RateLimit').implement({
  description: 'A limit of the session and what is left of it.',
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'The most that the limit ever allows.' }),
    remaining: t.exposeInt('remaining', { description: 'The amount that is left now.' }),
    resetAt: t.expose('resetAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'The instant at which the whole limit is available again, or null if nothing is used or time does not reset it.',
    }),
  }),
})

const SessionLimits = builder.objectRef<GraphContext>('SessionLimits').implement({
  description: "The limits of the caller's session.",
  fields: (t) => ({
    messages: t.field({
      description: 'The number of messages that may be sent within a minute.',
      type: RateLimitType,
      resolve: async ({ replies }) => (await replies.limits()).messages,
    }),
    openReplies: t.field({
      description: 'The number of replies that may be open at the same time.',
      type: RateLimitType,
      resolve: async ({ replies }) => (await replies.limits()).openReplies,
    }),
    uploads: t.field({
      description: 'The number of files that may be uploaded within a minute.',
      type: RateLimitType,
      resolve: async ({ replies }) => (await replies.limits()).uploads,
    }),
    maxMessageLength: t.int({
      description: 'The most UTF-16 code units that the text of a message may have.',
      resolve: ({ limits }) => limits.maxMessageLength,
    }),
    maxAttachments: t.int({
      description: 'The most attachments that a message may have.',
      resolve: ({ limits }) => limits.maxAttachments,
    }),
    maxUploadByteSize: t.int({
      description: 'The most bytes that an uploaded file may have.',
      resolve: ({ limits }) => limits.maxUploadBytes,
    }),
    uploadMediaTypes: t.stringList({
      description: 'The media types that an uploaded file may have, such as `image/*`.',
      resolve: ({ uploads }) => [...uploads.mediaTypes],
    }),
  }),
})

const Viewer = builder.objectRef<GraphContext>('Viewer').implement({
  description: 'The caller and the session that its credential opens.',
  fields: (t) => ({
    sessionFingerprint: t.exposeString('fingerprint', {
      description: 'A short fingerprint of the session for support requests.',
    }),
    isGuest: t.boolean({
      description:
        'Whether the caller is a guest who has not signed in and whose session ends with its credential.',
      resolve: ({ caller }) => caller.kind === 'guest',
    }),
    isOperator: t.exposeBoolean('isOperator', {
      description: "Whether the caller's credential has the scope of operators.",
    }),
    credentialExpiresAt: t.field({
      description: 'The instant at which the credential of this request stops being accepted.',
      type: 'DateTime',
      resolve: ({ caller }) => caller.expiresAt,
    }),
    limits: t.field({
      description: 'The limits of the session and what is left of them.',
      type: SessionLimits,
      resolve: (context) => context,
    }),
    eventCursor: t.string({
      description:
        'The cursor of the end of the event log, which lets a client subscribe after a snapshot of the same request without a gap.',
      resolve: ({ replies }) => replies.cursor(),
    }),
    keepAliveMs: t.exposeInt('keepAliveMs', {
      description:
        'The longest time in milliseconds that an open subscription stays silent, after which a client should reconnect.',
    }),
  }),
})

builder.queryField('viewer', (t) =>
  t.field({
    description: 'The caller and the session that its credential opens.',
    type: Viewer,
    resolve: (_root, _args, context) => context,
  }),
)
