import type { Attachment } from '../../domain.ts'
import {
  AssistantUnavailableError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  RateLimitedError,
  TooLargeError,
} from '../../errors.ts'
import { getAssistantId } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { AssistantNode, AttachmentNode } from './nodes.ts'

AttachmentNode.implement({
  description: 'A file that was uploaded for an assistant; a message names it to carry it.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, as it was uploaded.' }),
    mediaType: t.exposeString('mediaType', { description: 'Its media type, such as `image/png`.' }),
    bytes: t.exposeInt('bytes', { description: 'Its size.' }),
    assistant: t.field({
      description: 'For whom it was uploaded; null once it is no longer configured.',
      type: AssistantNode,
      nullable: true,
      resolve: ({ assistantId }, _args, { assistants }) =>
        assistants.find(({ id }) => id === assistantId) ?? null,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was uploaded.' }),
  }),
})

const UploadFileSuccess = builder
  .objectRef<{ attachment: Attachment }>('UploadFileSuccess')
  .implement({
    description: 'The assistant has the file.',
    fields: (t) => ({
      attachment: t.expose('attachment', {
        type: AttachmentNode,
        description: 'Name its id in `sendMessage`.',
      }),
    }),
  })

builder.mutationField('uploadFile', (t) =>
  t.field({
    ...costs(500),
    description:
      'Uploads a file for an assistant, by a GraphQL multipart request with the header `graphql-require-preflight`.',
    type: UploadFileSuccess,
    args: {
      file: t.arg({ type: 'File', required: true, description: 'The file.' }),
      assistantId: t.arg.id({
        description: 'The id or configured name of an assistant; default: the first configured.',
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
      union: { name: 'UploadFileResult', description: 'What became of the file.' },
    },
    resolve: async (_root, { file, assistantId }, context) => {
      const id = getAssistantId(assistantId, context)
      return { attachment: await context.conversations.uploadFile(id, file) }
    },
  }),
)
