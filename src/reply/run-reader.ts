import type { Delta, OmittedContent, Question, ToolCall, Usage } from '../domain.ts'
import type { Guard } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import type { RunEvent } from '../strategy/strategy.ts'
import { runFailures } from './failures.ts'
import { createReplyExtras, wellFormedCalls } from './reply-extras.ts'
import { type RunPhase, runTable } from './run-states.ts'
import { createTranscript } from './transcript.ts'

/** How the upstream said that the run, or this stream of it, ended. */
export type RunEnd =
  | { readonly type: 'completed'; readonly usage: Usage | null }
  | { readonly type: 'cancelled' }
  /** It waits: for the outputs of these calls, or for an answer to what it asked. */
  | { readonly type: 'action-required'; readonly toolCalls: readonly ToolCall[] }

export interface UpstreamRun {
  readonly chatId: string
  readonly conversationId: string
}

/** Takes a run's events, in batches of one network read each, and shows what they say. */
export interface RunReader {
  /**
   * A promise when the next batch has to wait.
   * @throws {@link RunFailedError} when the guard or the run table refuses an event.
   */
  take(events: readonly RunEvent[]): Promise<void> | undefined
  /**
   * Takes the events of a run that was looked up. Where they tell messages, they tell all of them: readers are shown what
   * differs from what they hold. Throws as `take` does.
   */
  takeLookedUp(events: readonly RunEvent[]): Promise<void> | undefined
  /** Shows the text that waits for the end of an earlier message, since that end will not come. */
  showWaiting(): Promise<void> | undefined
  /** The run that waits is answered: its next stream can be taken. */
  answered(): void
  readonly answer: string
  readonly followUps: readonly string[]
  /** What the run asks, if it waits for a message. */
  readonly question: Question | undefined
  readonly omitted: readonly OmittedContent[]
  /** The last answer message, in the upstream's words. */
  readonly lastMessage: { readonly id: string; readonly text: string } | undefined
  readonly chatId: string | undefined
  readonly conversationId: string | undefined
  /** The run went on in another conversation than the one it was sent to, which is gone. */
  readonly moved: boolean
  /** The id of the upstream's log lines, for its support. */
  readonly logId: string | undefined
  /** Calls that were made again before one was accepted. */
  readonly retries: number
  /** From the acceptance of the message to the first text, in ms; undefined before, and when that was in another life. */
  readonly firstDeltaMs: number | undefined
  /** Set once the run, or this stream of it, has ended. */
  readonly end: RunEnd | undefined
  /** The run has announced that no more text follows, and every message that it had begun was seen whole. */
  readonly isFinished: boolean
  /** The upstream waits, or is not known to have taken the answer yet. */
  readonly waits: boolean
}

