/** The documented codes (docs/errors.md#codes), written out anew here: the test must notice when the code drifts from the text. */
/** Of a request that is refused as a whole: the statuses that a code comes with. */
export const requestStatuses: Readonly<Record<string, readonly number[]>> = {
  BAD_REQUEST: [400, 405, 406, 408, 415],
  GRAPHQL_PARSE_FAILED: [400],
  GRAPHQL_VALIDATION_FAILED: [400],
  BAD_USER_INPUT: [400],
  UNAUTHENTICATED: [401],
  FORBIDDEN: [403],
  NOT_FOUND: [404],
  SUBSCRIPTION_CURSOR_EXPIRED: [410],
  TOO_LARGE: [413],
  RATE_LIMITED: [429],
  DRAINING: [503],
  UNAVAILABLE: [503],
  INTERNAL_SERVER_ERROR: [500],
}

export const requestCodes = new Set(Object.keys(requestStatuses))

export const unionCodes = new Set([
  'INVALID_INPUT',
  'NOT_FOUND',
  'CONVERSATION_BUSY',
  'QUEUE_FULL',
  'RATE_LIMITED',
  'IDEMPOTENCY_MISMATCH',
  'NOT_SUPPORTED',
  'ASSISTANT_UNAVAILABLE',
  'TOO_LARGE',
])

/** Codes that end a running stream. */
export const endingCodes = new Set(['SUBSCRIPTION_TOKEN_EXPIRED', 'SUBSCRIPTION_CURSOR_EXPIRED'])

/** All that a stream may tell: request errors come on an accepted one too, where its client takes nothing else. */
export const streamCodes = new Set([
  ...endingCodes,
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'NOT_FOUND',
  'INTERNAL_SERVER_ERROR',
])

export const replyCodes = new Set([
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_TLS',
  'UPSTREAM_AUTH',
  'UPSTREAM_RATE_LIMITED',
  'UPSTREAM_QUOTA',
  'UPSTREAM_ERROR',
  'UPSTREAM_TRUNCATED',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_PROTOCOL',
  'UPSTREAM_TOO_LARGE',
  'UPSTREAM_REFUSED',
  'UPSTREAM_OUTCOME_UNKNOWN',
  'CONVERSATION_BUSY',
  'ACTION_EXPIRED',
  'ACTION_UNSUPPORTED',
  'ISOLATION_BREACH',
  'LIMIT',
  'EXPIRED',
  'SHUTDOWN',
  'STORE_UNAVAILABLE',
  'STORE_FULL',
  'STORE_LOST',
  'INTERNAL',
])
