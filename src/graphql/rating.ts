import { builder } from './schema/builder.ts'

export const RatingType = builder.enumType('Rating', {
  description: 'What a session thinks of an answer.',
  values: {
    LIKE: { description: 'It is good.' },
    UNLIKE: { description: 'It is bad.' },
  },
})
