import { decodeQuestionCard, readObjectString } from '../coze/message-content.ts'
import type { CozeMessage } from '../coze/conversations.ts'
import { type ChatIds, type CozeEvent, type CozeUsage, toolMessages } from '../coze/events.ts'
import type { OmittedContent } from '../domain.ts'
import { historyKey } from '../domain/keying.ts'
import { type RunFailedError, toRunFailure } from './run-failure.ts'
import type { RunEvent } from './strategy.ts'

/** Tells a stream's events in the strategy's words, one network read at a time. */
export interface RunTranslator {
  /** `failure`: how the run failed, after `events`. */
  translate(batch: readonly CozeEvent[]): {
    readonly events: readonly RunEvent[]
    readonly failure: RunFailedError | undefined
  }
}

/** How the call was accepted that a run's events come from. */
export interface RunOpening {
  readonly logId: string | undefined
  readonly retries: number
}

type Answer = Extract<CozeEvent, { type: 'answer' }>

/** `opening`: undefined for a run that was looked up. */
export function createRunTranslator(opening: RunOpening | undefined): RunTranslator {
  let chatId: string | undefined
  let conversationId: string | undefined
  /** Messages whose deltas were shown as text: their end is told, whatever they turn out to be. */
  const shown = new Set<string>()
  const omitted = new Set<OmittedContent>()
  let usedTools = false
  /** As an answer told it, for an end that does not. */
  let usage: CozeUsage | null = null
  let isEnded = false

  /** For what carries nothing to show: tells whose run it names when that is news, or another's, for the guard to judge. */
  function witness(ids: ChatIds, into: RunEvent[]) {
    if (ids.chatId === chatId && ids.conversationId === conversationId) return
    const isFirst = chatId === undefined
    chatId ??= ids.chatId
    conversationId ??= ids.conversationId
    into.push({
      type: 'accepted',
      chatId: ids.chatId,
      conversationId: ids.conversationId,
      ...(isFirst && opening),
    })
  }

  /** Told once per run and kind. */
  function omit(content: OmittedContent, ids: ChatIds, into: RunEvent[]) {
    if (omitted.has(content)) {
      witness(ids, into)
      return
    }
    omitted.add(content)
    into.push({
      type: 'omitted',
      chatId: ids.chatId,
      conversationId: ids.conversationId,
      content,
    })
  }

  function leaveOut(answer: Answer, into: RunEvent[]) {
    const ids = { chatId: answer.chatId, conversationId: answer.conversationId }
    const parts = answer.contentType === 'object_string' ? readObjectString(answer.text) : noParts
    // Or its deltas did not say that they were none.
    if (parts.text !== '' || shown.has(answer.messageId)) into.push(messageOf(answer, parts.text))
    switch (answer.contentType) {
      case 'card': {
        const question = decodeQuestionCard(answer.text)
        if (question === undefined) omit('CARD', ids, into)
        else into.push({ type: 'question', ...ids, question })
        break
      }
      case 'audio':
        omit('AUDIO', ids, into)
        break
      default:
        if (parts.hasMore) omit('OTHER', ids, into)
    }
  }

  return {
    translate(batch) {
      const events: RunEvent[] = []
      for (const event of batch) {
        // Whatever comes first names the run: one that goes on need not say again that it was created.
        if (chatId === undefined && 'chatId' in event) witness(event, events)
        switch (event.type) {
          case 'delta':
            if (event.contentType === 'text') {
              shown.add(event.messageId)
              events.push(event)
            } else if (event.contentType === 'audio') {
              omit('AUDIO', event, events)
            } else {
              witness(event, events)
            }
            break
          case 'answer':
            usage = event.usage ?? usage
            if (event.contentType === 'text') events.push(messageOf(event, event.text))
            else leaveOut(event, events)
            break
          case 'audio':
            omit('AUDIO', event, events)
            break
          case 'follow-up': {
            const { type, text } = event
            events.push({
              type,
              chatId: event.chatId,
              conversationId: event.conversationId,
              text,
            })
            break
          }
          case 'tool-output': {
            const { type, chatId: id, conversationId: within } = event
            if (usedTools) witness(event, events)
            else events.push({ type, chatId: id, conversationId: within })
            usedTools = true
            break
          }
          case 'completed':
            isEnded = true
            events.push({ ...event, usage: event.usage ?? usage })
            break
          case 'cancelled':
            isEnded = true
            events.push({ ...event, type: 'cancelled' })
            break
          case 'requires-action':
            isEnded = true
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
          case 'answer-finished':
            events.push(event)
            break
          // Before the end of the run it announces that there will be none.
          case 'done':
            if (!isEnded && chatId !== undefined && conversationId !== undefined) {
              events.push({ type: 'answer-finished', chatId, conversationId })
            }
            break
        }
      }
      return { events, failure: undefined }
    },
  }
}

/** The text of what is no list of parts. */
const noParts = { text: '', hasMore: true } as const

function messageOf({ chatId, conversationId, messageId }: Answer, text: string): RunEvent {
  return { type: 'message', chatId, conversationId, messageId, text }
}

/**
 * A run that was looked up, as its stream would have told it. Rows of other chats of the conversation are left out: they
 * are no answers of this run. Rows of another conversation keep their ids, for the guard to judge.
 */
export function retell(
  ids: ChatIds,
  rows: readonly CozeMessage[],
  end: Extract<RunEvent, { type: 'completed' | 'cancelled' | 'action-required' }>,
): readonly RunEvent[] {
  const ours = rows.filter((row) => isRowOf(ids, row))
  const told = [{ type: 'created', ...ids } as const, ...ours.flatMap(asEvent)]
  const { events } = createRunTranslator(undefined).translate(told)
  if (end.type !== 'completed' || end.usage !== null) return [...events, end]
  return [...events, { ...end, usage: ours.findLast((row) => row.usage !== null)?.usage ?? null }]
}

/** Whether a row says something of a chat; one of another conversation in its list is for the guard to judge. */
function isRowOf(ids: ChatIds, row: CozeMessage): boolean {
  return row.chatId === ids.chatId || row.conversationId !== ids.conversationId
}

function asEvent(row: CozeMessage): readonly CozeEvent[] {
  const { id: messageId, chatId = '', conversationId, contentType, text } = row
  const message = { messageId, chatId, conversationId, text }
  if (row.type === 'follow_up') return [{ type: 'follow-up', ...message }]
  if (toolMessages.has(row.type)) return [{ type: 'tool-output', chatId, conversationId }]
  return isOurAnswer(row) ? [{ type: 'answer', ...message, contentType }] : []
}

/**
 * Only answers are for users: verbose rows are the platform's own, and the history that we sent along is stored under the
 * same chat, on Studio as if the user had said all of it.
 */
export function isOurAnswer(row: CozeMessage): boolean {
  return row.type === 'answer' && row.role === 'assistant' && row.metaData[historyKey] === undefined
}
