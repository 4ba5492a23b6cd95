import type { AssistantInfo } from '../../domain.ts'
import type { AssistantIsolation, Evidence, TargetVerdict } from '../../domain/isolation.ts'
import { NotFoundError } from '../../errors.ts'
import { costs } from '../cost.ts'
import { getAssistant } from './assistant.ts'
import { builder } from './builder.ts'
import { IsolationLayer, KeyedLayerType, StrategyKind } from './explanation.ts'
import { AssistantNode } from './nodes.ts'

const verdicts: Readonly<Record<TargetVerdict, { readonly description: string }>> = {
  UNPROVEN: { description: 'No probe of the assistant has ended yet, so it should be probed.' },
  ISOLATED: { description: 'The last probe found no leak.' },
  LEAKING: {
    description: 'The last probe found that sessions are mixed up, as its findings explain.',
  },
  INCONCLUSIVE: { description: 'The last probe could not tell, as its findings explain.' },
  BREACHED: {
    description:
      'Two sessions or conversations have met in one platform conversation, and an operator has to clear it.',
  },
  STALE: {
    description:
      'The last probe is too old or was about other settings, so the assistant should be probed again.',
  },
}

const IsolationVerdict = builder.enumType('IsolationVerdict', {
  description: 'A judgement of whether an assistant keeps sessions apart.',
  values: verdicts,
})

export const ProbeVerdictType = builder.enumType('ProbeVerdict', {
  description: 'The overall result of a probe.',
  values: {
    ISOLATED: { description: 'The probe found no leak.' },
    LEAKING: { description: 'The probe found that sessions are mixed up.' },
    INCONCLUSIVE: { description: 'The probe could not tell.' },
  },
})

const LayerVerdict = builder.enumType('LayerVerdict', {
  description: 'The result of a probe for one layer.',
  values: {
    ISOLATED: { description: 'The layer keeps sessions apart.' },
    LEAKING: { description: 'The layer mixes sessions up.' },
    INCONCLUSIVE: { description: 'The layer was tested, and the answers prove nothing.' },
    NOT_TESTED: { description: 'The layer was not tested, or another leak hides it.' },
  },
})

const IsolationEvidence = builder.objectRef<Evidence>('IsolationEvidence').implement({
  description:
    "An observation for the platform's support, without any text of users and without names.",
  fields: (t) => ({
    observedAt: t.expose('at', {
      type: 'DateTime',
      description: 'The instant of the observation.',
    }),
    summary: t.exposeString('what', { description: 'The observation in words.' }),
    upstreamLogIds: t.idList({
      description: "The ids of the platform's log lines of the calls.",
      resolve: ({ logIds }) => [...logIds],
    }),
    sessionFingerprints: t.stringList({
      description: 'The fingerprints of the sessions that met, as in `Viewer.sessionFingerprint`.',
      resolve: ({ sessions }) => [...sessions],
    }),
  }),
})

export const IsolationFinding = builder
  .objectRef<AssistantIsolation['findings'][number]>('IsolationFinding')
  .implement({
    description: 'A finding about one layer of one strategy.',
    fields: (t) => ({
      strategy: t.expose('strategy', {
        type: StrategyKind,
        description: 'The strategy that the finding is about.',
      }),
      layer: t.expose('layer', {
        type: IsolationLayer,
        description: 'The layer that the finding is about.',
      }),
      verdict: t.expose('verdict', {
        type: LayerVerdict,
        description: 'The result for this layer.',
      }),
      reason: t.exposeString('reason', { description: 'The reason for the result, in words.' }),
      cause: t.exposeString('cause', {
        nullable: true,
        description:
          'The cause of a leak or of an inconclusive result, and how sure it is, or null if there is nothing to explain.',
      }),
      remedy: t.exposeString('remedy', {
        nullable: true,
        description:
          "The change to make, in the platform's own terms, or null if there is nothing to change.",
      }),
      evidence: t.field({
        type: [IsolationEvidence],
        description: 'The observations that the result rests on.',
        resolve: ({ evidence }) => [...evidence],
      }),
    }),
  })

const StrategyKeying = builder
  .objectRef<AssistantIsolation['keying'][number]>('StrategyKeying')
  .implement({
    description: 'The keys by which one strategy keeps sessions apart.',
    fields: (t) => ({
      strategy: t.expose('strategy', { type: StrategyKind, description: 'The strategy.' }),
      layers: t.field({
        type: [KeyedLayerType],
        description: 'The keys that keep sessions apart, layer by layer.',
        resolve: ({ layers }) => [...layers],
      }),
    }),
  })

const AssistantIsolationType = builder
  .objectRef<AssistantIsolation>('AssistantIsolation')
  .implement({
    description:
      'An account for operators of what is known about how an assistant keeps sessions apart.',
    fields: (t) => ({
      verdict: t.expose('verdict', {
        type: IsolationVerdict,
        description: 'The verdict about the strategy that serves new conversations.',
      }),
      checkedAt: t.expose('checkedAt', {
        type: 'DateTime',
        nullable: true,
        description:
          'The instant at which the last probe of that strategy ended, or null if there was none.',
      }),
      findings: t.field({
        type: [IsolationFinding],
        description: 'The findings of the last probe and of the guard, strategy by strategy.',
        resolve: ({ findings }) => [...findings],
      }),
      keying: t.field({
        type: [StrategyKeying],
        description: 'The keys that keep sessions apart, strategy by strategy.',
        resolve: ({ keying }) => [...keying],
      }),
    }),
  })

builder.objectField(AssistantNode, 'isolation', (t) =>
  t.field({
    type: AssistantIsolationType,
    description:
      'An account of how the assistant keeps sessions apart. It is null with an error unless the caller is an operator.',
    nullable: true,
    authScopes: { operator: true },
    resolve: ({ id }, _args, { isolation }) => isolation.describe(id),
  }),
)

const ClearQuarantineInput = builder.inputType('ClearQuarantineInput', {
  description: 'The assistant whose quarantine is to be cleared.',
  fields: (t) => ({
    assistantId: t.id({
      required: true,
      description: 'The id or configured name of an assistant.',
    }),
  }),
})

const ClearQuarantineSuccess = builder
  .objectRef<{ readonly assistant: AssistantInfo }>('ClearQuarantineSuccess')
  .implement({
    description: 'The result of a quarantine that was cleared.',
    fields: (t) => ({
      assistant: t.expose('assistant', {
        type: AssistantNode,
        description: 'The assistant, whose breach is cleared.',
      }),
    }),
  })

builder.mutationField('clearQuarantine', (t) =>
  t.field({
    ...costs(1_000),
    description:
      'Clears the breach of an assistant after an operator has mended its cause. The platform conversations in which sessions have met may not be used again.',
    type: ClearQuarantineSuccess,
    authScopes: { operator: true },
    args: {
      input: t.arg({ type: ClearQuarantineInput, required: true, description: 'The assistant.' }),
    },
    errors: {
      types: [NotFoundError],
      union: {
        name: 'ClearQuarantineResult',
        description: 'The outcome of `clearQuarantine`: the assistant or a refusal.',
      },
    },
    resolve: async (_root, { input }, context) => {
      const assistant = getAssistant(input.assistantId, context)
      await context.isolation.clear(assistant.id, context.fingerprint)
      return { assistant }
    },
  }),
)
