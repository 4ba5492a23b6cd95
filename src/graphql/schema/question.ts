import type { Question, QuestionField } from '../../domain.ts'
import { builder } from './builder.ts'

const QuestionFieldType = builder.objectRef<QuestionField>('QuestionField').implement({
  description: 'A field of an input form.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the field in the JSON answer.' }),
    type: t.exposeString('type', {
      description: "The type of the field in the words of the assistant's platform.",
    }),
    isRequired: t.exposeBoolean('required', {
      description: 'Whether the answer must have the field.',
    }),
  }),
})

export const QuestionType = builder.objectRef<Question>('Question').implement({
  description: 'A question of a Workflow that the next message of the conversation answers.',
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The text of the question.' }),
    options: t.exposeStringList('options', {
      description: 'The answers to choose from, empty if any answer is accepted.',
    }),
    fields: t.field({
      type: [QuestionFieldType],
      description:
        'The fields of an input form to answer with a JSON object of their names, empty unless the question is a form.',
      resolve: ({ fields }) => [...fields],
    }),
  }),
})

export const OmittedContentType = builder.enumType('OmittedContent', {
  description: 'A kind of content that is no text and is left out of an answer.',
  values: {
    CARD: { description: 'A card.' },
    AUDIO: { description: 'Speech.' },
    OTHER: {
      description: 'Any other content, including tool results in a reply without text.',
    },
  },
})
