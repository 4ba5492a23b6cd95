/** A GraphQL error, as far as the protocol is concerned. */
export interface GraphError {
  readonly message?: string
  readonly extensions?: { readonly code?: string; readonly resumeAfter?: string }
}

/** An event of the subscription `replies`, with the fields that `repliesDocument` selects. */
export interface ObservedEvent {
  readonly __typename: string
  readonly cursor: string
  readonly replyId: string
  readonly kind?: 'ANSWER' | 'REASONING'
  readonly offset?: number
  readonly text?: string
}

/** What a reader of a stream sees, in the same words for every transport. */
export type Observation =
  /** The response has begun: a status and headers, or 101 and the subprotocol of a WebSocket. */
  | {
      readonly kind: 'head'
      readonly status: number
      readonly headers: ReadonlyMap<string, string>
    }
  /** A comment, an empty part, a ping, or the acknowledgement of a connection. */
  | { readonly kind: 'alive' }
  | {
      readonly kind: 'event'
      readonly event: ObservedEvent
      /** The cursor that the transport gives, beside the field of the event. */
      readonly cursor: string | undefined
      /** False: a reader that is cut within the event would know its cursor before its data. */
      readonly isCursorLast: boolean
    }
  | { readonly kind: 'retry'; readonly ms: number }
  | { readonly kind: 'errors'; readonly errors: readonly GraphError[] }
  | { readonly kind: 'complete' }
  /** The connection has ended, with the code of a WebSocket. */
  | { readonly kind: 'closed'; readonly code: number | undefined }

export interface Payload {
  readonly data?: { readonly replies?: ObservedEvent } | null
  readonly errors?: readonly GraphError[]
  readonly extensions?: { readonly cursor?: string }
}

/** A result of GraphQL as an observation. */
export function observePayload(
  payload: Payload | null,
  {
    cursor,
    isCursorLast = true,
  }: { readonly cursor?: string | undefined; readonly isCursorLast?: boolean } = {},
): Observation {
  const event = payload?.data?.replies
  if (event === undefined) return { kind: 'errors', errors: payload?.errors ?? [] }
  return { kind: 'event', event, cursor: cursor ?? payload?.extensions?.cursor, isCursorLast }
}
