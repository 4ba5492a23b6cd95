import type { ConversationId, SessionId } from '../domain.ts'
import type { Evidence } from '../domain/isolation.ts'
import {
  type BreachWay,
  breachWays,
  judgeRevealed,
  type RevealedRows,
} from '../isolation/breaches.ts'
import { createGuard, GuardError, type GuardedEvent } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import { RunFailedError } from '../strategy/run-failure.ts'

/** Collects events and rows of other sessions that a probe receives, by the same guard and in the same words as a breach. */
export interface ForeignEvents {
  readonly found: readonly Evidence[]
  /** Watches one run. */
  watch(speaker: Speaker): RunWatch
  /** Judges what a conversation holds that a run has just revealed. */
  revealed(rows: RevealedRows, chatId: string): void
  /** Judges a list of messages that was asked for. */
  listed(conversationId: string, rows: readonly { readonly conversationId: string }[]): void
}

/** Whose a run is: a session of the probe, in a conversation of its own. */
export interface Speaker {
  readonly session: SessionId
  readonly conversation: ConversationId
}

export interface RunWatch {
  /**
   * False: the event is another's, and nothing of it counts as an answer.
   * @throws {@link RunFailedError} for an event that names no run.
   */
  isOurs(event: GuardedEvent & { readonly logId?: string | undefined }): boolean
}

export function createForeignEvents(clock: Clock): ForeignEvents {
  const found: Evidence[] = []
  /** Whose each upstream conversation is, as the probe was told first. */
  const owners = new Map<string, Speaker>()
  const chats = new Set<string>()

  function find(way: BreachWay, logIds: readonly string[]): void {
    const { what } = breachWays[way]
    if (found.some((one) => one.what === what && one.logIds.join() === logIds.join())) return
    found.push({ at: clock.now(), what, logIds, sessions: [] })
  }

  return {
    found,
    watch(speaker) {
      const guard = createGuard({ conversationId: undefined, chatId: undefined })
      let first: GuardedEvent | undefined
      let logIds: readonly string[] = []

      /** The first event tells where the run is, be it in a new conversation because the old one is gone. */
      function meet({ chatId, conversationId }: GuardedEvent): void {
        const owner = owners.get(conversationId)
        if (owner === undefined) owners.set(conversationId, speaker)
        else if (owner.session !== speaker.session) find('of-another-session', logIds)
        else if (owner.conversation !== speaker.conversation)
          find('of-another-conversation', logIds)
        if (chats.has(chatId)) find('event-of-another-chat', logIds)
        chats.add(chatId)
      }

      return {
        isOurs(event) {
          if (event.logId !== undefined) logIds = [event.logId]
          try {
            guard.check(event)
          } catch (error) {
            if (!(error instanceof GuardError)) throw error
            const { foreign, failure } = error
            if (foreign === undefined) {
              throw new RunFailedError(failure, { outcome: 'unseen', cause: error })
            }
            const isNear = foreign.conversationId === first?.conversationId
            find(isNear ? 'event-of-another-chat' : 'event-of-another-conversation', logIds)
            return false
          }
          if (first === undefined) meet(event)
          first ??= event
          return true
        },
      }
    },
    revealed(rows, chatId) {
      const way = judgeRevealed(rows, chatId)
      if (way !== undefined) find(way, [])
    },
    listed(conversationId, rows) {
      if (rows.every((row) => row.conversationId === conversationId)) return
      find('list-of-another-conversation', [])
    },
  }
}
