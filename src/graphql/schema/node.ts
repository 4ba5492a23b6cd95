import { BadUserInputError } from '../../errors.ts'
import { findAssistant } from './assistant.ts'
import { builder } from './builder.ts'
import type { GraphContext } from '../context.ts'
import { decodeId } from '../global-id.ts'
import { AttachmentNode, ConversationNode, MessageNode, orNull, ReplyNode } from './nodes.ts'

const maxNodes = 100

builder.queryFields((t) => ({
  node: t.field({
    description: 'The node that this id names, if the session has it.',
    type: builder.nodeInterfaceRef(),
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'An id that this API gave.' }) },
    resolve: (_root, { id }, context) => findNode(id, context),
  }),
  nodes: t.field({
    description:
      'The nodes that these ids name, null where the session has none; at most 100, each once.',
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    args: { ids: t.arg.idList({ required: true, description: 'Ids that this API gave.' }) },
    resolve: (_root, { ids }, context) => {
      if (ids.length > maxNodes)
        throw new BadUserInputError(`"ids" may have at most ${maxNodes} entries.`)
      if (new Set(ids).size < ids.length) throw new BadUserInputError('"ids" has an id twice.')
      return ids.map((id) => findNode(id, context))
    },
  }),
}))

/** Null for garbage, for what never was, and for what another session has: nobody can tell which. */
async function findNode(globalId: string, context: GraphContext): Promise<object | null> {
  const assistant = findAssistant(globalId, context)
  if (assistant) return { ...assistant, __typename: 'Assistant' }
  const conversationId = decodeId('Conversation', globalId)
  if (conversationId) {
    return named('Conversation', ConversationNode.getDataloader(context).load(conversationId))
  }
  const messageId = decodeId('Message', globalId)
  if (messageId) return named('Message', MessageNode.getDataloader(context).load(messageId))
  const replyId = decodeId('Reply', globalId)
  if (replyId) return named('Reply', ReplyNode.getDataloader(context).load(replyId))
  const attachmentId = decodeId('Attachment', globalId)
  if (attachmentId) {
    return named('Attachment', AttachmentNode.getDataloader(context).load(attachmentId))
  }
  return null
}

async function named(__typename: string, loading: Promise<object>): Promise<object | null> {
  const row = await orNull(loading)
  return row && { ...row, __typename }
}
