import { type CallRule, callRules } from '../coze/calls.ts'
import {
  type Accepted,
  CozeError,
  type CozeErrorKind,
  type Misconfiguration,
} from '../coze/errors.ts'
import type { ReplyFailure, ReplyFailureCode } from '../domain.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'

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

/** The message was sent, and nothing came back: it must not be sent again (docs/threats-and-faults.md). */
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

/**
 * The first thing for an operator to look at, for the log. Undefined where the failure tells of nothing that an operator could
 * mend.
 */
export function findHint({ kind, upstreamCode, misconfiguration }: CozeError): string | undefined {
  if (misconfiguration !== undefined) return hints[misconfiguration]
  switch (kind) {
    case 'auth': {
      // The token endpoint has codes in words.
      const isAssertion = upstreamCode !== undefined && /[a-z]/.test(upstreamCode)
      return isAssertion ? assertionHint : tokenHint
    }
    case 'failed':
      return failedHint
    case 'not-supported':
      return notSupportedHint
    default:
      return undefined
  }
}

const hints: Readonly<Record<Misconfiguration, string>> = {
  unpublished:
    'the platform finds no published assistant: compare "workflowId", "appId" and "botId" with the ids in the address bar of their editors, and publish the assistant to the API channel',
  unknown:
    'the platform does not know the assistant: compare "workflowId", "appId" and "botId" with the ids in the address bar of their editors, and check that "baseUrl" is the platform where they were made',
  forbidden:
    'the token may not run the assistant: give its OAuth app, or the owner of the personal token, access to the workspace, and check that "appId" or "botId" is what the Workflow belongs to',
  parameters:
    'the platform finds a start parameter missing or wrong: compare the start node of the Workflow with "parameters", "messageParameters" and "sessionParameter"',
  'conversation-name':
    'the platform runs this Workflow only under the name of a conversation: set "conversationKeying" to "name", or to "auto"',
  'user-name':
    'the name of the session is too long for the platform: check "session.nameClaim", whose values may have 60 characters there',
  workflow: 'the Bot has no Workflow to run: choose one in its editor, and publish the Bot again',
  model:
    'the model of the assistant is not valid: choose another one in its editor, and publish it',
  'no-oauth':
    'the platform has no OAuth apps, as a self-hosted Coze Studio: use "token" with "allowSharedToken" in place of them, or check "baseUrl"',
}

const regions = 'api.coze.com and api.coze.cn share no accounts, apps, keys or ids'
const assertionHint = `the assertion was refused: check that "keyId" is the fingerprint of a public key registered with the OAuth app, and that "baseUrl" is the app's region (${regions})`
const tokenHint = `the access token was refused: check that "baseUrl" is the region of the assistant (${regions}), and that the OAuth app has the permission and the workspace`
const failedHint =
  'the assistant itself failed: run it in its editor with the same input; a Coze Studio says the same of a "workflowId" that it does not know'
const notSupportedHint =
  'the platform has no such call, as a self-hosted Coze Studio: check "baseUrl" if it should have it'

/** What is known of the upstream's state when a run fails. */
export type RunOutcome =
  /** Nothing was accepted: the conversation is as it was. */
  | 'not-accepted'
  /** The upstream said how it ended. */
  | 'ended'
  /** The end was not seen: it may still run, or have finished. */
  | 'unseen'

/** A run failed. Translated once, at the strategy, from the upstream's error, which is the cause. */
export class RunFailedError extends Error {
  override readonly name = 'RunFailedError'
  readonly failure: ReplyFailure
  readonly outcome: RunOutcome
  /** The stored upstream conversation cannot be used any more (F41): begin a new one. */
  readonly conversationGone: boolean
  /** False: the platform has no call for what was asked, and never will have while it is what it is. */
  readonly isSupported: boolean
  /** For support: the upstream's own code and log id. */
  readonly upstreamCode: string | undefined
  readonly logId: string | undefined
  /** For the log: what whoever runs the gateway should look at first. */
  readonly hint: string | undefined
  /** The mistake in the configuration of the assistant, where the failure says it. */
  readonly misconfiguration: Misconfiguration | undefined
  /** For the log: the call that failed. Undefined: no call did. */
  readonly upstream: UpstreamFailure | undefined
  constructor(
    failure: ReplyFailure,
    details: {
      readonly outcome: RunOutcome
      readonly conversationGone?: boolean
      /** Default true. */
      readonly isSupported?: boolean
      readonly upstreamCode?: string | undefined
      readonly logId?: string | undefined
      readonly hint?: string | undefined
      readonly misconfiguration?: Misconfiguration | undefined
      readonly upstream?: UpstreamFailure | undefined
      readonly cause?: unknown
    },
  ) {
    super(failure.message, { cause: details.cause })
    this.failure = failure
    this.outcome = details.outcome
    this.conversationGone = details.conversationGone ?? false
    this.isSupported = details.isSupported ?? true
    this.upstreamCode = details.upstreamCode
    this.logId = details.logId
    this.hint = details.hint
    this.misconfiguration = details.misconfiguration
    this.upstream = details.upstream
  }
}
