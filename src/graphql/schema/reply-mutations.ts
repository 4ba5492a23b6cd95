import type { Reply } from '../../domain.ts'
import { InvalidInputError, NotFoundError } from '../../errors.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { ReplyNode } from './nodes.ts'
import { getReplyId } from './reply.ts'

const CancelReplyInput = builder.inputType('CancelReplyInput', {
  description: 'Which reply to stop.',
  fields: (t) => ({
    replyId: t.id({ required: true, description: 'The id of the reply.' }),
  }),
})

const CancelReplySuccess = builder.objectRef<{ reply: Reply }>('CancelReplySuccess').implement({
  description: 'The reply has ended.',
  fields: (t) => ({
    reply: t.expose('reply', { type: ReplyNode, description: 'The reply as it ended.' }),
  }),
})

builder.mutationField('cancelReply', (t) =>
  t.field({
    ...costs(500),
    description: 'Stops a reply; one that has ended stays as it is.',
    type: CancelReplySuccess,
    args: {
      input: t.arg({ type: CancelReplyInput, required: true, description: 'Which reply.' }),
    },
    errors: {
      types: [NotFoundError],
      union: { name: 'CancelReplyResult', description: 'What became of the request.' },
    },
    resolve: async (_root, { input }, { replies }) => ({
      reply: await replies.cancelReply(getReplyId(input.replyId)),
    }),
  }),
)

const ToolOutputInput = builder.inputType('ToolOutputInput', {
  description: 'What came of one tool call.',
  fields: (t) => ({
    toolCallId: t.string({ required: true, description: 'The id of the tool call.' }),
    output: t.string({ required: true, description: 'What the assistant gets to read.' }),
  }),
})

const SubmitToolOutputsInput = builder.inputType('SubmitToolOutputsInput', {
  description: 'A reply that is ACTION_REQUIRED, and the outputs it waits for.',
  fields: (t) => ({
    replyId: t.id({ required: true, description: 'The id of the reply.' }),
    outputs: t.field({
      type: [ToolOutputInput],
      required: true,
      description: 'One for each of its `toolCalls`.',
    }),
  }),
})

const SubmitToolOutputsSuccess = builder
  .objectRef<{ reply: Reply }>('SubmitToolOutputsSuccess')
  .implement({
    description: 'The outputs are taken, and the reply goes on.',
    fields: (t) => ({
      reply: t.expose('reply', { type: ReplyNode, description: 'The reply, running again.' }),
    }),
  })

builder.mutationField('submitToolOutputs', (t) =>
  t.field({
    ...costs(500),
    description:
      'Answers the tool calls that a reply waits for, all at once; equal outputs sent again change nothing.',
    type: SubmitToolOutputsSuccess,
    args: {
      input: t.arg({ type: SubmitToolOutputsInput, required: true, description: 'The outputs.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError],
      union: { name: 'SubmitToolOutputsResult', description: 'What became of the outputs.' },
    },
    resolve: async (_root, { input }, { replies }) => ({
      reply: await replies.submitToolOutputs(getReplyId(input.replyId), input.outputs),
    }),
  }),
)
