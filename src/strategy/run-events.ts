import type { CozeMessage } from '../coze/conversations.ts'
import type { ChatIds, CozeEvent } from '../coze/events.ts'
import { historyKey } from './keys.ts'
import type { RunFailedError } from './run-failed-error.ts'
import { toRunFailure } from './run-failure.ts'
import type { RunEvent } from './strategy.ts'

/** Tells a stream's events in the strategy's words, one network read at a time. */
export interface RunTranslator {
  /** `failure`: how the run failed, after `events`. */
  translate(batch: readonly CozeEvent[]): {
    readonly events: readonly RunEvent[]
    readonly failure: RunFailedError | undefined
  }
}

export function createRunTranslator(): RunTranslator {
  let chatId: string | undefined
  let conversationId: string | undefined

  /** For what carries nothing to show: tells whose run it names when that is news, or another's, for the guard to judge. */
  function witness(ids: ChatIds, into: RunEvent[]) {
    if (ids.chatId === chatId && ids.conversationId === conversationId) return
    chatId ??= ids.chatId
    conversationId ??= ids.conversationId
    into.push({ type: 'accepted', chatId: ids.chatId, conversationId: ids.conversationId })
  }

  return {
    translate(batch) {
      const events: RunEvent[] = []
      for (const event of batch) {
        switch (event.type) {
          case 'delta':
            if (event.contentType === 'text') events.push(event)
            else witness(event, events)
            break
          case 'answer':
            if (event.contentType === 'text') events.push({ ...event, type: 'message' })
            else witness(event, events)
            break
          case 'follow-up':
            events.push(event)
            break
          case 'completed':
            events.push(event)
            break
          case 'cancelled':
            events.push({ ...event, type: 'cancelled' })
            break
          case 'requires-action':
            events.push({ ...event, type: 'action-required' })
            break
          case 'created':
          case 'in-progress':
          case 'other':
            witness(event, events)
            break
          case 'failed':
            witness(event, events)
            return { events, failure: toRunFailure(event.error, 'upstream') }
          case 'error':
            return { events, failure: toRunFailure(event.error, 'upstream') }
          case 'done':
            break
        }
      }
      return { events, failure: undefined }
    },
  }
}

/** A run that was looked up, as its stream would have told it. Rows keep the ids they came with, for the guard to judge. */
export function retell(
  ids: ChatIds,
  rows: readonly CozeMessage[],
  end: Extract<RunEvent, { type: 'completed' | 'cancelled' | 'action-required' }>,
): readonly RunEvent[] {
  return [{ type: 'accepted', ...ids }, ...rows.flatMap(retellRow), end]
}

function retellRow(row: CozeMessage): readonly RunEvent[] {
  const { id: messageId, chatId = '', conversationId, text } = row
  if (row.type === 'follow_up') return [{ type: 'follow-up', chatId, conversationId, text }]
  if (!isShownAnswer(row)) return []
  return [{ type: 'message', messageId, chatId, conversationId, text }]
}

/**
 * Only plain answers are for users: verbose rows are the platform's own, cards are not text (coze-api.md §6), and the
 * history that we sent along is stored under the same chat.
 */
export function isShownAnswer(row: CozeMessage): boolean {
  return (
    row.type === 'answer' && row.contentType === 'text' && row.metaData[historyKey] === undefined
  )
}
