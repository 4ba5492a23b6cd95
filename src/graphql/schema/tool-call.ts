import type { ToolCall } from '../../domain.ts'
import { builder } from './builder.ts'

const ToolCallKind = builder.enumType('ToolCallKind', {
  description: 'What a tool call asks for.',
  values: {
    FUNCTION: { description: 'The output of a function: run it.' },
    REPLY: { description: 'An answer to the question that the assistant has just asked.' },
  },
})

export const ToolCallType = builder.objectRef<ToolCall>('ToolCall').implement({
  description: 'What an assistant asks its client to do; answer with `submitToolOutputs`.',
  fields: (t) => ({
    id: t.exposeString('id', { description: 'Names the call within its reply, and nowhere else.' }),
    kind: t.expose('kind', { type: ToolCallKind, description: 'What is asked for.' }),
    name: t.exposeString('name', {
      nullable: true,
      description: 'The name of the function; null unless FUNCTION.',
    }),
    arguments: t.exposeString('arguments', {
      nullable: true,
      description:
        'Its arguments as JSON text, as the model wrote it: check it before use; null unless FUNCTION.',
    }),
  }),
})
