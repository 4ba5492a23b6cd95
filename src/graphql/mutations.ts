import type { Conversation, Reply } from '../domain.ts'
import {
  ConversationBusyError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  QueueFullError,
} from '../errors.ts'
import { getAssistantId } from './assistant.ts'
import { builder } from './builder.ts'
import { decodeId } from './global-id.ts'
import { ConversationNode, ReplyNode } from './nodes.ts'
import { rawInput } from './raw-input.ts'

const maxKeyLength = 255

const BusyPolicy = builder.enumType('BusyPolicy', {
  description: 'What to do while another reply runs in the conversation.',
  values: {
    QUEUE: { description: 'Wait for its end; see `Reply.queuePosition`.' },
    REJECT: { description: 'Refuse with CONVERSATION_BUSY.' },
    INTERRUPT: { description: 'Cancel it, and go to the head of the queue.' },
  },
})

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A message and where it goes.',
  fields: (t) => ({
    text: t.string({ required: true, description: 'What to say.' }),
    assistantId: t.id({
      description: 'The id or configured name of an assistant; default: the first configured.',
    }),
    conversationId: t.id({
      description:
        'Default: the most recently used conversation with that assistant, else a new one; must not be with another assistant.',
    }),
    idempotencyKey: t.string({
      description:
        'At most 255 characters: the same key with the same input answers the same reply, however often it is sent.',
    }),
    onBusy: t.field({
      type: BusyPolicy,
      required: true,
      defaultValue: 'QUEUE',
      description: 'What to do while another reply runs in the conversation.',
    }),
  }),
})

const SendMessageSuccess = builder.objectRef<{ reply: Reply }>('SendMessageSuccess').implement({
  description: 'The message is stored, and its reply will come.',
  fields: (t) => ({
    reply: t.expose('reply', { type: ReplyNode, description: 'The reply to come.' }),
  }),
})

builder.mutationField('sendMessage', (t) =>
  t.field({
    description: 'Sends a message; answers when it is stored, without waiting for the assistant.',
    type: SendMessageSuccess,
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'The message.' }) },
    errors: {
      types: [
        InvalidInputError,
        NotFoundError,
        ConversationBusyError,
        QueueFullError,
        IdempotencyMismatchError,
      ],
      union: { name: 'SendMessageResult', description: 'What became of the message.' },
    },
    resolve: async (_root, { input }, context, info) => {
      const { text, idempotencyKey: key } = input
      if (text.trim() === '') throw new InvalidInputError('"text" is empty.')
      if (text.length > context.maxTextLength) {
        throw new InvalidInputError(`"text" may have ${context.maxTextLength} characters.`)
      }
      if (key != null && (key === '' || key.length > maxKeyLength)) {
        throw new InvalidInputError(`"idempotencyKey" must have 1 to ${maxKeyLength} characters.`)
      }
      const reply = await context.replies.sendMessage({
        text,
        assistantId: getAssistantId(input.assistantId, context),
        conversationId: getConversationId(input.conversationId),
        onBusy: input.onBusy,
        idempotency: key == null ? undefined : { key, input: rawInput(info, 'input') },
      })
      return { reply }
    },
  }),
)

const StartConversationInput = builder.inputType('StartConversationInput', {
  description: 'With whom to begin a conversation.',
  fields: (t) => ({
    assistantId: t.id({
      description: 'The id or configured name of an assistant; default: the first configured.',
    }),
  }),
})

const StartConversationSuccess = builder
  .objectRef<{ conversation: Conversation }>('StartConversationSuccess')
  .implement({
    description: 'The conversation is begun.',
    fields: (t) => ({
      conversation: t.expose('conversation', {
        type: ConversationNode,
        description: 'The new conversation, still empty.',
      }),
    }),
  })

builder.mutationField('startConversation', (t) =>
  t.field({
    description: 'Begins an empty conversation.',
    type: StartConversationSuccess,
    args: {
      input: t.arg({ type: StartConversationInput, required: true, description: 'With whom.' }),
    },
    errors: {
      types: [NotFoundError],
      union: { name: 'StartConversationResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input }, context) => ({
      conversation: await context.replies.startConversation(
        getAssistantId(input.assistantId, context),
      ),
    }),
  }),
)

const CancelReplyInput = builder.inputType('CancelReplyInput', {
  description: 'Which reply to stop.',
  fields: (t) => ({
    replyId: t.id({ required: true, description: 'The id of the reply.' }),
  }),
})

const CancelReplySuccess = builder.objectRef<{ reply: Reply }>('CancelReplySuccess').implement({
  description: 'The reply has ended.',
  fields: (t) => ({
    reply: t.expose('reply', { type: ReplyNode, description: 'The reply as it ended.' }),
  }),
})

builder.mutationField('cancelReply', (t) =>
  t.field({
    description: 'Stops a reply; one that has ended stays as it is.',
    type: CancelReplySuccess,
    args: {
      input: t.arg({ type: CancelReplyInput, required: true, description: 'Which reply.' }),
    },
    errors: {
      types: [NotFoundError],
      union: { name: 'CancelReplyResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input }, { replies }) => {
      const id = decodeId('Reply', input.replyId)
      if (!id) throw new NotFoundError('There is no such reply.')
      return { reply: await replies.cancelReply(id) }
    },
  }),
)

function getConversationId(argument: string | null | undefined) {
  if (argument == null) return undefined
  const id = decodeId('Conversation', argument)
  if (!id) throw new NotFoundError('There is no such conversation.')
  return id
}
