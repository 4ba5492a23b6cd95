import type { AssistantIsolation, Evidence, TargetVerdict } from '../../domain/isolation.ts'
import { NotFoundError } from '../../errors.ts'
import { getAssistantId } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import type { GraphContext } from '../context.ts'
import { IsolationLayer, KeyedLayerType, StrategyKind } from './explanation.ts'
import { AssistantNode } from './nodes.ts'

const verdicts: Readonly<Record<TargetVerdict, { readonly description: string }>> = {
  UNPROVEN: { description: 'No probe has ended yet.' },
  ISOLATED: { description: 'A probe found no leak.' },
  LEAKING: { description: 'A probe found that sessions are mixed up.' },
  INCONCLUSIVE: { description: 'A probe could not tell.' },
  BREACHED: { description: 'Two sessions or conversations have met; an operator has to clear it.' },
  STALE: { description: 'What was found out is old, or is about other settings.' },
}

const IsolationVerdict = builder.enumType('IsolationVerdict', {
  description: 'What is known of how an assistant keeps sessions apart.',
  values: verdicts,
})

export const ProofVerdictType = builder.enumType('ProofVerdict', {
  description: 'What a probe found out.',
  values: {
    ISOLATED: { description: 'It found no leak.' },
    LEAKING: { description: 'It found that sessions are mixed up.' },
    INCONCLUSIVE: { description: 'It could not tell.' },
  },
})

const LayerVerdict = builder.enumType('LayerVerdict', {
  description: 'What was found out of one layer.',
  values: {
    ISOLATED: { description: 'It keeps sessions apart.' },
    LEAKING: { description: 'It mixes sessions up.' },
    INCONCLUSIVE: { description: 'It was tried, and the answers prove nothing.' },
    NOT_TESTED: { description: 'It was not tried, or another leak hides it.' },
  },
})

const IsolationEvidence = builder.objectRef<Evidence>('IsolationEvidence').implement({
  description: "What was seen, for the platform's support; no text and no name of anybody.",
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    what: t.exposeString('what', { description: 'What was seen, in words.' }),
    logIds: t.stringList({
      description: "The platform's own ids of the calls.",
      resolve: ({ logIds }) => [...logIds],
    }),
    sessions: t.stringList({
      description: 'Fingerprints of sessions that met, as `Viewer.session` tells them.',
      resolve: ({ sessions }) => [...sessions],
    }),
  }),
})

export const IsolationFinding = builder
  .objectRef<AssistantIsolation['findings'][number]>('IsolationFinding')
  .implement({
    description: 'What was found out of one layer.',
    fields: (t) => ({
      strategy: t.expose('strategy', {
        type: StrategyKind,
        description: 'The strategy that it was found of.',
      }),
      layer: t.expose('layer', { type: IsolationLayer, description: 'The layer.' }),
      verdict: t.expose('verdict', { type: LayerVerdict, description: 'What was found out.' }),
      reason: t.exposeString('reason', { description: 'Why it is so, in words.' }),
      cause: t.exposeString('cause', {
        nullable: true,
        description: 'Of a leak, or of what could become one: what is behind it, known or likely.',
      }),
      remedy: t.exposeString('remedy', {
        nullable: true,
        description:
          "Of a leak, or of what could become one: what to change, in the platform's own terms.",
      }),
      evidence: t.field({
        type: [IsolationEvidence],
        description: 'What was seen.',
        resolve: ({ evidence }) => [...evidence],
      }),
    }),
  })

const StrategyKeying = builder
  .objectRef<AssistantIsolation['keying'][number]>('StrategyKeying')
  .implement({
    description: 'How a strategy keeps sessions apart.',
    fields: (t) => ({
      strategy: t.expose('strategy', { type: StrategyKind, description: 'The strategy.' }),
      layers: t.field({
        type: [KeyedLayerType],
        description: 'What keeps sessions apart, layer by layer.',
        resolve: ({ layers }) => [...layers],
      }),
    }),
  })

const operators = { authScopes: { operator: true }, nullable: true } as const

const AssistantIsolationType = builder
  .objectRef<AssistantIsolation>('AssistantIsolation')
  .implement({
    description: 'What is known of how an assistant keeps sessions apart.',
    fields: (t) => ({
      verdict: t.expose('verdict', {
        type: IsolationVerdict,
        description: 'Of how new conversations are answered.',
      }),
      inService: t.exposeBoolean('inService', { description: 'Whether messages are taken.' }),
      checkedAt: t.expose('checkedAt', {
        type: 'DateTime',
        ...operators,
        description: 'Operators: when that was probed last; null: never.',
      }),
      findings: t.field({
        type: [IsolationFinding],
        ...operators,
        description:
          'Operators: what the last probe and the guard have found, strategy by strategy.',
        resolve: ({ findings }) => [...findings],
      }),
      keying: t.field({
        type: [StrategyKeying],
        ...operators,
        description: 'Operators: what keeps sessions apart, strategy by strategy.',
        resolve: ({ keying }) => [...keying],
      }),
    }),
  })

builder.objectField(AssistantNode, 'isolation', (t) =>
  t.field({
    type: AssistantIsolationType,
    description: 'What is known of how it keeps sessions apart.',
    resolve: ({ id }, _args, { isolation }) => isolation.describe(id),
  }),
)

const ClearQuarantineInput = builder.inputType('ClearQuarantineInput', {
  description: 'An assistant.',
  fields: (t) => ({
    assistantId: t.id({ required: true, description: 'Its id or its name.' }),
  }),
})

const ClearQuarantineSuccess = builder
  .objectRef<{ readonly assistant: GraphContext['assistants'][number] }>('ClearQuarantineSuccess')
  .implement({
    description: 'No breach stands against the assistant any more.',
    fields: (t) => ({
      assistant: t.expose('assistant', { type: AssistantNode, description: 'The assistant.' }),
    }),
  })

builder.mutationField('clearQuarantine', (t) =>
  t.field({
    ...costs(1_000),
    description:
      'Operators: what was behind a breach is mended. Upstream conversations that two have met in stay unused.',
    type: ClearQuarantineSuccess,
    authScopes: { operator: true },
    args: {
      input: t.arg({ type: ClearQuarantineInput, required: true, description: 'The assistant.' }),
    },
    errors: {
      types: [NotFoundError],
      union: { name: 'ClearQuarantineResult', description: 'What became of the quarantine.' },
    },
    resolve: async (_root, { input }, context) => {
      const id = getAssistantId(input.assistantId, context)
      const assistant = context.assistants.find((one) => one.id === id)
      if (assistant === undefined) throw new NotFoundError('There is no such assistant.')
      await context.isolation.clear(assistant.id)
      return { assistant }
    },
  }),
)
