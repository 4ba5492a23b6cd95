import type { AssistantId, AssistantInfo } from '../../domain.ts'
import { NotFoundError } from '../../errors.ts'
import { builder } from './builder.ts'
import type { GraphContext } from '../context.ts'
import { decodeId } from '../global-id.ts'
import { AssistantNode } from './nodes.ts'

builder.node(AssistantNode, {
  id: { resolve: ({ id }) => id },
  description: 'A configured assistant that answers messages.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its configured name.' }),
    messageParameters: t.stringList({
      description: 'Names that `parameters` of a message may have.',
      resolve: ({ messageParameters }) => [...messageParameters],
    }),
    messageMetadata: t.stringList({
      description: 'Keys that `metadata` of a message may have.',
      resolve: ({ messageMetadata }) => [...messageMetadata],
    }),
    takesAttachments: t.exposeBoolean('takesAttachments', {
      description: 'Whether messages may carry files.',
    }),
  }),
})

builder.queryField('assistants', (t) =>
  t.field({
    description: 'The configured assistants; the first is the default.',
    type: [AssistantNode],
    resolve: (_root, _args, { assistants }) => [...assistants],
  }),
)

/** By global id only: a configured name is no node id. */
export function findAssistant(globalId: string, context: GraphContext): AssistantInfo | undefined {
  const id = decodeId('Assistant', globalId)
  return context.assistants.find((assistant) => assistant.id === id)
}

/** What an `assistantId` argument names: a global id, a configured id or a configured name. @throws {@link NotFoundError} */
export function getAssistantId(
  argument: string | null | undefined,
  context: GraphContext,
): AssistantId | undefined {
  if (argument == null) return undefined
  const { assistants } = context
  const assistant =
    findAssistant(argument, context) ??
    assistants.find(({ id }) => id === argument) ??
    assistants.find(({ name }) => name === argument)
  if (!assistant) throw new NotFoundError('There is no such assistant.')
  return assistant.id
}
