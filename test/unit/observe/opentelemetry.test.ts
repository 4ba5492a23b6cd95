import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOpenTelemetryTracer } from '../../../src/observe/opentelemetry.ts'

const exporter = new InMemorySpanExporter()
const tracer = createOpenTelemetryTracer()

function spanOf(name: string) {
  const span = exporter.getFinishedSpans().find((candidate) => candidate.name === name)
  if (span === undefined) throw new Error(`no span "${name}"`)
  return span
}

describe('OpenTelemetry tracer', () => {
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    )
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  })
  beforeEach(() => exporter.reset())
  afterAll(() => {
    trace.disable()
    context.disable()
    propagation.disable()
  })

  it('makes what is begun within work a child of it', async () => {
    await tracer.within(
      'outer',
      { kind: 'internal', facts: { port: 1, upstreamCode: undefined } },
      () =>
        tracer.within('inner', { kind: 'internal', facts: {} }, async () => {
          tracer.current().set({ upstreamCode: '4000' })
        }),
    )
    const [outer, inner] = [spanOf('outer'), spanOf('inner')]
    expect(inner.parentSpanContext?.spanId).toBe(outer.spanContext().spanId)
    expect(inner.attributes).toEqual({ 'coze.code': '4000' })
    expect(outer.attributes).toEqual({ 'server.port': 1 })
  })

  it('marks work that rejects, by code and without its message', async () => {
    const error = Object.assign(new Error('said: swordfish'), { code: 'UPSTREAM_ERROR' })
    const work = tracer.within('failing', { kind: 'internal', facts: {} }, () =>
      Promise.reject(error),
    )
    await expect(work).rejects.toBe(error)
    const { status, attributes, events } = spanOf('failing')
    expect(status).toEqual({ code: 2 })
    expect(attributes).toEqual({ 'error.type': 'UPSTREAM_ERROR' })
    expect(events).toEqual([])
  })

  it('names the run of a reply as the conventions of GenAI name a remote agent', async () => {
    const facts = { assistantId: 'flow', assistantName: 'Flow', finishReasons: ['completed'] }
    await tracer.invokeAgent(facts, tracer.capture(), async () => {})
    const { kind, attributes } = spanOf('invoke_agent Flow')
    expect(kind).toBe(SpanKind.CLIENT)
    expect(attributes).toEqual({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': 'coze',
      'gen_ai.agent.id': 'flow',
      'gen_ai.agent.name': 'Flow',
      'gen_ai.response.finish_reasons': ['completed'],
    })
  })

  it('goes on from where work was begun, and from the headers of a request', async () => {
    const captured = await tracer.within('request', { kind: 'server', facts: {} }, async () =>
      tracer.capture(),
    )
    await tracer.within('later', { kind: 'internal', facts: {}, parent: captured }, async () => {})
    expect(spanOf('later').parentSpanContext?.spanId).toBe(spanOf('request').spanContext().spanId)

    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const headers = new Headers({ traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    const parent = tracer.extract(headers)
    await tracer.within('from afar', { kind: 'server', facts: {}, parent }, async () => {})
    expect(spanOf('from afar').spanContext().traceId).toBe(traceId)
  })

  it('ends a span once, however often it is told', () => {
    const span = tracer.start('call', {})
    span.end()
    span.end()
    expect(exporter.getFinishedSpans()).toHaveLength(1)
  })
})
