import type { AttachmentId, JsonValue, MessageExtras, Reply } from '../../domain.ts'
import {
  AssistantUnavailableError,
  ConversationBusyError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  QueueFullError,
  RateLimitedError,
} from '../../errors.ts'
import { getAssistantId } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import type { GraphContext } from '../context.ts'
import { getConversationId } from './conversation.ts'
import { gatewayErrorOf } from '../execution/errors.ts'
import { decodeId } from '../global-id.ts'
import { ReplyNode } from './nodes.ts'
import { rawInput } from './raw-input.ts'

const maxKeyLength = 255

const BusyPolicy = builder.enumType('BusyPolicy', {
  description: 'What to do while another reply runs in the conversation.',
  values: {
    QUEUE: { description: 'Wait for its end; see `Reply.queuePosition`.' },
    REJECT: { description: 'Refuse with CONVERSATION_BUSY.' },
    INTERRUPT: { description: 'Cancel it, and all that waits behind it; come next.' },
  },
})

const AttachmentInput = builder.inputType('AttachmentInput', {
  description: 'A file that goes with a message.',
  fields: (t) => ({
    attachmentId: t.id({
      required: true,
      description: 'The id of an attachment that was uploaded for the same assistant.',
    }),
  }),
})

const ParameterInput = builder.inputType('ParameterInput', {
  description: 'A parameter of a message.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'One of the `messageParameters` of the assistant.',
    }),
    value: t.field({ type: 'JSON', required: true, description: 'Its value; a Bot takes texts.' }),
  }),
})

const MetadataInput = builder.inputType('MetadataInput', {
  description: 'A note on a message for the assistant.',
  fields: (t) => ({
    key: t.string({
      required: true,
      description: 'One of the `messageMetadata` of the assistant.',
    }),
    value: t.string({
      required: true,
      description: 'Its value.',
    }),
  }),
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
    attachments: t.field({ type: [AttachmentInput], description: 'Files that go with it.' }),
    parameters: t.field({
      type: [ParameterInput],
      description: 'Parameters that the assistant takes with a message; each once.',
    }),
    metadata: t.field({
      type: [MetadataInput],
      description: 'Notes that the assistant takes with a message; each once.',
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
    ...costs(500),
    description: 'Sends a message; answers when it is stored, without waiting for the assistant.',
    type: SendMessageSuccess,
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'The message.' }) },
    errors: {
      types: [
        InvalidInputError,
        NotFoundError,
        ConversationBusyError,
        QueueFullError,
        RateLimitedError,
        IdempotencyMismatchError,
        NotSupportedError,
        AssistantUnavailableError,
      ],
      union: { name: 'SendMessageResult', description: 'What became of the message.' },
    },
    resolve: (_root, { input }, context, info) =>
      counted(context, async () => {
        const { text, idempotencyKey: key } = input
        checkText(text, context)
        if (key != null && (key === '' || key.length > maxKeyLength)) {
          throw new InvalidInputError(`"idempotencyKey" must have 1 to ${maxKeyLength} characters.`)
        }
        const reply = await context.replies.sendMessage({
          text,
          assistantId: getAssistantId(input.assistantId, context),
          conversationId:
            input.conversationId == null ? undefined : getConversationId(input.conversationId),
          attachmentIds: getAttachmentIds(input.attachments ?? []),
          extras: extrasOf(input.parameters ?? [], input.metadata ?? []),
          onBusy: input.onBusy,
          idempotency: key == null ? undefined : { key, input: rawInput(info, 'input') },
        })
        return { reply }
      }),
  }),
)

/** Whatever refuses a message, and wherever, it is counted. */
async function counted<T>({ metrics }: GraphContext, send: () => Promise<T>): Promise<T> {
  try {
    const sent = await send()
    metrics.messageTaken(undefined)
    return sent
  } catch (error) {
    metrics.messageTaken(gatewayErrorOf(error)?.code ?? 'INTERNAL_SERVER_ERROR')
    throw error
  }
}

function checkText(text: string, { limits }: GraphContext): void {
  if (text.trim() === '') throw new InvalidInputError('"text" is empty.')
  if (text.length > limits.maxMessageLength) {
    throw new InvalidInputError(`"text" may have at most ${limits.maxMessageLength} characters.`)
  }
}

function getAttachmentIds(
  attachments: readonly { readonly attachmentId: string }[],
): readonly AttachmentId[] {
  return attachments.map(({ attachmentId }) => {
    const id = decodeId('Attachment', attachmentId)
    if (!id) throw new NotFoundError('There is no such attachment.')
    return id
  })
}

function extrasOf(
  parameters: readonly { readonly name: string; readonly value: JsonValue }[],
  metadata: readonly { readonly key: string; readonly value: string }[],
): MessageExtras {
  if (hasRepeats(parameters.map(({ name }) => name))) {
    throw new InvalidInputError('"parameters" has a name twice.')
  }
  if (hasRepeats(metadata.map(({ key }) => key))) {
    throw new InvalidInputError('"metadata" has a key twice.')
  }
  return {
    parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, value])),
    metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])),
  }
}

function hasRepeats(names: readonly string[]): boolean {
  return new Set(names).size < names.length
}
