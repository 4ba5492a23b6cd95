/** Values that may stand in a trace: never a token, a session's name or a message's text. */
export type TraceAttributes = Readonly<Record<string, string | number | boolean | undefined>>

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
