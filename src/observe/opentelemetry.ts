import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { attributeNames, errorType, invokeAgent } from './span-names.ts'
import type { TraceFacts, TraceParent, Tracer, TraceSpan } from './tracer.ts'

const kinds = { server: SpanKind.SERVER, internal: SpanKind.INTERNAL } as const

/** {@link Tracer} over OpenTelemetry's API. Without a registered SDK it costs almost nothing. */
export function createOpenTelemetryTracer(): Tracer {
  const tracer = trace.getTracer('coze-graphql-gateway')

  async function within<T>(
    name: string,
    options: SpanOptions,
    parent: TraceParent | undefined,
    work: (span: TraceSpan) => Promise<T>,
  ): Promise<T> {
    const around = parent === undefined ? context.active() : contextOf(parent)
    const span = tracer.startSpan(name, options, around)
    const shown = show(span)
    try {
      return await context.with(trace.setSpan(around, span), async () => work(shown))
    } catch (error) {
      shown.fail(typeOf(error))
      throw error
    } finally {
      shown.end()
    }
  }

  return {
    within: (name, { kind, facts, parent }, work) =>
      within(name, { kind: kinds[kind], attributes: attributesOf(facts) }, parent, work),
    invokeAgent(facts, parent, work) {
      const attributes = { ...invokeAgent.attributes, ...attributesOf(facts) }
      const options = { kind: SpanKind.CLIENT, attributes }
      return within(invokeAgent.nameOf(facts.assistantName), options, parent, work)
    },
    start: (name, facts) =>
      show(tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: attributesOf(facts) })),
    current() {
      const span = trace.getActiveSpan()
      return span === undefined ? nothing : show(span)
    },
    capture: () => context.active(),
    extract: (headers) =>
      propagation.extract(ROOT_CONTEXT, headers, {
        keys: () => ['traceparent', 'tracestate'],
        get: (carrier, key) => carrier.get(key) ?? undefined,
      }),
  }
}

const factNames = Object.keys(attributeNames).filter((name) => isFactName(name))

function isFactName(name: string): name is keyof TraceFacts {
  return name in attributeNames
}

const nothing: TraceSpan = { set: () => undefined, fail: () => undefined, end: () => undefined }

function show(span: Span): TraceSpan {
  return {
    set: (facts) => void span.setAttributes(attributesOf(facts)),
    fail(type) {
      span.setAttribute(errorType, type)
      // The message is left out, since it could quote the text of a user.
      span.setStatus({ code: SpanStatusCode.ERROR })
    },
    end() {
      if (span.isRecording()) span.end()
    },
  }
}

function attributesOf(facts: TraceFacts): Attributes {
  const known: Attributes = {}
  for (const name of factNames) {
    const value = facts[name]
    if (value === undefined) continue
    known[attributeNames[name]] = typeof value === 'object' ? [...value] : value
  }
  return known
}

function contextOf(parent: TraceParent): Context {
  return isContext(parent) ? parent : context.active()
}

function isContext(value: TraceParent): value is Context {
  return 'getValue' in value && typeof value.getValue === 'function'
}

/** Codes are stable and contain no data of users. A message may contain some. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
