import type {
  EventPlace,
  OmittedContent,
  Question,
  ReplyFailure,
  ToolCall,
  Usage,
} from '../../domain.ts'
import type { NewId } from '../../lib/id.ts'
import type { StoredEvent } from '../main-half/stored.ts'
import { integer, integerOrNull, json, jsonOrNull, type StoredRow, string } from './columns.ts'
import { conversationIdOf, replyIdOf } from './records.ts'

const checkLength = 5

/** What an event says of its reply. */
export type EventBody = StoredEvent extends infer Event
  ? Event extends StoredEvent
    ? Omit<Event, keyof EventPlace | 'replyId' | 'conversationId'>
    : never
  : never
type Action = Omit<Extract<StoredEvent, { readonly type: 'action-required' }>, keyof EventPlace>

/** Never of digits only: cursors of the first edition have digits in its place. */
export function newCheck(newId: NewId): string {
  for (;;) {
    const id = newId()
    if (/^[A-Za-z]/.test(id)) return id.slice(0, checkLength)
  }
}

export function toPlace(row: StoredRow | undefined): EventPlace {
  if (row === undefined) return { seq: 0, check: '' }
  return { seq: integer(row['seq']), check: string(row['check']) }
}

/** Only what waits for tool outputs says more than its reply does, which may wait several times. */
export function toPayload(body: EventBody): string | null {
  if (body.type !== 'action-required') return null
  const { toolCalls, expiresAt } = body
  return JSON.stringify({ toolCalls, expiresAt })
}

export function toEvent(row: StoredRow): StoredEvent {
  return {
    ...toPlace(row),
    replyId: replyIdOf(row),
    conversationId: conversationIdOf(row),
    ...toBody(row),
  }
}

function toBody(row: StoredRow): EventBody {
  const type = string(row['type'])
  switch (type) {
    case 'started':
      return { type }
    case 'action-required': {
      const { toolCalls, expiresAt } = json<{
        readonly toolCalls: readonly ToolCall[]
        readonly expiresAt: Action['expiresAt']
      }>(row['payload'])
      return { type, toolCalls, expiresAt }
    }
    case 'completed':
      return {
        type,
        usage: jsonOrNull<Usage>(row['usage']),
        followUps: jsonOrNull<string[]>(row['follow_ups']) ?? [],
        question: jsonOrNull<Question>(row['question']),
        omitted: jsonOrNull<OmittedContent[]>(row['omitted']) ?? [],
        contextReset: row['context_reset'] === 1,
      }
    case 'failed':
      return { type, ...json<ReplyFailure>(row['failure']) }
    case 'cancelled':
      return { type, upstreamCancelled: integerOrNull(row['upstream_cancelled'] ?? null) === 1 }
    default:
      throw new TypeError(`unknown event type in the store: ${type}`)
  }
}

export function toFailure({ code, message, retryable, retryAfterMs }: ReplyFailure): string {
  return JSON.stringify({ code, message, retryable, retryAfterMs })
}
