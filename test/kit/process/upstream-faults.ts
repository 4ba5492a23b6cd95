import type { FaultInput } from '../../../src/emulator/faults.ts'
import type { RoutePath } from '../../../src/emulator/routes.ts'

/** The calls that begin a run. */
export const chatPaths = { flow: '/v1/workflows/chat', bot: '/v3/chat' } as const
export type AssistantId = keyof typeof chatPaths

/** An upstream fault and the end it must have. */
export interface UpstreamFault {
  readonly faults: readonly FaultInput[]
  /** How many requests meet them. Default 1. */
  readonly times?: number
  /** Default: the chat call. */
  readonly path?: RoutePath
  readonly only?: AssistantId
  /** Default `/long 9`. */
  readonly text?: string
  readonly end: object
  /** Text that must have been delivered before the end; the whole answer unless it failed. */
  readonly kept?: RegExp
  /** Calls to the chat path that this may make. */
  readonly calls?: number
  /** The upstream changed what it said, or said it twice. */
  readonly corrected?: boolean
}

const whole = 'stone-1 lamp-2 orchard-3 signal-4 harbour-5 thread-6 winter-7 river-8 stone-9'
const completed = { __typename: 'ReplyCompleted', text: whole }
export const failed = (code: string, more: object = {}) => ({
  __typename: 'ReplyFailed',
  failure: { code, ...more },
})
export const json = (code: number | string, more: object = {}): FaultInput => ({
  kind: 'jsonError',
  code,
  ...more,
})