export function createRunReader(options: {
  readonly guard: Guard
  readonly metrics: Metrics
  readonly clock: Clock
  /** When the message was accepted, in ms since the epoch. */
  readonly acceptedAt: number
  /** What readers hold of a recovered reply. */
  readonly shown: { readonly answer: string; readonly reasoning: string }
  /** The conversation that the message was sent to; undefined: the run itself tells it. */
  readonly sentTo: string | undefined
  /** The run as it was recorded before. */
  readonly known: UpstreamRun | undefined
  /** The calls whose outputs a recovered run waits for. */
  readonly waitsFor: readonly ToolCall[] | undefined
  /** Bytes that the reply may hold and write: its texts, ids, suggestions, question, tool calls and corrections. */
  readonly maxReplyBytes: number
  /** Records the run's ids. A promise where the run itself reveals its conversation: nothing is shown before it resolves. */
  record(run: UpstreamRun): Promise<void> | undefined
  show(deltas: readonly Delta[]): Promise<void> | undefined
}): RunReader {
  const { guard, metrics, clock } = options
  const { answer: shownAnswer, reasoning: shownReasoning } = options.shown
  const extras = createReplyExtras(options.maxReplyBytes, [shownAnswer, shownReasoning])
  const { charge } = extras
  const answer = createTranscript({ kind: 'ANSWER', shown: shownAnswer, charge })
  const reasoning = createTranscript({ kind: 'REASONING', shown: shownReasoning, charge })
  // Nothing is looked up of it: it goes on after what readers hold.
  reasoning.settle()
  let phase: RunPhase = options.waitsFor === undefined ? 'sent' : 'waiting'
  let run = options.known
  let logId: string | undefined
  let retries = 0
  let firstDeltaMs: number | undefined
  let hasShown = shownAnswer !== '' || shownReasoning !== ''
  /** Answer messages of which a part was seen, and not yet the whole. */
  const unfinished = new Set<string>()
  let isAnnounced = false
  let end: RunEnd | undefined = options.waitsFor && {
    type: 'action-required',
    toolCalls: wellFormedCalls(options.waitsFor),
  }

  function take(events: readonly RunEvent[], from = 0): Promise<void> | undefined {
    const deltas: Delta[] = []
    try {
      for (let index = from; index < events.length; index += 1) {
        const event = events[index]
        if (event === undefined) break
        const wait = takeOne(event, deltas)
        if (wait !== undefined) return wait.then(() => take(events, index + 1))
      }
    } catch (error) {
      // The events before it in the same network read are shown all the same.
      // The reply ends for what is thrown, whether they can be stored or not.
      if (extras.isTooLarge) show(deltas)?.catch(() => undefined)
      throw error
    }
    return show(deltas)
  }

  /** A promise when the run's conversation has to be bound before the next event. Nothing has been said by then. */
  function takeOne(event: RunEvent, deltas: Delta[]): Promise<void> | undefined {
    guard.check(event)
    switch (runTable[phase][event.type]) {
      case 'record': {
        keep(event)
        const { chatId, conversationId } = event
        const found = { chatId, conversationId }
        const recorded = options.record(found)
        if (recorded !== undefined) return recorded.then(() => accept(found))
        accept(found)
        break
      }
      case 'go-on':
        keep(event)
        phase = 'streaming'
        break
      case 'show':
        read(event, deltas)
        break
      case 'keep':
        keep(event)
        break
      case 'wait':
        end = endOf(event)
        phase = 'waiting'
        flush(deltas)
        break
      case 'end':
        end = endOf(event)
        phase = 'ended'
        flush(deltas)
        break
      case 'count':
        metrics.upstreamOddity(event.type === 'delta' ? 'late-delta' : 'extra-terminal')
        break
      case 'refuse':
        throw new RunFailedError(runFailures.outOfOrder, { outcome: 'unseen' })
    }
    return undefined
  }

  function accept(found: UpstreamRun): void {
    run = found
    phase = 'streaming'
  }

  function show(deltas: readonly Delta[]): Promise<void> | undefined {
    if (deltas.length === 0) return undefined
    if (!hasShown) {
      hasShown = true
      firstDeltaMs = clock.now() - options.acceptedAt
      metrics.firstDelta(firstDeltaMs)
    }
    return options.show(deltas)
  }

  function flush(deltas: Delta[]): void {
    add(deltas, reasoning.flush())
    add(deltas, answer.flush())
  }

  /** What an event adds to the texts. */
  function read(event: RunEvent, deltas: Delta[]): void {
    if (event.type === 'delta') {
      const transcript = event.kind === 'ANSWER' ? answer : reasoning
      const delta = transcript.append(event.messageId, event.text)
      if (delta === 'late') {
        metrics.upstreamOddity('late-delta')
        return
      }
      isAnnounced = false
      if (event.kind === 'ANSWER') unfinished.add(event.messageId)
      add(deltas, delta)
    } else if (event.type === 'message') {
      isAnnounced = false
      unfinished.delete(event.messageId)
      add(deltas, reasoning.close(event.messageId))
      const completed = answer.complete(event.messageId, event.text)
      if (completed === 'late') {
        metrics.upstreamOddity('extra-terminal')
        return
      }
      if (completed.corrected) metrics.upstreamOddity('corrected-text')
      add(deltas, completed.delta)
    }
  }

  function keep(event: RunEvent): void {
    switch (event.type) {
      case 'accepted':
        logId = event.logId ?? logId
        retries += event.retries ?? 0
        break
      case 'follow-up':
        extras.keepFollowUp(event.text)
        break
      case 'question':
        extras.keepQuestion(event.question)
        break
      case 'omitted':
        extras.keepOmitted(event.content)
        break
      case 'tool-output':
        extras.noteToolOutput()
        break
      case 'answer-finished':
        isAnnounced = true
        break
      case 'delta':
      case 'message':
      case 'completed':
      case 'cancelled':
      case 'action-required':
        throw new TypeError(`nothing is kept of "${event.type}"`)
    }
  }

  function endOf(event: RunEvent): RunEnd {
    switch (event.type) {
      case 'completed':
        return { type: 'completed', usage: event.usage }
      case 'cancelled':
        return { type: 'cancelled' }
      case 'action-required':
        return { type: 'action-required', toolCalls: extras.takeToolCalls(event.toolCalls) }
      case 'accepted':
      case 'delta':
      case 'message':
      case 'follow-up':
      case 'question':
      case 'omitted':
      case 'tool-output':
      case 'answer-finished':
        throw new TypeError(`a run cannot end with "${event.type}"`)
    }
  }

  return {
    take: (events) => take(events),
    takeLookedUp(events) {
      if (events.some(({ type }) => type === 'message')) answer.restart()
      return take(events)
    },
    showWaiting() {
      if (extras.isTooLarge) return undefined
      const deltas: Delta[] = []
      flush(deltas)
      return show(deltas)
    },
    answered() {
      if (phase !== 'waiting') throw new TypeError(`a run that is "${phase}" waits for no answer`)
      phase = 'answered'
      end = undefined
      extras.dropQuestion()
      // The next text follows what readers hold.
      answer.settle()
    },
    get followUps() {
      return extras.followUps
    },
    get answer() {
      return answer.text
    },
    get question() {
      return extras.question
    },
    get omitted() {
      return extras.omittedBeside(answer)
    },
    get lastMessage() {
      return answer.last
    },
    get chatId() {
      return run?.chatId
    },
    get conversationId() {
      return run?.conversationId
    },
    get moved() {
      return (
        run !== undefined && options.sentTo !== undefined && run.conversationId !== options.sentTo
      )
    },
    get logId() {
      return logId
    },
    get retries() {
      return retries
    },
    get firstDeltaMs() {
      return firstDeltaMs
    },
    get end() {
      return end
    },
    get isFinished() {
      return isAnnounced && unfinished.size === 0
    },
    get waits() {
      return phase === 'waiting' || phase === 'answered'
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
