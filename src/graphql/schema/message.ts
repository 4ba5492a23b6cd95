import { builder } from './builder.ts'
import { AttachmentNode, MessageNode, orNull, ReplyNode } from './nodes.ts'
import { RatingType } from './rating.ts'

const MessageRole = builder.enumType('MessageRole', {
  description: 'The author of a message.',
  values: {
    USER: { description: 'The user sent the message.' },
    ASSISTANT: { description: 'The message is a finished answer of the assistant.' },
  },
})

MessageNode.implement({
  description: 'A message of the user or a finished answer of the assistant.',
  fields: (t) => ({
    role: t.expose('role', { type: MessageRole, description: 'The author of the message.' }),
    text: t.exposeString('text', { description: 'The text of the message.' }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'The instant at which the message was written.',
    }),
    reply: t.field({
      description:
        "The reply that answers the user's message, or the reply whose answer the message is.",
      type: ReplyNode,
      resolve: ({ replyId }) => replyId,
    }),
    attachments: t.field({
      description: 'The attachments of the message as far as their records are still kept.',
      type: [AttachmentNode],
      resolve: async ({ attachmentIds }, _args, context) => {
        const loader = AttachmentNode.getDataloader(context)
        const loading = attachmentIds.map((id) => orNull(loader.load(id)))
        return (await Promise.all(loading)).filter((attachment) => attachment !== null)
      },
    }),
    imageUrls: t.stringList({
      description: 'The URLs of images that the user sent along.',
      resolve: ({ imageUrls }) => [...imageUrls],
    }),
    rating: t.expose('rating', {
      type: RatingType,
      nullable: true,
      description:
        "The user's rating of the answer, or null if there is none; `rateAnswer` changes it.",
    }),
  }),
})
