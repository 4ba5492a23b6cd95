/** The documented codes (design.md §5), written out anew here: the test must notice when the code drifts from the text. */
export const requestCodes = new Set([
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'SUBSCRIPTION_CURSOR_EXPIRED',
  'TOO_LARGE',
  'RATE_LIMITED',
  'DRAINING',
  'UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
])

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

/** Codes that end a running stream. Request errors of GraphQL itself come on an accepted stream too. */
export const streamCodes = new Set([
  'SUBSCRIPTION_TOKEN_EXPIRED',
  'SUBSCRIPTION_CURSOR_EXPIRED',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
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
