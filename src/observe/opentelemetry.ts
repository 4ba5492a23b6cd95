import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { TraceAttributes, TraceParent, Tracer, TraceSpan } from './tracer.ts'

const kinds = {
  server: SpanKind.SERVER,
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
} as const

/** {@link Tracer} over OpenTelemetry's API. Whoever runs the gateway registers an SDK; until then it costs next to nothing. */
export function createOpenTelemetryTracer(): Tracer {
  const tracer = trace.getTracer('coze-graphql-gateway')
  return {
    async within(name, { kind, attributes, parent }, work) {
      const within = parent === undefined ? context.active() : contextOf(parent)
      const options = { kind: kinds[kind], attributes: defined(attributes) }
      const span = tracer.startSpan(name, options, within)
      const shown = show(span)
      try {
        return await context.with(trace.setSpan(within, span), async () => work(shown))
      } catch (error) {
        shown.fail(typeOf(error))
        throw error
      } finally {
        shown.end()
      }
    },
    start: (name, attributes) =>
      show(tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: defined(attributes) })),
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

const nothing: TraceSpan = { set: () => undefined, fail: () => undefined, end: () => undefined }

function show(span: Span): TraceSpan {
  return {
    set: (attributes) => void span.setAttributes(defined(attributes)),
    fail(type) {
      span.setAttribute('error.type', type)
      // No message: it could quote what was said.
      span.setStatus({ code: SpanStatusCode.ERROR })
    },
    end() {
      if (span.isRecording()) span.end()
    },
  }
}

function defined(attributes: TraceAttributes): Attributes {
  const known: Attributes = {}
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) known[name] = value
  return known
}

function contextOf(parent: TraceParent): Context {
  return isContext(parent) ? parent : context.active()
}

function isContext(value: TraceParent): value is Context {
  return 'getValue' in value && typeof value.getValue === 'function'
}

/** Codes are stable and say nothing of anybody; a message may. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
