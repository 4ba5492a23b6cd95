import { replyFailureCodes, type ReplyFailure, type Usage } from '../../domain.ts'
import { NotFoundError } from '../../errors.ts'
import { decodeId } from '../global-id.ts'
import { builder } from './builder.ts'
import { ReplyExplanationType } from './explanation.ts'
import { ConversationNode, MessageNode, orNull, ReplyNode } from './nodes.ts'
import { OmittedContentType, QuestionType } from './question.ts'
import { ToolCallType } from './tool-call.ts'

const ReplyStatus = builder.enumType('ReplyStatus', {
  description: 'Where a reply stands.',
  values: {
    QUEUED: { description: 'It waits for its turn in the conversation.' },
    RUNNING: { description: 'The assistant is answering.' },
    ACTION_REQUIRED: {
      description: 'It waits for tool outputs, up to `actionExpiresAt`; see `toolCalls`.',
    },
    COMPLETED: { description: 'It has its whole answer.' },
    FAILED: { description: 'It ended without a whole answer; `failure` says why.' },
    CANCELLED: { description: 'It was stopped on request.' },
  },
})

export const ReplyFailureCode = builder.enumType('ReplyFailureCode', {
  description: 'Why a reply failed; a code never changes its meaning.',
  values: replyFailureCodes,
})

export const UsageType = builder.objectRef<Usage>('Usage').implement({
  description: 'The tokens that a reply has cost, as the assistant reports them.',
  fields: (t) => ({
    inputTokens: t.exposeInt('inputTokens', { description: 'Tokens read.' }),
    outputTokens: t.exposeInt('outputTokens', { description: 'Tokens written.' }),
    totalTokens: t.exposeInt('totalTokens', { description: 'Both together.' }),
  }),
})

const ReplyFailureType = builder.objectRef<ReplyFailure>('ReplyFailure').implement({
  description: 'Why a reply failed.',
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

ReplyNode.implement({
  description: 'The run that answers one message.',
  fields: (t) => ({
    status: t.expose('status', { type: ReplyStatus, description: 'Where it stands.' }),
    text: t.exposeString('text', { description: 'The answer known so far.' }),
    reasoning: t.exposeString('reasoning', { description: 'The reasoning known so far.' }),
    queuePosition: t.exposeInt('queuePosition', {
      nullable: true,
      description:
        'How many waiting replies of its conversation come before it; null unless QUEUED.',
    }),
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
      description: 'What it asks back, once COMPLETED; the next message answers it.',
    }),
    omitted: t.field({
      type: [OmittedContentType],
      description: 'What the assistant said that is no text, and is not in the answer.',
      resolve: ({ omitted }) => [...omitted],
    }),
    toolCalls: t.field({
      type: [ToolCallType],
      description: 'What it waits for while ACTION_REQUIRED, else empty.',
      resolve: ({ toolCalls }) => [...toolCalls],
    }),
    actionExpiresAt: t.expose('actionExpiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Until when it waits for tool outputs; null unless ACTION_REQUIRED.',
    }),
    contextReset: t.exposeBoolean('contextReset', {
      description: 'Whether the assistant may have lost older context of the conversation.',
    }),
    failure: t.expose('failure', {
      type: ReplyFailureType,
      nullable: true,
      description: 'Why it failed; null unless FAILED.',
    }),
    upstreamCancelled: t.exposeBoolean('upstreamCancelled', {
      description: 'Whether the upstream was told of a cancellation, and agreed.',
    }),
    conversation: t.field({
      description: 'The conversation it belongs to.',
      type: ConversationNode,
      resolve: ({ conversationId }) => conversationId,
    }),
    message: t.field({
      description: "The user's message that it answers.",
      type: MessageNode,
      resolve: ({ messageId }) => messageId,
    }),
    answer: t.field({
      description: 'Its finished answer as a message; null unless COMPLETED.',
      type: MessageNode,
      nullable: true,
      resolve: ({ answerId }) => answerId,
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'When its message was accepted.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the assistant was asked.',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended.',
    }),
    explain: t.field({
      description: 'Operators: how it came to be; null before it has ended, or if it was not sent.',
      type: ReplyExplanationType,
      nullable: true,
      authScopes: { operator: true },
      resolve: ({ explanation }) => explanation,
    }),
  }),
})

builder.queryField('reply', (t) =>
  t.field({
    description: 'The reply that this id names, if the session has it.',
    type: ReplyNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'The id of a reply.' }) },
    resolve: (_root, args, context) => {
      const id = decodeId('Reply', args.id)
      return id ? orNull(ReplyNode.getDataloader(context).load(id)) : null
    },
  }),
)

/** What a `replyId` argument names. @throws {@link NotFoundError} for what is no id of a reply */
export function getReplyId(argument: string) {
  const id = decodeId('Reply', argument)
  if (!id) throw new NotFoundError('There is no such reply.')
  return id
}
