/**
 * Everything that may stand in a trace: never a token, a session's name or a message's text. Names and types are those of
 * OpenTelemetry's conventions, but for `coze` and `coze_gateway`.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/registry/attributes/
 */
export interface TraceAttributes {
  readonly 'http.request.method'?: string
  readonly 'url.template'?: string
  readonly 'server.address'?: string
  readonly 'server.port'?: number | undefined
  readonly 'graphql.operation.type'?: string
  readonly 'graphql.operation.name'?: string | undefined
  readonly 'gen_ai.operation.name'?: 'invoke_agent'
  readonly 'gen_ai.provider.name'?: string
  readonly 'gen_ai.agent.id'?: string
  readonly 'gen_ai.agent.name'?: string | undefined
  readonly 'gen_ai.conversation.id'?: string
  readonly 'gen_ai.response.id'?: string | undefined
  readonly 'gen_ai.response.finish_reasons'?: readonly string[]
  readonly 'gen_ai.usage.input_tokens'?: number | undefined
  readonly 'gen_ai.usage.output_tokens'?: number | undefined
  /** The platform's code, and its id of the call. */
  readonly 'coze.code'?: string | undefined
  readonly 'coze.log_id'?: string | undefined
  readonly 'coze_gateway.system_code'?: string | undefined
  readonly 'coze_gateway.reply.id'?: string
  /** A fingerprint. */
  readonly 'coze_gateway.session'?: string
  readonly 'coze_gateway.caller'?: string
}

/** One unit of work in a trace. Ending it twice is harmless. */
export interface TraceSpan {
  set(attributes: TraceAttributes): void
  /** `type`: a stable code, not a message. */
  fail(type: string): void
  end(): void
}

/** Where a unit of work was begun, to go on from it later or elsewhere. */
export type TraceParent = object

/** Tells what the gateway does to whichever OpenTelemetry SDK the process runs; without one, nothing. */
export interface Tracer {
  /** Runs work under a span of its own: spans begun meanwhile are its children. A rejection ends it as failed. */
  within<T>(
    name: string,
    options: {
      readonly kind: 'server' | 'internal' | 'client'
      readonly attributes: TraceAttributes
      /** Default: the span that is current. */
      readonly parent?: TraceParent | undefined
    },
    work: (span: TraceSpan) => Promise<T>,
  ): Promise<T>
  /** A client call whose end its caller decides. */
  start(name: string, attributes: TraceAttributes): TraceSpan
  /** The span that the running work belongs to. */
  current(): TraceSpan
  /** To be a parent later. */
  capture(): TraceParent
  /** What a request's `traceparent` and `tracestate` headers name. */
  extract(headers: { get(name: string): string | null | undefined }): TraceParent
}
