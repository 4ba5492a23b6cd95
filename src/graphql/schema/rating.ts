import type { Message } from '../../domain.ts'
import { InvalidInputError, NotFoundError, NotSupportedError } from '../../errors.ts'
import { costs } from '../cost.ts'
import { decodeId } from '../global-id.ts'
import { builder } from './builder.ts'
import { MessageNode } from './nodes.ts'

export const RatingType = builder.enumType('Rating', {
  description: "A user's opinion of an answer.",
  values: {
    LIKE: { description: 'The user likes the answer.' },
    DISLIKE: { description: 'The user dislikes the answer.' },
  },
})

const RateAnswerInput = builder.inputType('RateAnswerInput', {
  description: 'An answer and the rating to give it.',
  fields: (t) => ({
    messageId: t.id({
      required: true,
      description: 'The id of the message with the answer.',
    }),
    rating: t.field({ type: RatingType, required: true, description: 'The rating to give.' }),
    reasons: t.stringList({
      description:
        'Short reasons for the rating. At most 10 reasons of 30 characters each are accepted.',
    }),
    comment: t.string({
      description: 'A comment in the words of the user. At most 250 characters are accepted.',
    }),
  }),
})

const RateAnswerSuccess = builder.objectRef<{ answer: Message }>('RateAnswerSuccess').implement({
  description: 'The result of a rating that the assistant has received.',
  fields: (t) => ({
    answer: t.expose('answer', {
      type: MessageNode,
      description: 'The answer with its new rating.',
    }),
  }),
})

builder.mutationField('rateAnswer', (t) =>
  t.field({
    ...costs(2_000),
    description: 'Rates an answer here and on the platform of its assistant.',
    type: RateAnswerSuccess,
    args: {
      input: t.arg({
        type: RateAnswerInput,
        required: true,
        description: 'The answer and its rating.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, NotSupportedError],
      union: {
        name: 'RateAnswerResult',
        description: 'The outcome of `rateAnswer`: the rated answer or a refusal.',
      },
    },
    resolve: async (_root, { input }, { conversations }) => {
      const { messageId, rating, reasons, comment } = input
      const feedback = { rating, reasons: reasons ?? [], comment: comment ?? undefined }
      return { answer: await conversations.rate(getMessageId(messageId), feedback) }
    },
  }),
)

const RemoveRatingInput = builder.inputType('RemoveRatingInput', {
  description: 'An answer whose rating is to be removed.',
  fields: (t) => ({
    messageId: t.id({
      required: true,
      description: 'The id of the message with the answer.',
    }),
  }),
})

const RemoveRatingSuccess = builder
  .objectRef<{ answer: Message }>('RemoveRatingSuccess')
  .implement({
    description: 'The result of a rating that was removed.',
    fields: (t) => ({
      answer: t.expose('answer', {
        type: MessageNode,
        description: 'The answer without its rating.',
      }),
    }),
  })

builder.mutationField('removeRating', (t) =>
  t.field({
    ...costs(2_000),
    description: 'Removes the rating of an answer here and on the platform of its assistant.',
    type: RemoveRatingSuccess,
    args: {
      input: t.arg({ type: RemoveRatingInput, required: true, description: 'The rated answer.' }),
    },
    errors: {
      types: [NotFoundError, NotSupportedError],
      union: {
        name: 'RemoveRatingResult',
        description: 'The outcome of `removeRating`: the answer or a refusal.',
      },
    },
    resolve: async (_root, { input: { messageId } }, { conversations }) => {
      const feedback = { rating: null, reasons: [], comment: undefined }
      return { answer: await conversations.rate(getMessageId(messageId), feedback) }
    },
  }),
)

function getMessageId(argument: string) {
  const id = decodeId('Message', argument)
  if (!id) throw new NotFoundError('There is no such answer.', { field: ['messageId'] })
  return id
}
