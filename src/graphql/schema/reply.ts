import type { ReplyFailure, ReplyFailureCode, Usage } from '../../domain.ts'
import { NotFoundError } from '../../errors.ts'
import { decodeId } from '../global-id.ts'
import { builder } from './builder.ts'
import { ReplyExplanationType } from './explanation.ts'
import { ConversationNode, MessageNode, orNull, ReplyNode } from './nodes.ts'
import { OmittedContentType, QuestionType } from './question.ts'
import { ToolCallType } from './tool-call.ts'

const ReplyStatus = builder.enumType('ReplyStatus', {
  description: 'The state of a reply.',
  values: {
    QUEUED: { description: 'The reply waits for its turn in the conversation.' },
    RUNNING: { description: 'The assistant is writing the reply.' },
    ACTION_REQUIRED: {
      description: 'The reply waits for the outputs of its tool calls until `actionExpiresAt`.',
    },
    COMPLETED: { description: 'The reply has its whole answer.' },
    FAILED: { description: 'The reply ended without a whole answer for the reason in `failure`.' },
    CANCELLED: { description: 'The reply was stopped on request.' },
  },
})

const failureCodes: Readonly<Record<ReplyFailureCode, { readonly description: string }>> = {
  UPSTREAM_UNAVAILABLE: { description: "The assistant's platform could not be reached." },
  UPSTREAM_TLS: { description: "The certificate of the assistant's platform was not accepted." },
  UPSTREAM_AUTH: { description: "The platform refused the gateway's credentials." },
  UPSTREAM_RATE_LIMITED: { description: 'The platform is receiving too many requests.' },
  UPSTREAM_QUOTA: { description: "The quota of the assistant's account is used up." },
  UPSTREAM_ERROR: { description: 'The platform reported an error of its own.' },
  UPSTREAM_TRUNCATED: { description: 'The platform ended the answer before it was whole.' },
  UPSTREAM_TIMEOUT: { description: 'The platform took too long to answer.' },
  UPSTREAM_PROTOCOL: { description: 'The platform sent something that cannot be understood.' },
  UPSTREAM_TOO_LARGE: { description: 'The platform sent more than a reply may hold.' },
  UPSTREAM_REFUSED: { description: 'The platform refused the message.' },
  UPSTREAM_OUTCOME_UNKNOWN: {
    description:
      'Nobody can tell whether the platform received the message, so it was not sent again.',
  },
  CONVERSATION_BUSY: { description: 'Another chat runs in the conversation on the platform.' },
  ACTION_EXPIRED: { description: 'The outputs of the tool calls did not come in time.' },
  ACTION_UNSUPPORTED: { description: 'The assistant asked for an action that is not supported.' },
  ISOLATION_BREACH: {
    description: 'The reply belonged to another session or conversation and was withheld.',
  },
  LIMIT: { description: 'The reply exceeded a limit of the gateway.' },
  EXPIRED: { description: 'The message waited too long in the queue.' },
  SHUTDOWN: { description: 'The gateway was shut down before the reply could end.' },
  STORE_UNAVAILABLE: { description: "The gateway's store could not be written." },
  STORE_FULL: { description: "The gateway's store has no room left." },
  STORE_LOST: { description: "The gateway's store has lost the record of the reply." },
  INTERNAL: { description: 'The gateway has a fault.' },
}

const ReplyFailureCodeType = builder.enumType('ReplyFailureCode', {
  description: 'A stable, machine-readable reason for the failure of a reply.',
  values: failureCodes,
})

export const TokenUsageType = builder.objectRef<Usage>('TokenUsage').implement({
  description: 'The tokens that a reply has cost, as the platform reports them.',
  fields: (t) => ({
    inputTokens: t.exposeInt('inputTokens', { description: 'The number of tokens read.' }),
    outputTokens: t.exposeInt('outputTokens', { description: 'The number of tokens written.' }),
    totalTokens: t.exposeInt('totalTokens', {
      description: 'The number of tokens read and written.',
    }),
  }),
})

