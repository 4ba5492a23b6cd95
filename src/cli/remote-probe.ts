import { z } from 'zod'
import type { AssistantId } from '../domain.ts'
import { probeLayers } from '../domain/isolation.ts'
import type { ProbeReport, ProbeRequest } from '../domain/probe.ts'
import { ProbeError } from '../probe/probe.ts'
import type { GraphClient } from './graph-client.ts'

export interface RemoteProbeOptions {
  /** An operator's. */
  readonly client: GraphClient
  readonly request: ProbeRequest
  /** Hears how many upstream calls it will make at most. */
  readonly onBegin: (maxCalls: number) => void
  readonly onProgress: (step: string) => void
}

const mutation =
  'mutation($input:ProbeAssistantInput!){probeAssistant(input:$input){...on ProbeAssistantSuccess{probeId maxCalls}...on Error{code message}}}'
const subscription =
  'subscription($probeId:ID!){probeProgress(probeId:$probeId){at ...on ProbeStep{step}...on ProbeFailed{message}...on ProbeEnded{reports{assistantId strategy verdict startedAt endedAt calls remains exchanges{at session conversationId chatId logId events}findings{layer verdict reason cause remedy evidence{at what logIds sessions}}}}}}'

/** Probes within a running gateway, which keeps the verdicts. @throws {@link ProbeError}; the signal's reason */
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
    const { probeId, maxCalls } = probeAssistant
    onBegin(maxCalls)
    for await (const result of client.subscribe(subscription, { probeId }, signal)) {
      const shown = eventSchema.parse(result)
      if (shown.data == null) throw refusal(shown.errors?.[0]?.message)
      const told = shown.data.probeProgress
      if ('step' in told) onProgress(told.step)
      else if ('message' in told) throw new ProbeError(told.message)
      else return told.reports
    }
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof ProbeError) throw cause
    throw new ProbeError('The gateway cannot be reached, or is not to be understood.', { cause })
  }
  throw new ProbeError('The gateway ended the stream before the probe had ended.')
}

const errors = z.array(z.object({ message: z.string() })).optional()
const begunSchema = z.object({
  data: z
    .object({
      probeAssistant: z.union([
        z.object({ probeId: z.string(), maxCalls: z.number() }),
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
const reportSchema = z.object({
  assistantId: z.string().transform((id) => id as AssistantId),
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

function refusal(message = 'The gateway did not say why.'): ProbeError {
  return new ProbeError(`The gateway refused: ${message}`)
}
