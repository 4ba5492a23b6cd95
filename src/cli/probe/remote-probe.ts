import { z } from 'zod'
import type { AssistantId } from '../../domain.ts'
import { decodeId } from '../../graphql/global-id.ts'
import { probeLayers } from '../../domain/isolation.ts'
import type { ProbeReport, ProbeRequest } from '../../domain/probe.ts'
import { ProbeError } from '../../probe/probe.ts'
import type { GraphClient } from './graph-client.ts'

export interface RemoteProbeOptions {
  /** A client of an operator. */
  readonly client: GraphClient
  readonly request: ProbeRequest
  /** Called with the most upstream calls that the probe makes. */
  readonly onBegin: (maxCalls: number) => void
  readonly onProgress: (step: string) => void
}

const mutation =
  'mutation($input:ProbeAssistantInput!){probeAssistant(input:$input){...on ProbeAssistantSuccess{probe{id maxUpstreamCalls}}...on UserError{code message}}}'
const subscription =
  'subscription($probeId:ID!){probeProgress(probeId:$probeId){...on ProbeStep{step}...on ProbeFailed{message}...on ProbeCompleted{reports{assistant{id}strategy verdict startedAt endedAt calls:upstreamCalls remains:leftBehind exchanges{at:sentAt session:sessionNumber conversationId:upstreamConversationId chatId:upstreamChatId logId:upstreamLogId events:eventTypes}findings{layer verdict reason cause remedy evidence{at:observedAt what:summary logIds:upstreamLogIds sessions:sessionFingerprints}}}}}}'

/**
 * Has a running gateway probe its assistants. The gateway keeps the verdicts. @throws {@link ProbeError}; the signal's
 * reason
 */
export async function probeGateway(
  { client, request, onBegin, onProgress }: RemoteProbeOptions,
  signal: AbortSignal,
): Promise<readonly ProbeReport[]> {
  try {
    const begun = await client.ask(mutation, { input: request }, signal)
    const { data, errors: refusals } = begunSchema.parse(begun)
    const { probeAssistant } = data ?? {}
    if (probeAssistant == null) throw refusal(refusals?.[0]?.message)
    if ('message' in probeAssistant) throw refusal(probeAssistant.message)
    const { id: probeId, maxUpstreamCalls } = probeAssistant.probe
    onBegin(maxUpstreamCalls)
    for await (const result of client.subscribe(subscription, { probeId }, signal)) {
      const shown = eventSchema.parse(result)
      if (shown.data == null) throw refusal(shown.errors?.[0]?.message)
      const event = shown.data.probeProgress
      if ('step' in event) onProgress(event.step)
      else if ('message' in event) throw new ProbeError(event.message)
      else return event.reports
    }
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof ProbeError) throw cause
    throw new ProbeError('The gateway cannot be reached, or its response cannot be read.', {
      cause,
    })
  }
  throw new ProbeError('The gateway closed the stream before the end of the probe.')
}

/** The id of an assistant, or the given text if a gateway of another version uses another form. */
const unknownAssistant = 'unknown' as AssistantId

const errors = z.array(z.object({ message: z.string() })).optional()
const begunSchema = z.object({
  data: z
    .object({
      probeAssistant: z.union([
        z.object({ probe: z.object({ id: z.string(), maxUpstreamCalls: z.number() }) }),
        z.object({ code: z.string(), message: z.string() }),
      ]),
    })
    .nullish(),
  errors,
})

const instant = z.string().transform((text) => Date.parse(text))
const layerVerdict = z.enum(['ISOLATED', 'LEAKING', 'INCONCLUSIVE', 'NOT_TESTED'])
const findingSchema = z.object({
  layer: z
    .string()
    .transform((name) => name.toLowerCase().replaceAll('_', '-'))
    .pipe(z.enum(probeLayers)),
  verdict: layerVerdict,
  reason: z.string(),
  cause: z.string().nullable(),
  remedy: z.string().nullable(),
  evidence: z.array(
    z.object({
      at: instant,
      what: z.string(),
      logIds: z.array(z.string()),
      sessions: z.array(z.string()),
    }),
  ),
})
const reportFields = z.object({
  assistant: z.object({ id: z.string() }).nullable(),
  strategy: z
    .string()
    .transform((name) => name.toLowerCase())
    .pipe(z.enum(['workflow', 'bot'])),
  verdict: layerVerdict.exclude(['NOT_TESTED']),
  startedAt: instant,
  endedAt: instant,
  calls: z.number(),
  remains: z.array(z.string()),
  exchanges: z.array(
    z.object({
      at: instant,
      session: z.number(),
      conversationId: z.string(),
      chatId: z.string(),
      logId: z.string().nullable(),
      events: z.string(),
    }),
  ),
  findings: z.array(findingSchema),
})
const reportSchema = reportFields.transform(({ assistant, ...report }) => ({
  ...report,
  assistantId: decodeId('Assistant', assistant?.id ?? '') ?? unknownAssistant,
}))
const eventSchema = z.object({
  data: z
    .object({
      probeProgress: z.union([
        z.object({ step: z.string() }),
        z.object({ message: z.string() }),
        z.object({ reports: z.array(reportSchema) }),
      ]),
    })
    .nullish(),
  errors,
})

function refusal(message = 'The gateway gave no reason.'): ProbeError {
  return new ProbeError(`The gateway refused: ${message}`)
}
