import type { ToolCall } from '../../domain.ts'
import { builder } from './builder.ts'

const ToolCallKind = builder.enumType('ToolCallKind', {
  description: 'The kind of output that a tool call asks for.',
  values: {
    FUNCTION: { description: 'The output of a function that the client runs.' },
    QUESTION: { description: "The user's answer to a question that the assistant has just asked." },
  },
})

export const ToolCallType = builder.objectRef<ToolCall>('ToolCall').implement({
  description: 'A request of the assistant that the client answers with `submitToolOutputs`.',
  fields: (t) => ({
    callId: t.exposeID('id', {
      description: "The platform's id of the call, which is unique within its reply only.",
    }),
    kind: t.expose('kind', {
      type: ToolCallKind,
      description: 'The kind of output that is asked for.',
    }),
    name: t.exposeString('name', {
      nullable: true,
      description: 'The name of the function to run, or null unless the kind is FUNCTION.',
    }),
    arguments: t.exposeString('arguments', {
      nullable: true,
      description:
        'The arguments of the function as JSON text written by the model, or null unless the kind is FUNCTION; check them before use.',
    }),
  }),
})
