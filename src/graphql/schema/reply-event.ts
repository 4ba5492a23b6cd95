import type { Cursor, ReplyEvent } from '../../domain.ts'
import type { ReplySubscription } from '../../reply/subscribe.ts'
import type { LogItem } from '../../store/log.ts'
import { builder } from './builder.ts'
import { getConversationId } from './conversation.ts'
import { encodeGlobal } from '../global-id.ts'
import { ReplyNode } from './nodes.ts'
import { OmittedContentType, QuestionType } from './question.ts'
import { getReplyId, ReplyFailureType, TokenUsageType } from './reply.ts'
import { ToolCallType } from './tool-call.ts'

/** An event as the subscriber sees it. */
export type DeliveredEvent = ReplyEvent & { readonly cursor: Cursor }
type Delivered<Type extends ReplyEvent['type']> = Extract<DeliveredEvent, { readonly type: Type }>

/** The name of the object type of each event. */
export const eventTypeNames = {
  started: 'ReplyStarted',
  delta: 'ReplyDelta',
  'action-required': 'ReplyActionRequired',
  completed: 'ReplyCompleted',
  failed: 'ReplyFailed',
  cancelled: 'ReplyCancelled',
} as const satisfies Record<ReplyEvent['type'], string>

const ReplyEventInterface = builder.interfaceRef<DeliveredEvent>('ReplyEvent').implement({
  description: 'Something that happened to a reply.',
  resolveType: ({ type }) => eventTypeNames[type],
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The position of this event, after which a subscription can resume.',
    }),
    replyId: t.id({
      description: 'The id of the reply.',
      resolve: ({ replyId }) => encodeGlobal('Reply', replyId),
    }),
    reply: t.field({
      description: 'The current state of the reply, loaded afresh for each event.',
      type: ReplyNode,
      resolve: ({ replyId }) => replyId,
    }),
  }),
})

const interfaces = [ReplyEventInterface]
builder.objectRef<Delivered<'started'>>(eventTypeNames.started).implement({
  description: 'The event of a reply that the assistant has begun to write.',
  interfaces,
})

const DeltaKind = builder.enumType('DeltaKind', {
  description: 'The text that a delta is a piece of.',
  values: {
    ANSWER: { description: 'The delta is a piece of the answer.' },
    REASONING: { description: "The delta is a piece of the model's reasoning." },
  },
})

builder.objectRef<Delivered<'delta'>>(eventTypeNames.delta).implement({
  description:
    'A piece of text of a reply, which `text = text.slice(0, offset) + delta.text` applies.',
  interfaces,
  fields: (t) => ({
    kind: t.expose('kind', {
      type: DeltaKind,
      description: 'The text that the delta is a piece of.',
    }),
    offset: t.exposeInt('offset', {
      description:
        'The place at which the delta starts, in UTF-16 code units, and from which it replaces everything to the end.',
    }),
    text: t.exposeString('text', { description: 'The text from that place on.' }),
  }),
})

builder.objectRef<Delivered<'action-required'>>(eventTypeNames['action-required']).implement({
  description: 'The event of a reply that waits for tool outputs, which `submitToolOutputs` sends.',
  interfaces,
  fields: (t) => ({
    toolCalls: t.field({
      type: [ToolCallType],
      description: 'The tool calls that wait for outputs.',
      resolve: ({ toolCalls }) => [...toolCalls],
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description:
        'The instant until which the reply waits, after which it fails with ACTION_EXPIRED.',
    }),
  }),
})

builder.objectRef<Delivered<'completed'>>(eventTypeNames.completed).implement({
  description: 'The last event of a reply that has its whole answer.',
  interfaces,
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The text of the whole answer.' }),
    usage: t.expose('usage', {
      type: TokenUsageType,
      nullable: true,
      description: 'The tokens that the reply has cost, or null if the platform reports none.',
    }),
    followUps: t.exposeStringList('followUps', {
      description: 'The messages that the assistant suggests to send next.',
    }),
    question: t.expose('question', {
      type: QuestionType,
      nullable: true,
      description:
        'The question that the next message of the conversation answers, or null if there is none.',
    }),
    omitted: t.field({
      type: [OmittedContentType],
      description: 'The kinds of content that are no text and are left out of the answer.',
      resolve: ({ omitted }) => [...omitted],
    }),
    contextReset: t.exposeBoolean('contextReset', {
      description: 'Whether the assistant may have lost older context of the conversation.',
    }),
  }),
})

builder.objectRef<Delivered<'failed'>>(eventTypeNames.failed).implement({
  description: 'The last event of a reply that ended without a whole answer.',
  interfaces,
  fields: (t) => ({
    failure: t.field({
      type: ReplyFailureType,
      description: 'The reason why the reply failed.',
      resolve: (event) => event,
    }),
  }),
})

builder.objectRef<Delivered<'cancelled'>>(eventTypeNames.cancelled).implement({
  description: 'The last event of a reply that was stopped on request.',
  interfaces,
  fields: (t) => ({
    upstreamCancelled: t.exposeBoolean('upstreamCancelled', {
      description: 'Whether the platform was told of the cancellation and confirmed it.',
    }),
  }),
})

/**
 * The source of the `replies` field. The server drives `subscription` itself, in batches. Any other executor of the schema
 * iterates.
 */
export class ReplyEvents implements AsyncIterable<DeliveredEvent> {
  readonly subscription: ReplySubscription
  constructor(subscription: ReplySubscription) {
    this.subscription = subscription
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DeliveredEvent, void, undefined> {
    const { subscription } = this
    const left = new AbortController()
    let batch = Promise.withResolvers<readonly LogItem[] | undefined>()
    let room = Promise.withResolvers<void>()
    const following = subscription
      .follow((items) => {
        batch.resolve(items)
        return room.promise
      }, left.signal)
      .finally(() => batch.resolve(undefined))
    // It is always awaited below. Until then its failure must not be an unhandled rejection.
    following.catch(() => undefined)
    try {
      for (let items = await batch.promise; items; items = await batch.promise) {
        for (const item of items) yield { ...item.event, cursor: subscription.cursor(item) }
        const { resolve } = room
        batch = Promise.withResolvers()
        room = Promise.withResolvers()
        resolve()
      }
      await following
    } finally {
      left.abort()
      await following.catch(() => undefined)
    }
  }
}

builder.subscriptionField('replies', (t) =>
  t.field({
    description:
      "The events of replies of the caller's session, which are those of one reply until its last event, those of one conversation, or all.",
    type: ReplyEventInterface,
    args: {
      replyId: t.arg.id({
        description:
          'The id of the reply whose events are sent, from its first event unless `after` is given.',
      }),
      conversationId: t.arg.id({
        description: 'The id of the conversation whose events are sent.',
      }),
      after: t.arg.string({
        description:
          'The cursor after which events are sent, over which the header `Last-Event-ID` takes precedence.',
      }),
    },
    subscribe: async (_root, { replyId, conversationId, after }, { replies, lastEventId }) =>
      new ReplyEvents(
        await replies.subscribe({
          replyId: replyId == null ? undefined : getReplyId(replyId),
          conversationId: conversationId == null ? undefined : getConversationId(conversationId),
          after: after ?? undefined,
          lastEventId,
        }),
      ),
    resolve: (event) => event,
  }),
)
