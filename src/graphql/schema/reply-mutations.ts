import type { Reply } from '../../domain.ts'
import { InvalidInputError, NotFoundError } from '../../errors.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { ReplyNode } from './nodes.ts'
import { getReplyId } from './reply.ts'

const CancelReplyInput = builder.inputType('CancelReplyInput', {
  description: 'The reply to stop.',
  fields: (t) => ({
    replyId: t.id({ required: true, description: 'The id of the reply.' }),
  }),
})

const CancelReplySuccess = builder.objectRef<{ reply: Reply }>('CancelReplySuccess').implement({
  description: 'The result of a reply that is stopped or had ended before.',
  fields: (t) => ({
    reply: t.expose('reply', { type: ReplyNode, description: 'The reply in its final state.' }),
  }),
})

builder.mutationField('cancelReply', (t) =>
  t.field({
    ...costs(500),
    description: 'Stops a reply, or leaves it unchanged if it has ended.',
    type: CancelReplySuccess,
    args: {
      input: t.arg({ type: CancelReplyInput, required: true, description: 'The reply to stop.' }),
    },
    errors: {
      types: [NotFoundError],
      union: {
        name: 'CancelReplyResult',
        description: 'The outcome of `cancelReply`: the reply or a refusal.',
      },
    },
    resolve: async (_root, { input }, { replies }) => ({
      reply: await replies.cancelReply(getReplyId(input.replyId)),
    }),
  }),
)

const ToolOutputInput = builder.inputType('ToolOutputInput', {
  description: 'The output of one tool call.',
  fields: (t) => ({
    callId: t.id({ required: true, description: 'The `callId` of the tool call.' }),
    output: t.string({
      required: true,
      description: 'The output that the assistant gets to read.',
    }),
  }),
})

const SubmitToolOutputsInput = builder.inputType('SubmitToolOutputsInput', {
  description: 'A reply that waits for tool outputs and the outputs.',
  fields: (t) => ({
    replyId: t.id({ required: true, description: 'The id of the reply.' }),
    outputs: t.field({
      type: [ToolOutputInput],
      required: true,
      description: 'The outputs, exactly one for each of the `toolCalls` of the reply.',
    }),
  }),
})

const SubmitToolOutputsSuccess = builder
  .objectRef<{ reply: Reply }>('SubmitToolOutputsSuccess')
  .implement({
    description: 'The result of outputs that were accepted.',
    fields: (t) => ({
      reply: t.expose('reply', {
        type: ReplyNode,
        description: 'The reply, which is running again.',
      }),
    }),
  })

builder.mutationField('submitToolOutputs', (t) =>
  t.field({
    ...costs(500),
    description:
      'Sends the outputs of all tool calls that a reply waits for, where sending equal outputs again changes nothing.',
    type: SubmitToolOutputsSuccess,
    args: {
      input: t.arg({
        type: SubmitToolOutputsInput,
        required: true,
        description: 'The reply and the outputs.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError],
      union: {
        name: 'SubmitToolOutputsResult',
        description: 'The outcome of `submitToolOutputs`: the reply or a refusal.',
      },
    },
    resolve: async (_root, { input }, { replies }) => ({
      reply: await replies.submitToolOutputs(
        getReplyId(input.replyId),
        input.outputs.map(({ callId, output }) => ({ toolCallId: callId, output })),
      ),
    }),
  }),
)
