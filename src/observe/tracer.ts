/** The facts of a trace. None is a token, the name of a session or the text of a message. */
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
  /** The code of the platform. */
  readonly upstreamCode?: string | undefined
  /** The platform's id of the call. */
  readonly logId?: string | undefined
  readonly systemCode?: string | undefined
  /** A fingerprint. */
  readonly session?: string
  /** The kind of the caller. */
  readonly caller?: string
}

/** One unit of work in a trace. Ending it twice is harmless. */
export interface TraceSpan {
  set(facts: TraceFacts): void
  /** `type`: a stable code, not a message. */
  fail(type: string): void
  end(): void
}

/** The place of a unit of work in its trace, so that later work can continue it. */
export type TraceParent = object

/** Reports the work of the gateway to the OpenTelemetry SDK of the process, if there is one. */
export interface Tracer {
  /** Runs work in a new span. Spans that begin meanwhile are its children. A rejection ends it as failed. */
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
  /** Runs the run of a reply in a new span, as `within` does. */
  invokeAgent<T>(
    facts: TraceFacts & { readonly assistantName: string },
    parent: TraceParent,
    work: () => Promise<T>,
  ): Promise<T>
  /** Begins the span of a client call, which the caller ends. */
  start(name: string, facts: TraceFacts): TraceSpan
  /** The span that the running work belongs to. */
  current(): TraceSpan
  /** The place of the current span, as a parent for later work. */
  capture(): TraceParent
  /** The parent that the `traceparent` and `tracestate` headers of a request name. */
  extract(headers: { get(name: string): string | null | undefined }): TraceParent
}
