import type { RunEvent } from '../strategy/strategy.ts'

/**
 * What is done with each event of an upstream run, by how far the run has come.
 *
 *     sent ──accepted──▶ streaming ──completed | cancelled──▶ ended
 *                         ▲     │
 *                accepted │     │ action-required
 *                         │     ▼
 *                  answered ◀── waiting
 *                   (tool outputs are sent)
 *
 * `sent`: the message has left, nothing came back. `waiting`: the upstream waits for an answer, this stream of it is over.
 * `answered`: the answer has left, nothing came back. `ended`: the terminal was met; what still comes is counted.
 */
export type RunPhase = 'sent' | 'streaming' | 'waiting' | 'answered' | 'ended'

export type EventStep =
  /** Record the chat, and bind its conversation where the run reveals it. */
  | 'record'
  /** Show text. */
  | 'show'
  /** Keep it for the end. */
  | 'keep'
  /** The run that waited goes on. */
  | 'go-on'
  /** End the stream: the upstream waits. */
  | 'wait'
  /** End the run. */
  | 'end'
  /** A second end, or text after the end: ignored, and counted. */
  | 'count'
  /** The upstream breaks its own order: fail the reply. */
  | 'refuse'

type Row = Readonly<Record<RunEvent['type'], EventStep>>

const nothingYet: Row = {
  accepted: 'refuse',
  delta: 'refuse',
  message: 'refuse',
  'follow-up': 'refuse',
  question: 'refuse',
  omitted: 'refuse',
  'tool-output': 'refuse',
  'answer-finished': 'refuse',
  completed: 'refuse',
  cancelled: 'refuse',
  'action-required': 'refuse',
}

const over: Row = {
  accepted: 'count',
  delta: 'count',
  message: 'count',
  'follow-up': 'count',
  question: 'count',
  omitted: 'count',
  'tool-output': 'count',
  'answer-finished': 'count',
  completed: 'count',
  cancelled: 'count',
  'action-required': 'count',
}

export const runTable: Readonly<Record<RunPhase, Row>> = {
  sent: { ...nothingYet, accepted: 'record' },
  streaming: {
    accepted: 'keep',
    delta: 'show',
    message: 'show',
    'follow-up': 'keep',
    question: 'keep',
    omitted: 'keep',
    'tool-output': 'keep',
    'answer-finished': 'keep',
    completed: 'end',
    cancelled: 'end',
    'action-required': 'wait',
  },
  waiting: over,
  answered: { ...nothingYet, accepted: 'go-on' },
  ended: over,
}
