import type { Position, ReplyEvent } from '../../../src/domain.ts'
import type { SeenBody, SeenEvent } from './history.ts'

/** An event of the gateway's own, as the checker takes it. */
export function toSeen(event: ReplyEvent, cursor: string): SeenEvent {
  return { cursor, replyId: event.replyId, body: toBody(event) }
}

function toBody(event: ReplyEvent): SeenBody {
  switch (event.type) {
    case 'started':
    case 'action-required':
    case 'cancelled':
      return { type: event.type }
    case 'delta':
      return { type: 'delta', kind: event.kind, offset: event.offset, text: event.text }
    case 'completed':
      return { type: 'completed', text: event.text }
    case 'failed':
      return { type: 'failed', code: event.code }
  }
}

/** A cursor for who reads the log itself. */
export function cursorAt({ seq, check, texts }: Position, tag = 'log'): string {
  const places = texts.map(
    ({ replyId, revision, answer, reasoning }) => `~${replyId}.${revision}.${answer}.${reasoning}`,
  )
  return `${tag}.${seq}.${check || '-'}${places.join('')}`
}
