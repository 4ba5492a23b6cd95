import type { RunEvent } from '../strategy/strategy.ts'

/**
 * What a runner does with each event of an upstream run.
 *
 *     sent ──accepted──▶ streaming ──completed | cancelled | action-required──▶ ended
 *
 * `sent`: the message has left, nothing came back. `ended`: the terminal was met; what still comes is counted.
 */
export type RunPhase = 'sent' | 'streaming' | 'ended'

export type RunStep =
  /** Remember the chat, durably, before any text is shown. */
  | 'remember'
  /** Show text. */
  | 'show'
  /** End the reply. */
  | 'end'
  /** Nothing to do: the upstream said it twice. */
  | 'ignore'
  /** A second end, or text after the end: ignored, and counted. */
  | 'count'
  /** The upstream breaks its own order: fail the reply. */
  | 'refuse'

export const runTable: Readonly<Record<RunPhase, Readonly<Record<RunEvent['type'], RunStep>>>> = {
  sent: {
    accepted: 'remember',
    delta: 'refuse',
    message: 'refuse',
    'follow-up': 'refuse',
    completed: 'refuse',
    cancelled: 'refuse',
    'action-required': 'refuse',
  },
  streaming: {
    accepted: 'ignore',
    delta: 'show',
    message: 'show',
    'follow-up': 'show',
    completed: 'end',
    cancelled: 'end',
    'action-required': 'end',
  },
  ended: {
    accepted: 'count',
    delta: 'count',
    message: 'count',
    'follow-up': 'count',
    completed: 'count',
    cancelled: 'count',
    'action-required': 'count',
  },
}
