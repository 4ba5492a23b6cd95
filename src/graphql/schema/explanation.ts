import type { KeyedLayer, ReplyExplanation } from '../../domain.ts'
import { decodeId } from '../global-id.ts'
import { builder } from './builder.ts'

export const StrategyKind = builder.enumType('StrategyKind', {
  description: 'The way in which an assistant is driven.',
  values: {
    WORKFLOW: { value: 'workflow', description: 'The assistant runs as a Coze Workflow.' },
    BOT: { value: 'bot', description: 'The assistant runs as a Coze Bot.' },
  } as const,
})

export const IsolationLayer = builder.enumType('IsolationLayer', {
  description: 'A place in which a platform could mix up two sessions.',
  values: {
    IDENTITY: { value: 'identity', description: 'The identity in the access token.' },
    CONVERSATION: { value: 'conversation', description: "The platform's conversation." },
    VARIABLES: { value: 'variables', description: 'User variables and databases.' },
    LONG_TERM_MEMORY: {
      value: 'long-term-memory',
      description: 'Memory that outlives a conversation.',
    },
    KNOWLEDGE: { value: 'knowledge', description: 'Knowledge bases and their filters.' },
    PENDING_QUESTION: {
      value: 'pending-question',
      description: 'A question of a Workflow that waits for its answer.',
    },
  } as const,
})

export const KeyedLayerType = builder.objectRef<KeyedLayer>('KeyedLayer').implement({
  description: 'A layer and the key that keeps sessions apart in it.',
  fields: (t) => ({
    layer: t.expose('layer', { type: IsolationLayer, description: 'The layer.' }),
    keyedBy: t.exposeString('keyedBy', {
      description: 'The key that keeps sessions apart in this layer.',
    }),
  }),
})

export const ReplyExplanationType = builder
  .objectRef<ReplyExplanation>('ReplyExplanation')
  .implement({
    description: 'An account for operators of how a reply came to be, without any text of users.',
    fields: (t) => ({
      strategy: t.expose('strategy', {
        type: StrategyKind,
        description: 'The way in which the assistant was driven.',
      }),
      reason: t.exposeString('reason', {
        description: 'The reason for choosing this strategy, in words.',
      }),
      layers: t.field({
        type: [KeyedLayerType],
        description: 'The keys that kept the session apart, layer by layer.',
        resolve: ({ layers }) => [...layers],
      }),
      upstreamChatId: t.exposeID('upstreamChatId', {
        nullable: true,
        description: "The platform's id of the chat, or null if it never gave one.",
      }),
      upstreamLogId: t.exposeID('upstreamLogId', {
        nullable: true,
        description:
          "The id of the platform's log lines for its support, or null if it never gave one.",
      }),
      firstDeltaMs: t.exposeInt('firstDeltaMs', {
        nullable: true,
        description:
          'The number of milliseconds from accepting the message to the first text, or null if there was no text.',
      }),
      retries: t.exposeInt('retries', {
        description: 'The number of platform calls that were repeated before one was accepted.',
      }),
    }),
  })

builder.queryField('replyExplanation', (t) =>
  t.field({
    description:
      'An account for operators of how a reply of any session came to be, or null if there is no such reply, it is open or its message was never sent.',
    type: ReplyExplanationType,
    nullable: true,
    authScopes: { operator: true },
    args: { replyId: t.arg.id({ required: true, description: 'The id of the reply.' }) },
    resolve: async (_root, args, { support }) => {
      const id = decodeId('Reply', args.replyId)
      return (id && (await support?.explanation(id))) ?? null
    },
  }),
)
