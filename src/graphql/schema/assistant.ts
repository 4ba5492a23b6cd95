import type { AssistantInfo } from '../../domain.ts'
import { NotFoundError } from '../../errors.ts'
import type { GraphContext } from '../context.ts'
import { decodeId } from '../global-id.ts'
import { builder } from './builder.ts'
import { AssistantNode } from './nodes.ts'

/** The description of every optional argument that names an assistant. */
export const assistantIdDescription =
  'The id or configured name of an assistant. The default is the first configured assistant.'

builder.node(AssistantNode, {
  id: { resolve: ({ id }) => id },
  description: 'A configured Coze Workflow or Bot that answers messages.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The configured name of the assistant.' }),
    isAvailable: t.boolean({
      description: 'Whether the assistant accepts messages in new conversations.',
      resolve: ({ id }, _args, { isolation }) => isolation.describe(id).inService,
    }),
    greeting: t.string({
      nullable: true,
      description:
        'The greeting that the Bot was published with, or null if there is none; it may hold the placeholder `{{user_name}}`.',
      resolve: async ({ id }, _args, context) => (await context.openingOf(id)).greeting,
    }),
    suggestedOpenings: t.stringList({
      description: 'The messages that the Bot suggests to begin with.',
      resolve: async ({ id }, _args, context) => [...(await context.openingOf(id)).suggestions],
    }),
    parameterNames: t.stringList({
      description: 'The names that the `parameters` of a message may have.',
      resolve: ({ parameterNames }) => [...parameterNames],
    }),
    metadataNames: t.stringList({
      description: 'The names that the `metadata` of a message may have.',
      resolve: ({ metadataNames }) => [...metadataNames],
    }),
    acceptsAttachments: t.exposeBoolean('acceptsAttachments', {
      description: 'Whether a message may carry attachments.',
    }),
    imageHosts: t.stringList({
      description:
        'The hosts that `imageUrls` of a message may name, where `*.example.com` stands for every host below it. A message may carry no image URLs if the list is empty.',
      resolve: ({ imageHosts }) => [...imageHosts],
    }),
  }),
})

builder.queryFields((t) => ({
  assistants: t.field({
    description:
      'The configured assistants in their configured order, of which the first is the default.',
    type: [AssistantNode],
    resolve: (_root, _args, { assistants }) => [...assistants],
  }),
  assistant: t.field({
    description: 'The assistant with this id or configured name, or null if there is none.',
    type: AssistantNode,
    nullable: true,
    args: {
      id: t.arg.id({ required: true, description: 'The id or configured name of an assistant.' }),
    },
    resolve: (_root, { id }, context) => findAssistant(id, context) ?? null,
  }),
}))

/** Finds an assistant by global id only, since a configured name is not a node id. */
export function findAssistantNode(
  globalId: string,
  { assistants }: GraphContext,
): AssistantInfo | undefined {
  const id = decodeId('Assistant', globalId)
  return assistants.find((assistant) => assistant.id === id)
}

/** Finds an assistant by global id, configured id or configured name. */
function findAssistant(named: string, context: GraphContext): AssistantInfo | undefined {
  const { assistants } = context
  return (
    findAssistantNode(named, context) ??
    assistants.find(({ id }) => id === named) ??
    assistants.find(({ name }) => name === named)
  )
}

/** The assistant that an `assistantId` of an input names. @throws {@link NotFoundError} */
export function getAssistant(named: string, context: GraphContext): AssistantInfo {
  const assistant = findAssistant(named, context)
  if (assistant) return assistant
  throw new NotFoundError('There is no such assistant.', { field: ['assistantId'] })
}
