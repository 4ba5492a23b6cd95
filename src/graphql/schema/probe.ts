import type { ProbeEvent, ProbeRun } from '../../domain/probe.ts'
import { InvalidInputError, NotFoundError, RateLimitedError } from '../../errors.ts'
import type { GraphContext } from '../context.ts'
import { costs } from '../cost.ts'
import { decodeId } from '../global-id.ts'
import { getAssistant } from './assistant.ts'
import { builder } from './builder.ts'
import { ProbeReportType } from './probe-report.ts'

type EventOf<Type extends ProbeEvent['type']> = Extract<ProbeEvent, { readonly type: Type }>

const ProbeEventInterface = builder.interfaceRef<ProbeEvent>('ProbeEvent').implement({
  description: 'Something that happened in a probe.',
  fields: (t) => ({
    occurredAt: t.expose('at', { type: 'DateTime', description: 'The instant of the event.' }),
  }),
  resolveType: ({ type }) =>
    ({ step: ProbeStep, ended: ProbeCompleted, failed: ProbeFailed })[type],
})

const ProbeStep = builder.objectRef<EventOf<'step'>>('ProbeStep')
ProbeStep.implement({
  description: 'The event of a probe that begins another step.',
  interfaces: [ProbeEventInterface],
  fields: (t) => ({ step: t.exposeString('step', { description: 'The step in words.' }) }),
})

const ProbeCompleted = builder.objectRef<EventOf<'ended'>>('ProbeCompleted')
ProbeCompleted.implement({
  description: 'The last event of a probe that has ended with verdicts.',
  interfaces: [ProbeEventInterface],
  fields: (t) => ({
    reports: t.field({
      type: [ProbeReportType],
      description: 'The results, one for each strategy that was probed.',
      resolve: ({ reports }) => [...reports],
    }),
  }),
})

const ProbeFailed = builder.objectRef<EventOf<'failed'>>('ProbeFailed')
ProbeFailed.implement({
  description: 'The last event of a probe that could not go on.',
  interfaces: [ProbeEventInterface],
  fields: (t) => ({
    message: t.exposeString('message', {
      description: 'A sentence in English that explains the failure.',
    }),
  }),
})

const ProbeStatus = builder.enumType('ProbeStatus', {
  description: 'The state of a probe.',
  values: {
    RUNNING: { description: 'The probe is running.' },
    COMPLETED: { description: 'The probe has ended, and its verdicts are stored.' },
    FAILED: { description: 'The probe could not go on; its last event explains why.' },
  },
})

const statusOf = { step: 'RUNNING', ended: 'COMPLETED', failed: 'FAILED' } as const

export const ProbeNode = builder.objectRef<ProbeRun>('Probe')
builder.node(ProbeNode, {
  id: { resolve: ({ id }) => id },
  description:
    'A test for operators of whether assistants keep sessions apart. The last 16 probes are kept until the gateway restarts.',
  authScopes: { operator: true },
  fields: (t) => ({
    status: t.field({
      type: ProbeStatus,
      description: 'The state of the probe.',
      resolve: ({ past }) => statusOf[past.at(-1)?.type ?? 'step'],
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      description: 'The instant at which the probe started.',
    }),
    maxUpstreamCalls: t.exposeInt('maxCalls', {
      description:
        'The most platform calls that the probe makes, not counting those for access tokens.',
    }),
    reports: t.field({
      type: [ProbeReportType],
      description:
        'The results, one for each strategy that was probed, empty unless the probe is COMPLETED.',
      resolve({ past }) {
        const last = past.at(-1)
        return last?.type === 'ended' ? [...last.reports] : []
      },
    }),
    events: t.field({
      type: [ProbeEventInterface],
      description: 'The events of the probe until now, in their order.',
      resolve: ({ past }) => [...past],
    }),
  }),
})

builder.queryField('probe', (t) =>
  t.field({
    description: 'The probe with this id, for operators, or null if none is kept.',
    type: ProbeNode,
    nullable: true,
    authScopes: { operator: true },
    args: { id: t.arg.id({ required: true, description: 'The id of a probe.' }) },
    resolve: (_root, { id }, context) => findProbe(id, context) ?? null,
  }),
)

builder.queryField('probes', (t) =>
  t.field({
    description:
      'The probe that runs and the last that ran, for operators, newest first. It is null with an error unless the caller is an operator.',
    type: [ProbeNode],
    nullable: true,
    authScopes: { operator: true },
    resolve: (_root, _args, { isolation }) => [...isolation.recent()],
  }),
)

