import { AttachmentNode, MessageNode, orNull, ReplyNode } from './nodes.ts'
import { builder } from './builder.ts'
import { RatingType } from '../rating.ts'

const MessageRole = builder.enumType('MessageRole', {
  description: 'Who wrote a message.',
  values: {
    USER: { description: 'The user.' },
    ASSISTANT: { description: 'The assistant: a finished answer.' },
  },
})

MessageNode.implement({
  description: 'What the user sent, or a finished answer.',
  fields: (t) => ({
    role: t.expose('role', { type: MessageRole, description: 'Who wrote it.' }),
    text: t.exposeString('text', { description: 'What it says.' }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'When it was written.',
    }),
    reply: t.field({
      description: 'The reply that answers it, or whose answer it is.',
      type: ReplyNode,
      resolve: ({ replyId }) => replyId,
    }),
    attachments: t.field({
      description: 'The files that the user sent along, as long as their record is kept.',
      type: [AttachmentNode],
      resolve: async ({ attachmentIds }, _args, context) => {
        const loader = AttachmentNode.getDataloader(context)
        const loading = attachmentIds.map((id) => orNull(loader.load(id)))
        return (await Promise.all(loading)).filter((attachment) => attachment !== null)
      },
    }),
    rating: t.expose('rating', {
      type: RatingType,
      nullable: true,
      description: 'What the session thinks of an answer; see `giveFeedback`.',
    }),
  }),
})
