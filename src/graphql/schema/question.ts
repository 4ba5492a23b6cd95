import type { Question, QuestionField } from '../../domain.ts'
import { builder } from './builder.ts'

const QuestionFieldType = builder.objectRef<QuestionField>('QuestionField').implement({
  description: 'A field of an input form.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name in the answer.' }),
    type: t.exposeString('type', { description: "Its type, in the assistant platform's words." }),
    required: t.exposeBoolean('required', { description: 'Whether the answer must have it.' }),
  }),
})

export const QuestionType = builder.objectRef<Question>('Question').implement({
  description:
    'What an assistant asks back: the next message in the conversation answers it. Where there are fields, answer with a JSON object of their names.',
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The question.' }),
    options: t.exposeStringList('options', {
      description: 'What may be chosen from; empty: anything may be answered.',
    }),
    fields: t.field({
      type: [QuestionFieldType],
      description: 'The fields of an input form; empty unless it is one.',
      resolve: ({ fields }) => [...fields],
    }),
  }),
})

export const OmittedContentType = builder.enumType('OmittedContent', {
  description: 'What an assistant said that is no text, and is not in the answer.',
  values: {
    CARD: { description: 'A card.' },
    AUDIO: { description: 'Speech.' },
    OTHER: {
      description: 'Something else; of a reply without text, also what its tools returned.',
    },
  },
})