const KnowledgeFactInput = builder.inputType('KnowledgeFactInput', {
  description: 'A fact of a knowledge base that only one session may get to know.',
  fields: (t) => ({
    sessionName: t.string({
      required: true,
      description: 'The name of that session in the filter of the knowledge base.',
    }),
    question: t.string({ required: true, description: 'The question that asks for the fact.' }),
    value: t.string({
      required: true,
      description: 'The text that the answer then contains, of at least 4 characters.',
    }),
  }),
})

const ProbeAssistantInput = builder.inputType('ProbeAssistantInput', {
  description: 'The assistants to probe and how thoroughly.',
  fields: (t) => ({
    assistantId: t.id({
      description: 'The id or configured name of an assistant. The default is all assistants.',
    }),
    trials: t.int({
      description: 'The number of pairs of sessions to try, from 1 to 100. The default is 2.',
    }),
    budget: t.int({
      description:
        'The most platform calls to make for each strategy, from 1 to 10,000. The default is 60.',
    }),
    questionTrigger: t.string({
      description:
        'A message that makes the assistant ask a question and wait, by which pending questions are tested.',
    }),
    knowledge: t.field({
      type: [KnowledgeFactInput],
      description: 'Facts by which the knowledge base is tested.',
    }),
  }),
})

const ProbeAssistantSuccess = builder
  .objectRef<{ readonly probe: ProbeRun }>('ProbeAssistantSuccess')
  .implement({
    description: 'The result of a probe that was started.',
    fields: (t) => ({
      probe: t.expose('probe', {
        type: ProbeNode,
        description: 'The running probe, which `probeProgress` follows.',
      }),
    }),
  })

builder.mutationField('probeAssistant', (t) =>
  t.field({
    ...costs(2_000),
    description:
      'Starts a test for operators of whether assistants keep sessions apart, made with sessions of its own, whose verdicts are stored.',
    type: ProbeAssistantSuccess,
    authScopes: { operator: true },
    args: {
      input: t.arg({
        type: ProbeAssistantInput,
        required: true,
        description: 'The assistants to probe and how thoroughly.',
      }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, RateLimitedError],
      union: {
        name: 'ProbeAssistantResult',
        description: 'The outcome of `probeAssistant`: the running probe or a refusal.',
      },
    },
    resolve: (_root, { input }, context) => {
      const { assistantId, trials, budget, questionTrigger, knowledge } = input
      const request = {
        assistantId: assistantId == null ? undefined : getAssistant(assistantId, context).id,
        trials: checkCount('trials', trials, 100),
        budget: checkCount('budget', budget, 10_000),
        questionTrigger: questionTrigger ?? undefined,
        knowledge: knowledge ?? undefined,
      }
      for (const [index, { value }] of knowledge?.entries() ?? []) {
        if (value.length >= 4) continue
        throw new InvalidInputError('"value" of a fact must have 4 characters or more.', {
          field: ['knowledge', String(index), 'value'],
        })
      }
      const probe = context.isolation.begin(request)
      if (probe === undefined) throw new RateLimitedError('Another probe runs.', busyMs)
      return { probe }
    },
  }),
)

/** The retry time while another probe runs, whose end is not known, in ms. */
const busyMs = 30_000

function checkCount(
  name: string,
  count: number | null | undefined,
  max: number,
): number | undefined {
  if (count == null) return undefined
  if (count < 1 || count > max) {
    throw new InvalidInputError(`"${name}" must be 1 to ${max}.`, { field: [name] })
  }
  return count
}

/** The source of the `probeProgress` field. As with `replies`, the server follows it itself. */
export class ProbeEvents implements AsyncIterable<ProbeEvent> {
  readonly run: ProbeRun
  constructor(run: ProbeRun) {
    this.run = run
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProbeEvent, void, undefined> {
    const left = new AbortController()
    try {
      yield* this.run.events(left.signal)
    } finally {
      left.abort()
    }
  }
}

builder.subscriptionField('probeProgress', (t) =>
  t.field({
    description: 'The events of a probe, for operators, from its first to its last.',
    type: ProbeEventInterface,
    authScopes: { operator: true },
    args: { probeId: t.arg.id({ required: true, description: 'The id of the probe.' }) },
    subscribe: (_root, { probeId }, context) => {
      const run = findProbe(probeId, context)
      if (run === undefined) throw new NotFoundError('There is no such probe.')
      return new ProbeEvents(run)
    },
    resolve: (event) => event,
  }),
)

export function findProbe(globalId: string, { isolation }: GraphContext): ProbeRun | undefined {
  const id = decodeId('Probe', globalId)
  return id === undefined ? undefined : isolation.find(id)
}
