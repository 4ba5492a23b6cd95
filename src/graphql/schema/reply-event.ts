import type { Cursor, ReplyEvent } from '../../domain.ts'
import type { ReplySubscription } from '../../reply/subscribe.ts'
import type { LogItem } from '../../store/log.ts'
import { builder } from './builder.ts'
import { getConversationId } from './conversation.ts'
import { encodeGlobal } from '../global-id.ts'
import { ReplyNode } from './nodes.ts'
import { OmittedContentType, QuestionType } from './question.ts'
import { getReplyId, ReplyFailureCode, UsageType } from './reply.ts'
import { ToolCallType } from './tool-call.ts'

/** An event as its subscriber sees it. */
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
      description: 'Its place in the event log: subscribe after it to go on from here.',
    }),
    replyId: t.id({
      description: 'The id of its reply.',
      resolve: ({ replyId }) => encodeGlobal('Reply', replyId),
    }),
    reply: t.field({
      description: 'The current state of its reply, loaded afresh for each event.',
      type: ReplyNode,
      resolve: ({ replyId }) => replyId,
    }),
  }),
})

const interfaces = [ReplyEventInterface]
builder.objectRef<Delivered<'started'>>(eventTypeNames.started).implement({
  description: 'The assistant was asked.',
  interfaces,
})

const DeltaKind = builder.enumType('DeltaKind', {
  description: 'What a delta is a piece of.',
  values: {
    ANSWER: { description: 'The answer.' },
    REASONING: { description: 'The reasoning that leads to it.' },
  },
})

builder.objectRef<Delivered<'delta'>>(eventTypeNames.delta).implement({
  description: 'A piece of text: `text = text.slice(0, offset) + delta.text` applies it.',
  interfaces,
  fields: (t) => ({
    kind: t.expose('kind', { type: DeltaKind, description: 'What it is a piece of.' }),
    offset: t.exposeInt('offset', {
      description:
        'Where it starts, in UTF-16 code units; it replaces everything from there to the end.',
    }),
    text: t.exposeString('text', { description: 'The text from there on.' }),
  }),
})

builder.objectRef<Delivered<'action-required'>>(eventTypeNames['action-required']).implement({
  description: 'The assistant waits for tool outputs: answer with `submitToolOutputs`.',
  interfaces,
  fields: (t) => ({
    toolCalls: t.field({
      type: [ToolCallType],
      description: 'What it waits for.',
      resolve: ({ toolCalls }) => [...toolCalls],
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'Until when it waits; then the reply fails with ACTION_EXPIRED.',
    }),
  }),
})

builder.objectRef<Delivered<'completed'>>(eventTypeNames.completed).implement({
  description: 'The reply has its whole answer; its last event.',
  interfaces,
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The whole answer.' }),
    usage: t.expose('usage', {
      type: UsageType,
      nullable: true,
      description: 'The tokens it has cost, where the assistant told.',
    }),
    followUps: t.exposeStringList('followUps', {
      description: 'What the assistant suggests to ask next.',
    }),
    question: t.expose('question', {
      type: QuestionType,
      nullable: true,
      description: 'What the assistant asks back; the next message answers it.',
    }),
    omitted: t.field({
      type: [OmittedContentType],
      description: 'What the assistant said that is no text, and is not in the answer.',
      resolve: ({ omitted }) => [...omitted],
    }),
    contextReset: t.exposeBoolean('contextReset', {
      description: 'Whether the assistant may have lost older context of the conversation.',
    }),
  }),
})

builder.objectRef<Delivered<'failed'>>(eventTypeNames.failed).implement({
  description: 'The reply ended without a whole answer; its last event.',
  interfaces,
  fields: (t) => ({
    code: t.expose('code', { type: ReplyFailureCode, description: 'Why, for programs.' }),
    message: t.exposeString('message', { description: 'Why, in words.' }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether sending the message again may succeed.',
    }),
    retryAfterMs: t.exposeInt('retryAfterMs', {
      nullable: true,
      description: 'How long to wait before that, in ms, where it is known.',
    }),
  }),
})

builder.objectRef<Delivered<'cancelled'>>(eventTypeNames.cancelled).implement({
  description: 'The reply was stopped on request; its last event.',
  interfaces,
  fields: (t) => ({
    upstreamCancelled: t.exposeBoolean('upstreamCancelled', {
      description: 'Whether the upstream was told, and agreed.',
    }),
  }),
})

/**
 * What the `replies` field subscribes to. The server drives `subscription` itself, batch by batch; any other executor
 * of the schema iterates.
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
    // Awaited below in every case; until then its failure is nobody's.
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
      'Reply events of the session: of one reply (ends after its last event), of one conversation, or all; after a cursor.',
    type: ReplyEventInterface,
    args: {
      replyId: t.arg.id({
        description: 'Only events of this reply, from its first if `after` is absent.',
      }),
      conversationId: t.arg.id({ description: 'Only events of this conversation.' }),
      after: t.arg.string({
        description: 'Only events after this cursor; the `Last-Event-ID` header wins over it.',
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
