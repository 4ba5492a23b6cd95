import type { ConversationId } from '../domain.ts'
import type { Evidence } from '../domain/isolation.ts'
import { createGuard, GuardError, type GuardedEvent } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'

/** Collects what a probe is told that is another's, by the guard that watches the replies of users. */
export interface Strays {
  readonly found: readonly Evidence[]
  /** Watches one run of a conversation of the probe. */
  watch(conversation: ConversationId): RunWatch
  /** A list of messages held what is of another conversation. */
  listed(logIds: readonly string[]): void
}

export interface RunWatch {
  /**
   * False: the event is another's, and nothing of it counts as an answer.
   * @throws {@link RunFailedError} for an event that names no run.
   */
  isOurs(event: GuardedEvent & { readonly logId?: string | undefined }): boolean
}

export function createStrays(clock: Clock): Strays {
  const found: Evidence[] = []
  /** Whose each upstream conversation is, as the probe was told first. */
  const owners = new Map<string, ConversationId>()
  /** Which of the probe's conversations each chat is in. */
  const chats = new Map<string, ConversationId>()

  function find(what: string, logIds: readonly string[]): void {
    if (found.some((one) => one.what === what && one.logIds.join() === logIds.join())) return
    found.push({ at: clock.now(), what, logIds, sessions: [] })
  }

  return {
    found,
    watch(conversation) {
      // The first event tells where the run is: it may be a new conversation, if the old one is gone.
      const guard = createGuard({ conversationId: undefined, chatId: undefined })
      let isFirst = true
      let logIds: readonly string[] = []
      return {
        isOurs(event) {
          if (event.logId !== undefined) logIds = [event.logId]
          try {
            guard.check(event)
          } catch (error) {
            if (!(error instanceof GuardError)) throw error
            if (error.foreign === undefined) {
              throw new RunFailedError(error.failure, { outcome: 'unseen', cause: error })
            }
            find('A session was told what is of another chat or conversation.', logIds)
            return false
          }
          if (!isFirst) return true
          isFirst = false
          const owner = owners.get(event.conversationId)
          const speaker = chats.get(event.chatId)
          owners.set(event.conversationId, owner ?? conversation)
          chats.set(event.chatId, speaker ?? conversation)
          if (owner !== undefined && owner !== conversation) {
            find('Two sessions were given one upstream conversation.', logIds)
          } else if (speaker !== undefined) {
            find('A session was told of a chat that is of another message.', logIds)
          }
          return true
        },
      }
    },
    listed(logIds) {
      find('A list of messages held those of another conversation.', logIds)
    },
  }
}
