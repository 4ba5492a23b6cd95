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

/** Collects the events and rows of other sessions that a probe receives. It uses the guard and the words of a breach. */
export interface ForeignEvents {
  readonly found: readonly Evidence[]
  /** Watches one run. */
  watch(speaker: Speaker): RunWatch
  /** Judges the messages of a conversation that a run has just revealed. */
  revealed(rows: RevealedRows, chatId: string): void
  /** Judges the messages that the platform listed for a conversation. */
  listed(conversationId: string, rows: readonly { readonly conversationId: string }[]): void
}

/** The session of the probe, and its conversation, that a run belongs to. */
export interface Speaker {
  readonly session: SessionId
  readonly conversation: ConversationId
}

export interface RunWatch {
  /**
   * Returns false for an event of another run, which is no part of the answer.
   * @throws {@link RunFailedError} for an event that names no run.
   */
  isOurs(event: GuardedEvent & { readonly logId?: string | undefined }): boolean
}

export function createForeignEvents(clock: Clock): ForeignEvents {
  const found: Evidence[] = []
  /** The first owner of each upstream conversation. */
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

      /** The first event names the conversation of the run, which is a new one if the old one is gone. */
      function checkFirst({ chatId, conversationId }: GuardedEvent): void {
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
          if (first === undefined) checkFirst(event)
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
