/** Everything that may stand in a trace: never a token, a session's name or a message's text. */
export interface TraceFacts {
  readonly method?: string
  readonly route?: string
  readonly host?: string
  readonly port?: number | undefined
  readonly operationType?: string
  readonly operationName?: string | undefined
  readonly assistantId?: string
  readonly assistantName?: string
  readonly conversationId?: string
  readonly replyId?: string
  readonly upstreamChatId?: string | undefined
  readonly finishReasons?: readonly string[]
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  /** The platform's code. */
  readonly upstreamCode?: string | undefined
  /** The platform's id of the call. */
  readonly logId?: string | undefined
  readonly systemCode?: string | undefined
  /** A fingerprint. */
  readonly session?: string
  /** Its kind. */
  readonly caller?: string
}

/** One unit of work in a trace. Ending it twice is harmless. */
export interface TraceSpan {
  set(facts: TraceFacts): void
  /** `type`: a stable code, not a message. */
  fail(type: string): void
  end(): void
}

/** Where a unit of work was begun, to go on from it later or elsewhere. */
export type TraceParent = object

/** Reports what the gateway does to whichever OpenTelemetry SDK the process runs; without one, to nobody. */
export interface Tracer {
  /** Runs work under a span of its own: spans begun meanwhile are its children. A rejection ends it as failed. */
  within<T>(
    name: string,
    options: {
      readonly kind: 'server' | 'internal'
      readonly facts: TraceFacts
      /** Default: the span that is current. */
      readonly parent?: TraceParent | undefined
    },
    work: (span: TraceSpan) => Promise<T>,
  ): Promise<T>
  /** Runs a reply's run under a span of its own, as `within` does. */
  invokeAgent<T>(
    facts: TraceFacts & { readonly assistantName: string },
    parent: TraceParent,
    work: () => Promise<T>,
  ): Promise<T>
  /** A client call whose end its caller decides. */
  start(name: string, facts: TraceFacts): TraceSpan
  /** The span that the running work belongs to. */
  current(): TraceSpan
  /** To be a parent later. */
  capture(): TraceParent
  /** What a request's `traceparent` and `tracestate` headers name. */
  extract(headers: { get(name: string): string | null | undefined }): TraceParent
}
