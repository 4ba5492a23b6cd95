import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { Agent, fetch } from 'undici'
import { z } from 'zod'
import type { AssistantId } from '../domain.ts'
import { probeLayers } from '../domain/isolation.ts'
import type { ProbeReport, ProbeRequest } from '../domain/probe.ts'
import { ProbeError } from '../probe/probe.ts'

export interface RemoteProbeOptions {
  /** Of the gateway: `http://host:port`. */
  readonly url: string
  /** A bearer token with the operators' scope. */
  readonly token: string
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
  options: RemoteProbeOptions,
  signal: AbortSignal,
): Promise<readonly ProbeReport[]> {
  const { onBegin, onProgress } = options
  // A step of a probe may take as long as an answer may.
  await using stack = new AsyncDisposableStack()
  const dispatcher = stack.adopt(new Agent({ bodyTimeout: 0 }), (agent) => agent.destroy())
  const begun = await send(mutation, { input: options.request }, 'application/json')
  const answer = parse(begunSchema, await begun.text())
  const { probeAssistant } = answer.data ?? {}
  if (probeAssistant == null) throw refusal(answer.errors?.[0]?.message)
  if ('message' in probeAssistant) throw refusal(probeAssistant.message)
  const { probeId, maxCalls } = probeAssistant
  onBegin(maxCalls)

  const stream = await send(subscription, { probeId }, 'text/event-stream')
  if (stream.body === null) throw refusal()
  for await (const { event, data } of readEvents(stream.body)) {
    if (event !== 'next') continue
    const { data: shown, errors } = parse(eventSchema, data)
    if (shown == null) throw refusal(errors?.[0]?.message)
    const told = shown.probeProgress
    if ('step' in told) onProgress(told.step)
    else if ('message' in told) throw new ProbeError(told.message)
    else return told.reports
  }
  throw new ProbeError('The gateway ended the stream before the probe had ended.')

  async function send(query: string, variables: object, accept: string) {
    const url = new URL('/graphql', options.url)
    try {
      return await fetch(url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${options.token}`,
          'content-type': 'application/json',
          accept,
        },
        body: JSON.stringify({ query, variables }),
        dispatcher,
        signal,
      })
    } catch (cause) {
      signal.throwIfAborted()
      throw new ProbeError(`The gateway at ${url.origin} cannot be reached.`, { cause })
    }
  }
}

async function* readEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => void events.push(event) })
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* events.splice(0)
  }
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

function parse<Shape>(schema: z.ZodType<Shape>, text: string): Shape {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new ProbeError('The gateway gave an answer that is not to be understood.', { cause })
  }
}

function refusal(message = 'The gateway did not say why.'): ProbeError {
  return new ProbeError(`The gateway refused: ${message}`)
}
