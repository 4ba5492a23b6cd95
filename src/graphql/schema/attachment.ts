import type { Attachment } from '../../domain.ts'
import {
  AssistantUnavailableError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  RateLimitedError,
  TooLargeError,
} from '../../errors.ts'
import { costs } from '../cost.ts'
import { assistantIdDescription, getAssistant } from './assistant.ts'
import { builder } from './builder.ts'
import { AssistantNode, AttachmentNode } from './nodes.ts'

AttachmentNode.implement({
  description: 'A file that was uploaded for an assistant and can be attached to messages.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the file as it was uploaded.' }),
    mediaType: t.exposeString('mediaType', {
      description: 'The media type of the file, such as `image/png`.',
    }),
    byteSize: t.exposeInt('bytes', { description: 'The size of the file in bytes.' }),
    assistant: t.field({
      description:
        'The assistant that the file was uploaded for, or null if it is no longer configured.',
      type: AssistantNode,
      nullable: true,
      resolve: ({ assistantId }, _args, { assistants }) =>
        assistants.find(({ id }) => id === assistantId) ?? null,
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'The instant at which the file was uploaded.',
    }),
  }),
})

const UploadFileInput = builder.inputType('UploadFileInput', {
  description: 'A file and the assistant to upload it for.',
  fields: (t) => ({
    file: t.field({
      type: 'Upload',
      required: true,
      description: 'The file, sent as a part of a GraphQL multipart request.',
    }),
    assistantId: t.id({ description: assistantIdDescription }),
  }),
})

const UploadFileSuccess = builder
  .objectRef<{ attachment: Attachment }>('UploadFileSuccess')
  .implement({
    description: 'The result of an upload that the assistant has received.',
    fields: (t) => ({
      attachment: t.expose('attachment', {
        type: AttachmentNode,
        description: 'The new attachment, whose id goes into `attachmentIds` of a message.',
      }),
    }),
  })

builder.mutationField('uploadFile', (t) =>
  t.field({
    ...costs(500),
    description:
      'Uploads a file for an assistant by a GraphQL multipart request with the header `graphql-require-preflight`.',
    type: UploadFileSuccess,
    args: {
      input: t.arg({
        type: UploadFileInput,
        required: true,
        description: 'The file and its assistant.',
      }),
    },
    errors: {
      types: [
        InvalidInputError,
        NotFoundError,
        NotSupportedError,
        RateLimitedError,
        AssistantUnavailableError,
        TooLargeError,
      ],
      union: {
        name: 'UploadFileResult',
        description: 'The outcome of `uploadFile`: the attachment or a refusal.',
      },
    },
    resolve: async (_root, { input: { file, assistantId } }, context) => {
      const assistant = assistantId == null ? undefined : getAssistant(assistantId, context)
      return { attachment: await context.conversations.uploadFile(assistant?.id, file) }
    },
  }),
)