export const upstreamFaults: Readonly<Record<string, UpstreamFault>> = {
  'F3: a refused token is minted anew, once': {
    faults: [{ kind: 'revokeTokens' }],
    end: completed,
    calls: 2,
  },
  'F3: a token that is refused twice': {
    faults: [json(4100, { status: 401 })],
    times: 2,
    end: failed('UPSTREAM_AUTH', { retryable: false }),
    calls: 2,
  },
  'F4: a Workflow whose token is revoked in the middle of its stream': {
    faults: [
      { kind: 'revokeTokens', when: 'after' },
      { kind: 'cut', afterDeltas: 4 },
    ],
    only: 'flow',
    end: failed('UPSTREAM_TRUNCATED'),
    kept: /^stone-1 lamp-2 orchard-3 signal-4 $/,
    calls: 1,
  },
  'F4: a Bot whose token is revoked in the middle of its stream': {
    faults: [
      { kind: 'revokeTokens', when: 'after' },
      { kind: 'cut', afterDeltas: 4 },
    ],
    only: 'bot',
    end: completed,
    calls: 1,
  },
  'F6: 429 with a Retry-After that can be waited for': {
    faults: [{ kind: 'status', status: 429, retryAfter: '1' }],
    end: completed,
    calls: 2,
  },
  'F6: 429 with a Retry-After that cannot': {
    faults: [{ kind: 'status', status: 429, retryAfter: '3600' }],
    end: failed('UPSTREAM_RATE_LIMITED', { retryable: true, retryAfterMs: 3_600_000 }),
    calls: 1,
  },
  'F6: 429 again and again': {
    faults: [{ kind: 'status', status: 429, retryAfter: '0' }],
    times: 3,
    end: failed('UPSTREAM_RATE_LIMITED', { retryable: true }),
    calls: 3,
  },
  'F7: 500 before any byte': {
    faults: [{ kind: 'status', status: 500 }],
    end: failed('UPSTREAM_ERROR'),
    calls: 1,
  },
  'F8: a JSON error instead of a stream': {
    faults: [json(4000)],
    end: failed('UPSTREAM_REFUSED', { retryable: false }),
    calls: 1,
  },
  'F8: a JSON error with a final newline and a code of text': {
    faults: [json('4011', { finalNewline: true })],
    end: failed('UPSTREAM_QUOTA'),
    calls: 1,
  },
  'F8: 4013, a model error, is not tried again': {
    faults: [json(4013)],
    end: failed('UPSTREAM_ERROR'),
    calls: 1,
  },
  'F9: a Workflow cut in the middle of an event': {
    faults: [{ kind: 'cut', afterDeltas: 4 }],
    only: 'flow',
    end: failed('UPSTREAM_TRUNCATED', { retryable: true }),
    kept: /^stone-1 lamp-2 orchard-3 signal-4 $/,
    calls: 1,
  },
  'F9: a Bot cut in the middle of an event is looked up': {
    faults: [{ kind: 'cut', afterDeltas: 4 }],
    only: 'bot',
    end: completed,
    calls: 1,
  },
  'F9: a stream that said everything and announced it, but not its own end': {
    faults: [{ kind: 'noTerminal' }],
    end: completed,
  },
  'F9: a stream without `done`, but with its end': {
    faults: [{ kind: 'noDone' }],
    end: completed,
  },
  'F10: a stream that falls silent': {
    faults: [{ kind: 'stall', afterDeltas: 3 }],
    end: failed('UPSTREAM_TIMEOUT', { retryable: true }),
    kept: /^stone-1 lamp-2 orchard-3 $/,
    calls: 1,
  },
  'F11: broken JSON in an event': {
    faults: [{ kind: 'malformed', afterDeltas: 3 }],
    end: failed('UPSTREAM_PROTOCOL'),
    kept: /^stone-1 lamp-2 orchard-3 $/,
  },
  'F12: one byte at a time, with every liberty of the format': {
    faults: [
      { kind: 'split' },
      { kind: 'framing', newline: '\r\n', bom: true, comments: true, ids: true, multiline: true },
    ],
    text: '/say 你好 😀🎉, how are you?',
    end: { __typename: 'ReplyCompleted', text: '你好 😀🎉, how are you?' },
  },
  'F12: lines that end with CR': {
    faults: [
      { kind: 'split', bytes: 0 },
      { kind: 'framing', newline: '\r' },
    ],
    end: completed,
  },
  'F13: every event twice': {
    faults: [{ kind: 'duplicate' }],
    end: completed,
    corrected: true,
  },
  'F13: deltas that change places': {
    faults: [{ kind: 'reorder' }],
    end: completed,
    corrected: true,
  },
  'F13: a delta after its message was complete': {
    faults: [{ kind: 'deltaAfterCompleted' }],
    end: completed,
    corrected: true,
  },
  'F13: a second end': { faults: [{ kind: 'secondCompleted' }], end: completed },
  'an event that nobody knows': { faults: [{ kind: 'unknownEvent' }], end: completed },
  'F14: an oversized event': {
    faults: [{ kind: 'oversize', bytes: 200_000, afterDeltas: 2 }],
    end: failed('UPSTREAM_TOO_LARGE'),
    kept: /^stone-1 lamp-2 $/,
  },
  'F14: a line without an end': {
    faults: [{ kind: 'endless', what: 'line', afterDeltas: 2 }],
    end: failed('UPSTREAM_TOO_LARGE'),
    kept: /^stone-1 lamp-2 $/,
  },
  'F15: a stream without an end': {
    faults: [{ kind: 'endless', what: 'deltas', afterDeltas: 2 }],
    end: failed('LIMIT'),
    kept: /^stone-1 lamp-2 more-0 more-1 /,
  },
  'F16: an event of another chat': {
    faults: [{ kind: 'foreignChat', afterDeltas: 2 }],
    end: failed('ISOLATION_BREACH'),
    kept: /^(?!.*not yours)/,
  },
  'F16: an event of another conversation': {
    faults: [{ kind: 'foreignConversation', afterDeltas: 2 }],
    end: failed('ISOLATION_BREACH'),
    kept: /^(?!.*not yours)/,
  },
  'an event without a conversation': {
    faults: [{ kind: 'missingConversation', value: '0' }],
    end: failed('UPSTREAM_PROTOCOL'),
    kept: /^$/,
  },
  'F17: a conversation that is busy from outside for a while': {
    faults: [json(4016)],
    end: completed,
    calls: 2,
  },
  'F17: a conversation that stays busy': {
    faults: [json(4016)],
    times: 50,
    end: failed('CONVERSATION_BUSY', { retryable: true }),
  },
  'F18: a chat that fails': {
    faults: [],
    text: '/say before\n/fail 5000 on purpose',
    end: failed('UPSTREAM_ERROR'),
  },
  'F18: an error event': {
    faults: [],
    text: '/error 4011 on purpose',
    end: failed('UPSTREAM_QUOTA'),
    kept: /^$/,
  },
  'F18: a client plugin, which a Workflow lets nobody answer': {
    faults: [],
    only: 'flow',
    text: '/tool lookup',
    end: failed('UPSTREAM_REFUSED'),
  },
  'F19: a completed text that is not what was streamed': {
    faults: [{ kind: 'completedMismatch', text: 'stone-1 lamp-2 and something else' }],
    end: { __typename: 'ReplyCompleted', text: 'stone-1 lamp-2 and something else' },
    corrected: true,
  },
}
