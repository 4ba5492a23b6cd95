import type { AssistantLoad } from '../../reply/admission.ts'
import { builder } from './builder.ts'
import { AssistantNode } from './nodes.ts'

const CircuitState = builder.enumType('CircuitState', {
  description: 'Whether the gateway calls the platform of an assistant.',
  values: {
    CLOSED: { value: 'closed', description: 'The platform is called.' },
    OPEN: {
      value: 'open',
      description:
        'The platform could not be reached several times, and is not called for a while.',
    },
    HALF_OPEN: { value: 'half-open', description: 'One reply tries whether the platform is back.' },
  } as const,
})

const AssistantLoadType = builder.objectRef<AssistantLoad>('AssistantLoad').implement({
  description: 'The load of an assistant on one instance of the gateway, and what it may have.',
  fields: (t) => ({
    runningReplies: t.exposeInt('running', { description: 'The number of replies that run.' }),
    waitingReplies: t.exposeInt('waiting', {
      description: 'The number of replies that wait until they may run.',
    }),
    maxRunningReplies: t.int({
      description: 'The number of replies that may run at the same time.',
      resolve: ({ quota }) => quota.maxRunning,
    }),
    maxStartsPerSecond: t.int({
      description: 'The number of replies that may start within a second.',
      resolve: ({ quota }) => quota.startsPerSecond,
    }),
    circuit: t.field({
      type: CircuitState,
      description: "Whether the assistant's platform is called.",
      resolve: ({ circuit }) => circuit.state,
    }),
    circuitRetryAfterMs: t.int({
      nullable: true,
      description:
        'The number of milliseconds until the platform is tried again, or null unless the circuit is OPEN.',
      resolve: ({ circuit }) => circuit.retryAfterMs ?? null,
    }),
  }),
})

builder.objectField(AssistantNode, 'load', (t) =>
  t.field({
    type: AssistantLoadType,
    description:
      'The load of the assistant now, and what it may have. It is null with an error unless the caller is an operator.',
    nullable: true,
    authScopes: { operator: true },
    resolve: ({ id }, _args, { support }) => support?.loadOf(id) ?? null,
  }),
)
