import { BadUserInputError } from '../../errors.ts'
import { findAssistantNode } from './assistant.ts'
import { builder } from './builder.ts'
import type { GraphContext } from '../context.ts'
import { decodeId } from '../global-id.ts'
import { AttachmentNode, ConversationNode, MessageNode, orNull, ReplyNode } from './nodes.ts'
import { findProbe } from './probe.ts'

const maxNodes = 100

builder.queryFields((t) => ({
  node: t.field({
    description: "The object with this id, or null if the caller's session has none.",
    type: builder.nodeInterfaceRef(),
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'The id of an object.' }) },
    resolve: (_root, { id }, context) => findNode(id, context),
  }),
  nodes: t.field({
    description:
      "The objects with these ids in their order, with null where the caller's session has none.",
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    args: {
      ids: t.arg.idList({
        required: true,
        description: 'The ids of objects, each once. At most 100 are accepted.',
      }),
    },
    resolve: (_root, { ids }, context) => {
      if (ids.length > maxNodes)
        throw new BadUserInputError(`"ids" may have at most ${maxNodes} entries.`)
      if (new Set(ids).size < ids.length) throw new BadUserInputError('"ids" has an id twice.')
      return ids.map((id) => findNode(id, context))
    },
  }),
}))

/** Null for an invalid id, an unknown id, and an id of another session. Callers cannot tell these apart. */
async function findNode(globalId: string, context: GraphContext): Promise<object | null> {
  const assistant = findAssistantNode(globalId, context)
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
  // Probes exist for operators only.
  const probe = context.isOperator ? findProbe(globalId, context) : undefined
  return probe ? { ...probe, __typename: 'Probe' } : null
}

async function named(__typename: string, loading: Promise<object>): Promise<object | null> {
  const row = await orNull(loading)
  return row && { ...row, __typename }
}
