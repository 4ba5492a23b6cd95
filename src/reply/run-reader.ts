import type { Delta, ReplyFailure, Usage } from '../domain.ts'
import type { Guard } from '../isolation/guard.ts'
import type { Metrics } from '../observe/metrics.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { RunEvent } from '../strategy/strategy.ts'
import { runFailures } from './run-failures.ts'
import { runTable, type RunPhase } from './state.ts'
import { createTranscript } from './transcript.ts'

/** How the upstream said the run ended. */
export type RunEnd =
  | { readonly type: 'completed'; readonly usage: Usage | null }
  | { readonly type: 'cancelled' }
  | { readonly type: 'action-required' }

/** Takes a run's events, in batches of one network read each, and shows what they say. */
export interface RunReader {
  /**
   * A promise when the next batch has to wait.
   * @throws {@link RunFailedError} when the guard or the run table refuses an event.
   */
  take(events: readonly RunEvent[]): Promise<void> | undefined
  readonly answer: string
  readonly followUps: readonly string[]
  readonly chatId: string | undefined
  readonly conversationId: string | undefined
  /** Set once the run has ended. */
  readonly end: RunEnd | undefined
}

const maxFollowUps = 20

export function createRunReader(options: {
  readonly guard: Guard
  readonly metrics: Metrics
  /** What readers hold of a recovered reply. */
  readonly shown: { readonly answer: string; readonly reasoning: string }
  /** Makes the run's ids durable; nothing is shown before. */
  remember(accepted: { readonly chatId: string; readonly conversationId: string }): Promise<void>
  show(deltas: readonly Delta[]): Promise<void> | undefined
}): RunReader {
  const { guard, metrics } = options
  const answer = createTranscript('ANSWER', options.shown.answer)
  const reasoning = createTranscript('REASONING', options.shown.reasoning)
  const followUps: string[] = []
  let phase: RunPhase = 'sent'
  let accepted: { readonly chatId: string; readonly conversationId: string } | undefined
  let end: RunEnd | undefined

  function take(events: readonly RunEvent[]): Promise<void> | undefined {
    const deltas: Delta[] = []
    for (const [index, event] of events.entries()) {
      guard.check(event)
      const step = runTable[phase][event.type]
      switch (step) {
        case 'remember': {
          const { chatId, conversationId } = event
          return options.remember({ chatId, conversationId }).then(() => {
            accepted = { chatId, conversationId }
            phase = 'streaming'
            return take(events.slice(index + 1))
          })
        }
        case 'show':
          add(deltas, read(event))
          break
        case 'end':
          phase = 'ended'
          end = endOf(event)
          break
        case 'ignore':
          break
        case 'count':
          metrics.upstreamOddity(event.type === 'delta' ? 'late-delta' : 'extra-terminal')
          break
        case 'refuse':
          throw refused(runFailures.outOfOrder)
      }
    }
    if (deltas.length === 0) return undefined
    return options.show(deltas)
  }

  /** What an event adds to the texts. */
  function read(event: RunEvent): Delta | undefined {
    switch (event.type) {
      case 'delta': {
        const delta = (event.kind === 'ANSWER' ? answer : reasoning).append(
          event.messageId,
          event.text,
        )
        if (delta !== 'late') return delta
        metrics.upstreamOddity('late-delta')
        return undefined
      }
      case 'message': {
        const { delta, corrected } = answer.complete(event.messageId, event.text)
        if (corrected) metrics.upstreamOddity('corrected-text')
        return delta
      }
      case 'follow-up':
        if (followUps.length < maxFollowUps) followUps.push(event.text.toWellFormed())
        return undefined
      case 'accepted':
      case 'completed':
      case 'cancelled':
      case 'action-required':
        return undefined
    }
  }

  return {
    take,
    followUps,
    get answer() {
      return answer.text
    },
    get chatId() {
      return accepted?.chatId
    },
    get conversationId() {
      return accepted?.conversationId
    },
    get end() {
      return end
    },
  }
}

/** Deltas of one network read that follow on each other are one. */
function add(deltas: Delta[], delta: Delta | undefined): void {
  if (delta === undefined) return
  const last = deltas.at(-1)
  if (last?.kind === delta.kind && last.offset + last.text.length === delta.offset) {
    deltas[deltas.length - 1] = { ...last, text: last.text + delta.text }
  } else {
    deltas.push(delta)
  }
}

function endOf(event: RunEvent): RunEnd {
  switch (event.type) {
    case 'completed':
      return { type: 'completed', usage: event.usage }
    case 'cancelled':
    case 'action-required':
      return { type: event.type }
    case 'accepted':
    case 'delta':
    case 'message':
    case 'follow-up':
      throw new TypeError(`a run cannot end with "${event.type}"`)
  }
}

function refused(failure: ReplyFailure): RunFailedError {
  return new RunFailedError(failure, { outcome: 'unseen' })
}
