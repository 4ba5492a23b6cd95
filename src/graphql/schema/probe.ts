import type { ProbeEvent, ProbeExchange, ProbeReport, ProbeRun } from '../../domain/probe.ts'
import { InvalidInputError, NotFoundError, RateLimitedError } from '../../errors.ts'
import { getAssistantId } from './assistant.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { StrategyKind } from './explanation.ts'
import { IsolationFinding, ProofVerdictType } from './isolation.ts'

const KnowledgeCanaryInput = builder.inputType('KnowledgeCanaryInput', {
  description: 'A fact of the knowledge base that only one session may be told.',
  fields: (t) => ({
    sessionName: t.string({
      required: true,
      description: "The session, as the knowledge base's filter names it.",
    }),
    question: t.string({ required: true, description: 'What to ask for it.' }),
    value: t.string({
      required: true,
      description: 'What the answer holds, 4 characters or more.',
    }),
  }),
})

const ProbeAssistantInput = builder.inputType('ProbeAssistantInput', {
  description: 'What to probe, and how thoroughly.',
  fields: (t) => ({
    assistantId: t.id({ description: 'The id or name of an assistant; all if absent.' }),
    trials: t.int({ description: 'Pairs of sessions that are tried, 1 to 100; 2 if absent.' }),
    budget: t.int({
      description: 'Upstream calls at most for each strategy, 1 to 10,000; 60 if absent.',
    }),
    questionTrigger: t.string({
      description: 'A message that makes the assistant ask and wait, to test pending questions.',
    }),
    knowledge: t.field({
      type: [KnowledgeCanaryInput],
      description: 'Facts to test the knowledge base with.',
    }),
  }),
})

const ProbeAssistantSuccess = builder.objectRef<ProbeRun>('ProbeAssistantSuccess').implement({
  description: 'The probe has begun; `probeProgress` tells how it goes.',
  fields: (t) => ({
    probeId: t.exposeID('id', { description: 'The id of the probe.' }),
    maxCalls: t.exposeInt('maxCalls', {
      description: 'Upstream calls that it makes at most, those for access tokens not counted.',
    }),
  }),
})

builder.mutationField('probeAssistant', (t) =>
  t.field({
    ...costs(2_000),
    description:
      'Operators: finds out whether sessions are kept apart, by sessions that never were, and stores the verdict.',
    type: ProbeAssistantSuccess,
    authScopes: { operator: true },
    args: {
      input: t.arg({ type: ProbeAssistantInput, required: true, description: 'What to probe.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, RateLimitedError],
      union: { name: 'ProbeAssistantResult', description: 'Whether the probe has begun.' },
    },
    resolve: (_root, { input }, context) => {
      const { assistantId, trials, budget, questionTrigger, knowledge } = input
      const request = {
        assistantId: getAssistantId(assistantId, context),
        trials: checkCount('trials', trials, 100),
        budget: checkCount('budget', budget, 10_000),
        questionTrigger: questionTrigger ?? undefined,
        knowledge: knowledge ?? undefined,
      }
      if (knowledge?.some(({ value }) => value.length < 4)) {
        throw new InvalidInputError('"value" of a fact must have 4 characters or more.')
      }
      const run = context.isolation.begin(request)
      if (run === undefined) throw new RateLimitedError('Another probe runs.', busyMs)
      return run
    },
  }),
)

/** When another probe may have ended is not known; in ms. */
const busyMs = 30_000

function checkCount(
  name: string,
  count: number | null | undefined,
  max: number,
): number | undefined {
  if (count == null) return undefined
  if (count < 1 || count > max) throw new InvalidInputError(`"${name}" must be 1 to ${max}.`)
  return count
}

const ProbeExchangeType = builder.objectRef<ProbeExchange>('ProbeExchange').implement({
  description: 'A message of a probe and what came back, without a word of either.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it was sent.' }),
    session: t.exposeInt('session', {
      description: "Which of the probe's sessions sent it, counted from 1.",
    }),
    conversationId: t.exposeString('conversationId', {
      description: "The upstream's id of the conversation.",
    }),
    chatId: t.exposeString('chatId', { description: "The upstream's id of the chat." }),
    logId: t.exposeString('logId', {
      nullable: true,
      description: "The id of the upstream's log lines.",
    }),
    events: t.exposeString('events', { description: 'The types of the events in their order.' }),
  }),
})

const ProbeReportType = builder.objectRef<ProbeReport>('ProbeReport').implement({
  description: 'What a probe found out of one strategy of an assistant.',
  fields: (t) => ({
    assistantId: t.exposeString('assistantId', { description: 'The configured id of it.' }),
    strategy: t.expose('strategy', { type: StrategyKind, description: 'How it was driven.' }),
    verdict: t.expose('verdict', { type: ProofVerdictType, description: 'What was found out.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
    endedAt: t.expose('endedAt', { type: 'DateTime', description: 'When it ended.' }),
    calls: t.exposeInt('calls', { description: 'Upstream calls that were made.' }),
    findings: t.field({
      type: [IsolationFinding],
      description: 'What was found out, layer by layer.',
      resolve: ({ findings, strategy }) => findings.map((finding) => ({ ...finding, strategy })),
    }),
    exchanges: t.field({
      type: [ProbeExchangeType],
      description: "What was sent and came back, for the platform's support.",
      resolve: ({ exchanges }) => [...exchanges],
    }),
    remains: t.stringList({
      description: 'What may be left upstream, each in words.',
      resolve: ({ remains }) => [...remains],
    }),
  }),
})

type EventOf<Type extends ProbeEvent['type']> = Extract<ProbeEvent, { readonly type: Type }>

const ProbeEventInterface = builder.interfaceRef<ProbeEvent>('ProbeEvent').implement({
  description: 'Something that a probe does.',
  fields: (t) => ({ at: t.expose('at', { type: 'DateTime', description: 'When.' }) }),
  resolveType: ({ type }) => ({ step: ProbeStep, ended: ProbeEnded, failed: ProbeFailed })[type],
})

const ProbeStep = builder.objectRef<EventOf<'step'>>('ProbeStep')
ProbeStep.implement({
  description: 'It goes on.',
  interfaces: [ProbeEventInterface],
  fields: (t) => ({ step: t.exposeString('step', { description: 'What it does now, in words.' }) }),
})

const ProbeEnded = builder.objectRef<EventOf<'ended'>>('ProbeEnded')
ProbeEnded.implement({
  description: 'It has ended; its verdicts are stored. The last event.',
  interfaces: [ProbeEventInterface],
  fields: (t) => ({
    reports: t.field({
      type: [ProbeReportType],
      description: 'What it found out.',
      resolve: ({ reports }) => [...reports],
    }),
  }),
})

const ProbeFailed = builder.objectRef<EventOf<'failed'>>('ProbeFailed')
ProbeFailed.implement({
  description: 'It could not go on. The last event.',
  interfaces: [ProbeEventInterface],
  fields: (t) => ({ message: t.exposeString('message', { description: 'Why, in words.' }) }),
})

/** What the `probeProgress` field subscribes to; as with `replies`, the server follows it itself. */
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
    description: 'Operators: what a probe does, from its beginning to its end.',
    type: ProbeEventInterface,
    authScopes: { operator: true },
    args: { probeId: t.arg.id({ required: true, description: 'As `probeAssistant` told it.' }) },
    subscribe: (_root, { probeId }, { isolation }) => {
      const run = isolation.find(probeId)
      if (run === undefined) throw new NotFoundError('There is no such probe.')
      return new ProbeEvents(run)
    },
    resolve: (event) => event,
  }),
)