export const ReplyFailureType = builder.objectRef<ReplyFailure>('ReplyFailure').implement({
  description: 'The reason why a reply failed.',
  fields: (t) => ({
    code: t.expose('code', {
      type: ReplyFailureCodeType,
      description: 'The stable, machine-readable reason.',
    }),
    message: t.exposeString('message', {
      description: 'A sentence in English that explains the failure.',
    }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether sending the message again may succeed.',
    }),
    retryAfterMs: t.exposeInt('retryAfterMs', {
      nullable: true,
      description:
        'The number of milliseconds to wait before sending the message again, or null if it is not known.',
    }),
  }),
})

ReplyNode.implement({
  description: 'The reply of an assistant to one message of the user.',
  fields: (t) => ({
    status: t.expose('status', { type: ReplyStatus, description: 'The state of the reply.' }),
    text: t.exposeString('text', { description: 'The text of the answer as far as it is known.' }),
    reasoning: t.exposeString('reasoning', {
      description: "The text of the model's reasoning as far as it is known.",
    }),
    queuePosition: t.exposeInt('queuePosition', {
      nullable: true,
      description:
        'The number of waiting replies before this one in its conversation, or null unless the status is QUEUED.',
    }),
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
        'The question that the next message of the conversation answers, or null if the completed reply asks none.',
    }),
    omitted: t.field({
      type: [OmittedContentType],
      description: 'The kinds of content that are no text and are left out of the answer.',
      resolve: ({ omitted }) => [...omitted],
    }),
    toolCalls: t.field({
      type: [ToolCallType],
      description:
        'The tool calls that wait for outputs, empty unless the status is ACTION_REQUIRED.',
      resolve: ({ toolCalls }) => [...toolCalls],
    }),
    actionExpiresAt: t.expose('actionExpiresAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'The instant until which the reply waits for tool outputs, or null unless the status is ACTION_REQUIRED.',
    }),
    contextReset: t.exposeBoolean('contextReset', {
      description: 'Whether the assistant may have lost older context of the conversation.',
    }),
    failure: t.expose('failure', {
      type: ReplyFailureType,
      nullable: true,
      description: 'The reason why the reply failed, or null unless the status is FAILED.',
    }),
    upstreamCancelled: t.exposeBoolean('upstreamCancelled', {
      description: 'Whether the platform was told of the cancellation and confirmed it.',
    }),
    conversation: t.field({
      description: 'The conversation that the reply belongs to.',
      type: ConversationNode,
      resolve: ({ conversationId }) => conversationId,
    }),
    message: t.field({
      description: 'The message of the user that the reply answers.',
      type: MessageNode,
      resolve: ({ messageId }) => messageId,
    }),
    answer: t.field({
      description: 'The finished answer as a message, or null unless the status is COMPLETED.',
      type: MessageNode,
      nullable: true,
      resolve: ({ answerId }) => answerId,
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'The instant at which the message was accepted.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'The instant at which the message was sent to the platform, or null if it was not sent yet.',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant at which the reply ended, or null while it is open.',
    }),
    explanation: t.field({
      description:
        'An account for operators of how the reply came to be, or null while the reply is open or if its message was never sent.',
      type: ReplyExplanationType,
      nullable: true,
      authScopes: { operator: true },
      resolve: ({ explanation }) => explanation,
    }),
  }),
})

builder.queryField('reply', (t) =>
  t.field({
    description: "The reply with this id, or null if the caller's session has none.",
    type: ReplyNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'The id of a reply.' }) },
    resolve: (_root, args, context) => {
      const id = decodeId('Reply', args.id)
      return id ? orNull(ReplyNode.getDataloader(context).load(id)) : null
    },
  }),
)

/** The id that a `replyId` argument contains. @throws {@link NotFoundError} for text that is not the id of a reply */
export function getReplyId(argument: string) {
  const id = decodeId('Reply', argument)
  if (!id) throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
  return id
}
