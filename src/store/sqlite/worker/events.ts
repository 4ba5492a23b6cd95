import type {
  Delta,
  ReplyEvent,
  ReplyEventBody,
  ReplyFailure,
  TerminalEventBody,
} from '../../domain.ts'
import { integer, json, string, type Row } from './columns.ts'
import { toPosition } from './place.ts'
import { conversationIdOf, replyIdOf } from './rows.ts'

/** Events with what they need of their reply: a completed one takes its text from there. */
export const selectEvent = `
  SELECT e.place, e.type, e.payload, r.key AS reply, c.key AS conversation,
    CASE e.type WHEN 'completed' THEN r.text END AS text
  FROM events e
  JOIN replies r ON r.id = e.reply AND r.session = e.session
  JOIN conversations c ON c.id = r.conversation`

type Ending = Omit<Extract<TerminalEventBody, { type: 'completed' }>, 'type' | 'text'>
/** As an earlier version wrote it: with neither a question nor anything left out. */
type FirstEnding = Omit<Ending, 'question' | 'omitted'> & Partial<Ending>
type Action = Omit<Extract<ReplyEventBody, { type: 'action-required' }>, 'type'>

export function toPayload(body: ReplyEventBody): string | null {
  switch (body.type) {
    case 'started':
      return null
    case 'delta': {
      const { kind, offset, text } = body
      return JSON.stringify({ kind, offset, text } satisfies Delta)
    }
    case 'completed': {
      const { usage, followUps, question, omitted, contextReset } = body
      const ending: Ending = { usage, followUps, question, omitted, contextReset }
      return JSON.stringify(ending)
    }
    case 'action-required': {
      const { toolCalls, expiresAt } = body
      return JSON.stringify({ toolCalls, expiresAt } satisfies Action)
    }
    case 'failed':
      return JSON.stringify(toFailure(body))
    case 'cancelled':
      return JSON.stringify({ upstreamCancelled: body.upstreamCancelled })
  }
}

export function toFailure(event: Extract<TerminalEventBody, { type: 'failed' }>): ReplyFailure {
  const { code, message, retryable, retryAfterMs } = event
  return { code, message, retryable, retryAfterMs }
}

export function toEvent(row: Row): ReplyEvent {
  return {
    ...toPosition(integer(row['place'])),
    replyId: replyIdOf(row),
    conversationId: conversationIdOf(row),
    ...toBody(row),
  }
}

function toBody(row: Row): ReplyEventBody {
  const type = string(row['type'])
  if (type === 'started') return { type }
  const payload = row['payload']
  switch (type) {
    case 'delta': {
      return { type, ...json<Delta>(payload) }
    }
    case 'completed': {
      const ending: Ending = { question: null, omitted: [], ...json<FirstEnding>(payload) }
      return { type, text: string(row['text']), ...ending }
    }
    case 'action-required': {
      return { type, ...json<Action>(payload) }
    }
    case 'failed': {
      return { type, ...json<ReplyFailure>(payload) }
    }
    case 'cancelled': {
      return { type, ...json<{ readonly upstreamCancelled: boolean }>(payload) }
    }
    default:
      throw new TypeError(`unknown event type in the store: ${type}`)
  }
}
