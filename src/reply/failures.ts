import type { ReplyFailure, ReplyFailureCode } from '../domain.ts'

function failure(code: ReplyFailureCode, message: string, retryable: boolean): ReplyFailure {
  return { code, message, retryable, retryAfterMs: null }
}

/** The failures that the engine itself decides; those of the upstream come with their `RunFailedError`. */
export const runFailures = {
  expired: failure('EXPIRED', 'The message waited too long to be answered.', true),
  unconfigured: failure('UPSTREAM_REFUSED', 'The assistant is no longer configured.', false),
  outcomeUnknown: failure(
    'UPSTREAM_OUTCOME_UNKNOWN',
    'The connection was lost before it was known whether the assistant answered.',
    true,
  ),
  truncated: failure('UPSTREAM_TRUNCATED', 'The answer broke off before its end.', true),
  outOfOrder: failure(
    'UPSTREAM_PROTOCOL',
    'The assistant sent events before it accepted the message.',
    false,
  ),
  /** The events that stray into the run are of the session's own earlier runs. */
  ownEcho: failure(
    'UPSTREAM_PROTOCOL',
    'The assistant repeated what is of an earlier reply.',
    true,
  ),
  actionUnsupported: failure(
    'ACTION_UNSUPPORTED',
    'The assistant asked for an action that is not supported.',
    false,
  ),
  actionExpired: failure(
    'ACTION_EXPIRED',
    'The assistant asked for an action, and its result did not come in time.',
    false,
  ),
  tooLong: failure('LIMIT', 'The answer took longer than an answer may.', true),
  overLimit: failure('LIMIT', 'The answer grew beyond what an answer may be.', false),
  tooLarge: failure('UPSTREAM_TOO_LARGE', "The assistant's answer is too large.", false),
  foreignAttachment: failure(
    'UPSTREAM_REFUSED',
    'An attachment was uploaded where the assistant cannot read it any more.',
    false,
  ),
  shutdown: failure('SHUTDOWN', 'The gateway was stopped while the assistant answered.', true),
  storeFull: failure('STORE_FULL', 'The answer could not be stored: no space is left.', true),
  storeUnavailable: failure('STORE_UNAVAILABLE', 'The answer could not be stored.', true),
  internal: failure('INTERNAL', 'The reply failed by a fault of the gateway.', false),
} as const
