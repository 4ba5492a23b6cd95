import { type CallRule, callRules } from '../coze/calls.ts'
import { type Accepted, CozeError, type CozeErrorKind } from '../coze/errors.ts'
import { findHint } from '../coze/hints.ts'
import type { ReplyFailure, ReplyFailureCode } from '../domain.ts'
import { RunFailedError, type RunOutcome } from './run-failed-error.ts'

interface Meaning {
  readonly code: ReplyFailureCode
  readonly message: string
  /** Whether the same message may succeed later. */
  readonly retryable: boolean
}

/** What each upstream failure means for the caller. */
const meanings: Readonly<Record<CozeErrorKind, Meaning>> = {
  unavailable: meaning('UPSTREAM_UNAVAILABLE', 'The assistant could not be reached.', true),
  tls: meaning('UPSTREAM_TLS', 'The connection to the assistant could not be secured.', false),
  auth: meaning('UPSTREAM_AUTH', "The assistant does not accept the gateway's credentials.", false),
  'rate-limited': meaning('UPSTREAM_RATE_LIMITED', 'The assistant is asked too often.', true),
  quota: meaning('UPSTREAM_QUOTA', "The assistant's allowance is used up.", false),
  busy: meaning('CONVERSATION_BUSY', 'Another answer runs in this conversation.', true),
  'conversation-gone': meaning(
    'UPSTREAM_REFUSED',
    'The assistant no longer knows the conversation.',
    true,
  ),
  refused: meaning('UPSTREAM_REFUSED', 'The assistant refused the message.', false),
  file: meaning('UPSTREAM_REFUSED', 'The assistant does not take the file.', false),
  'not-supported': meaning(
    'UPSTREAM_REFUSED',
    "The assistant's platform cannot do what was asked.",
    false,
  ),
  server: meaning('UPSTREAM_ERROR', 'The assistant failed.', true),
  failed: meaning('UPSTREAM_ERROR', 'The assistant failed.', true),
  'model-failed': meaning('UPSTREAM_ERROR', "The assistant's model failed.", true),
  'model-refused': meaning(
    'UPSTREAM_ERROR',
    "The assistant's model cannot answer this message.",
    false,
  ),
  truncated: meaning('UPSTREAM_TRUNCATED', 'The answer broke off before its end.', true),
  timeout: meaning('UPSTREAM_TIMEOUT', 'The assistant was silent for too long.', true),
  protocol: meaning('UPSTREAM_PROTOCOL', "The assistant's answer could not be read.", false),
  'too-large': meaning('UPSTREAM_TOO_LARGE', "The assistant's answer is too large.", false),
  limit: meaning('LIMIT', 'The answer grew beyond what an answer may be.', false),
}

/** The message was sent, and nothing came back: it must not be sent again (faults.md, honest limits). */
const outcomeUnknown = meaning(
  'UPSTREAM_OUTCOME_UNKNOWN',
  'The connection was lost before it was known whether the assistant answered.',
  true,
)

/** As {@link toRunFailure}, for whatever was thrown while we listened; an abort's reason is given back as it is. */
export function asRunFailure(error: unknown): unknown {
  return error instanceof CozeError ? toRunFailure(error, 'wire') : error
}

/**
 * The one translation of upstream failures.
 *
 * @param toldBy `upstream` when it said itself that the run is over; `wire` when we merely stopped hearing of it.
 */
export function toRunFailure(error: CozeError, toldBy: 'upstream' | 'wire'): RunFailedError {
  const { kind, accepted, upstreamCode, logId, retryAfterMs } = error
  // An error of no known call is one that a run told.
  const stage = error.origin === undefined ? 'run' : callRules[error.origin.call].stage
  const lost = kind === 'unavailable' && accepted !== 'no' && stage === 'run'
  const failure: ReplyFailure = {
    ...(lost ? outcomeUnknown : meanings[kind]),
    retryAfterMs: retryAfterMs ?? null,
  }
  return new RunFailedError(failure, {
    outcome: outcomeOf(stage, accepted, toldBy === 'upstream' || kind === 'failed'),
    conversationGone: kind === 'conversation-gone',
    isSupported: kind !== 'not-supported',
    upstreamCode,
    logId,
    hint: findHint(error),
    misconfiguration: error.misconfiguration,
    upstream: error.facts,
    cause: error,
  })
}

/** `hasEnded`: the upstream said so itself, or failed, which ends a run whichever way it is told. */
function outcomeOf(stage: CallRule['stage'], accepted: Accepted, hasEnded: boolean): RunOutcome {
  switch (stage) {
    case 'before':
      return 'not-accepted'
    case 'run':
      if (accepted === 'no') return 'not-accepted'
      return hasEnded ? 'ended' : 'unseen'
    case 'beside':
      return 'unseen'
  }
}

function meaning(code: ReplyFailureCode, message: string, retryable: boolean): Meaning {
  return { code, message, retryable }
}
