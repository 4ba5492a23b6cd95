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
import { assistantIdDescription, getAssistant } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import type { GraphContext } from '../context.ts'
import { getConversationId } from './conversation.ts'
import { gatewayErrorOf } from '../execution/errors.ts'
import { decodeId } from '../global-id.ts'
import { ReplyNode } from './nodes.ts'
import { getIdempotency } from './raw-input.ts'

const BusyPolicy = builder.enumType('BusyPolicy', {
  description: 'The treatment of a message while another reply is open in the conversation.',
  values: {
    QUEUE: { description: 'The message waits for its turn, which `Reply.queuePosition` shows.' },
    REJECT: { description: 'The message is refused with CONVERSATION_BUSY.' },
    INTERRUPT: {
      description: 'The message cancels all open replies of the conversation and comes next.',
    },
  },
})

const ParameterInput = builder.inputType('ParameterInput', {
  description: 'A parameter of a message, as a name and a value.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'One of the `parameterNames` of the assistant.',
    }),
    value: t.field({
      type: 'JSON',
      required: true,
      description: 'The value of the parameter, which must be a string for a Bot.',
    }),
  }),
})

const MetadataInput = builder.inputType('MetadataInput', {
  description: 'A piece of metadata of a message, as a name and a value.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'One of the `metadataNames` of the assistant.',
    }),
    value: t.string({
      required: true,
      description: 'The value of the metadata.',
    }),
  }),
})

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A message of the user and its destination.',
  fields: (t) => ({
    text: t.string({ required: true, description: 'The text of the message.' }),
    assistantId: t.id({ description: assistantIdDescription }),
    conversationId: t.id({
      description:
        "The id of a conversation with that assistant. The default is the session's most recently used one, or a new one if there is none.",
    }),
    attachmentIds: t.idList({
      description: 'The ids of attachments that were uploaded for the same assistant, each once.',
    }),
    imageUrls: t.stringList({
      description:
        'The https URLs of images on `imageHosts` of the assistant, which Coze fetches and the gateway does not.',
    }),
    parameters: t.field({
      type: [ParameterInput],
      description: 'The parameters of the message, each name once.',
    }),
    metadata: t.field({
      type: [MetadataInput],
      description: 'The metadata of the message, each name once.',
    }),
    idempotencyKey: t.string({
      description:
        'A key of at most 255 characters that makes every repetition of the same input return the same reply.',
    }),
    onBusy: t.field({
      type: BusyPolicy,
      defaultValue: 'QUEUE',
      description: 'The treatment of the message while another reply is open in the conversation.',
    }),
  }),
})

const SendMessageSuccess = builder.objectRef<{ reply: Reply }>('SendMessageSuccess').implement({
  description: 'The result of a message that is stored durably.',
  fields: (t) => ({
    reply: t.expose('reply', {
      type: ReplyNode,
      description: 'The reply, which `Subscription.replies` follows.',
    }),
  }),
})

builder.mutationField('sendMessage', (t) =>
  t.field({
    ...costs(500),
    description:
      'Sends a message and returns as soon as it is stored, without waiting for the assistant.',
    type: SendMessageSuccess,
    args: {
      input: t.arg({
        type: SendMessageInput,
        required: true,
        description: 'The message and its destination.',
      }),
    },
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
      union: {
        name: 'SendMessageResult',
        description: 'The outcome of `sendMessage`: the reply to come or a refusal.',
      },
    },
    resolve: (_root, { input }, context, info) =>
      counted(context, async () => {
        const { text, idempotencyKey } = input
        checkText(text, context)
        const reply = await context.replies.sendMessage({
          text,
          assistantId:
            input.assistantId == null ? undefined : getAssistant(input.assistantId, context).id,
          conversationId:
            input.conversationId == null ? undefined : getConversationId(input.conversationId),
          attachmentIds: getAttachmentIds(input.attachmentIds ?? []),
          imageUrls: (input.imageUrls ?? []).map(normalUrl),
          extras: extrasOf(input.parameters ?? [], input.metadata ?? []),
          onBusy: input.onBusy ?? 'QUEUE',
          idempotency: getIdempotency(idempotencyKey, info),
        })
        return { reply }
      }),
  }),
)

/** Counts every message with its refusal, wherever it is refused. */
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
  if (text.trim() === '') throw new InvalidInputError('"text" is empty.', { field: ['text'] })
  if (text.length > limits.maxMessageLength) {
    throw new InvalidInputError(`"text" may have at most ${limits.maxMessageLength} characters.`, {
      field: ['text'],
    })
  }
}

function getAttachmentIds(globalIds: readonly string[]): readonly AttachmentId[] {
  return globalIds.map((globalId, index) => {
    const id = decodeId('Attachment', globalId)
    if (id) return id
    const field = ['attachmentIds', String(index)]
    throw new NotFoundError('There is no such attachment.', { field })
  })
}

/** The platform gets the URL in the form that was checked, since it may read another form as another URL. */
function normalUrl(text: string): string {
  return URL.parse(text)?.href ?? text
}

function extrasOf(
  parameters: readonly { readonly name: string; readonly value: JsonValue }[],
  metadata: readonly { readonly name: string; readonly value: string }[],
): MessageExtras {
  if (hasRepeats(parameters.map(({ name }) => name))) {
    throw new InvalidInputError('"parameters" has two entries with one name.', {
      field: ['parameters'],
    })
  }
  if (hasRepeats(metadata.map(({ name }) => name))) {
    throw new InvalidInputError('"metadata" has two entries with one name.', {
      field: ['metadata'],
    })
  }
  return {
    parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, value])),
    metadata: Object.fromEntries(metadata.map(({ name, value }) => [name, value])),
  }
}

function hasRepeats(names: readonly string[]): boolean {
  return new Set(names).size < names.length
}
