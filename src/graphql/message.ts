import { builder } from './builder.ts'
import { MessageNode, ReplyNode } from './nodes.ts'

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
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was written.' }),
    reply: t.field({
      description: 'The reply that answers it, or whose answer it is.',
      type: ReplyNode,
      resolve: ({ replyId }) => replyId,
    }),
  }),
})
