import type { Message } from '../../domain.ts'
import { InvalidInputError, NotFoundError, NotSupportedError } from '../../errors.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { decodeId } from '../global-id.ts'
import { MessageNode } from './nodes.ts'
import { RatingType } from '../rating.ts'

const GiveFeedbackInput = builder.inputType('GiveFeedbackInput', {
  description: 'An answer, and what the user thinks of it.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'The id of an answer.' }),
    rating: t.field({
      type: RatingType,
      description: 'Null takes the rating back; reasons and a comment need one.',
    }),
    reasons: t.stringList({
      description: 'Why, in short words.',
    }),
    comment: t.string({
      description: "Why, in the user's words.",
    }),
  }),
})

const GiveFeedbackSuccess = builder
  .objectRef<{ answer: Message }>('GiveFeedbackSuccess')
  .implement({
    description: 'The rating is with the assistant.',
    fields: (t) => ({
      answer: t.expose('answer', { type: MessageNode, description: 'The answer as it is now.' }),
    }),
  })

builder.mutationField('giveFeedback', (t) =>
  t.field({
    ...costs(2_000),
    description: 'Rates an answer, here and with its assistant.',
    type: GiveFeedbackSuccess,
    args: { input: t.arg({ type: GiveFeedbackInput, required: true, description: 'The rating.' }) },
    errors: {
      types: [InvalidInputError, NotFoundError, NotSupportedError],
      union: { name: 'GiveFeedbackResult', description: 'What became of the rating.' },
    },
    resolve: async (_root, { input }, { conversations }) => {
      const { rating = null, reasons, comment } = input
      const id = decodeId('Message', input.messageId)
      if (!id) throw new NotFoundError('There is no such message.')
      const feedback = { rating, reasons: reasons ?? [], comment: comment ?? undefined }
      return { answer: await conversations.rate(id, feedback) }
    },
  }),
)
