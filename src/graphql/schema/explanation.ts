import type { KeyedLayer, ReplyExplanation } from '../../domain.ts'
import { builder } from './builder.ts'

export const StrategyKind = builder.enumType('StrategyKind', {
  description: 'How an assistant is driven.',
  values: {
    WORKFLOW: { value: 'workflow', description: 'As a Workflow.' },
    BOT: { value: 'bot', description: 'As a Bot.' },
  } as const,
})

export const IsolationLayer = builder.enumType('IsolationLayer', {
  description: 'Where the platform could mix up two sessions.',
  values: {
    IDENTITY: { value: 'identity', description: 'The access token.' },
    CONVERSATION: { value: 'conversation', description: 'The upstream conversation.' },
    VARIABLES: { value: 'variables', description: 'Variables and databases.' },
    LONG_TERM_MEMORY: {
      value: 'long-term-memory',
      description: 'What is remembered beyond a conversation.',
    },
    KNOWLEDGE: { value: 'knowledge', description: 'Knowledge, and filters of it.' },
    PENDING_QUESTION: {
      value: 'pending-question',
      description: 'Who answers what a Workflow has asked.',
    },
  } as const,
})

export const KeyedLayerType = builder.objectRef<KeyedLayer>('KeyedLayer').implement({
  description: 'A layer, and what kept the session apart in it.',
  fields: (t) => ({
    layer: t.expose('layer', { type: IsolationLayer, description: 'The layer.' }),
    keyedBy: t.exposeString('keyedBy', { description: 'What kept the session apart.' }),
  }),
})

export const ReplyExplanationType = builder
  .objectRef<ReplyExplanation>('ReplyExplanation')
  .implement({
    description: 'How a reply came to be; without any text.',
    fields: (t) => ({
      strategy: t.expose('strategy', {
        type: StrategyKind,
        description: 'How the assistant was driven.',
      }),
      reason: t.exposeString('reason', { description: 'Why so, in words.' }),
      layers: t.field({
        type: [KeyedLayerType],
        description: 'What kept the session apart, layer by layer.',
        resolve: ({ layers }) => [...layers],
      }),
      upstreamChatId: t.exposeString('upstreamChatId', {
        nullable: true,
        description: "The upstream's id of the chat.",
      }),
      upstreamLogId: t.exposeString('upstreamLogId', {
        nullable: true,
        description: "The id of the upstream's log lines, for its support.",
      }),
      firstDeltaMs: t.exposeInt('firstDeltaMs', {
        nullable: true,
        description: 'From the acceptance of the message to the first text, in ms.',
      }),
      retries: t.exposeInt('retries', {
        description: 'Upstream calls that were made again before one was accepted.',
      }),
    }),
  })
