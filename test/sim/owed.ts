import type { OwedWork } from '../../src/store/outbox.ts'
import type { Step } from '../kit/history/history.ts'
import { variablesOf } from './upstream/world.ts'
import type { World } from './world.ts'

/** What was ever owed to the platform, and what of it is done there, or still owed under a name that it can be done under. */
export function tellOwed({ disk, upstream, faults }: World): readonly Step[] {
  const { everOwed, outbox } = disk.state
  const owed = [...outbox.values()].map(({ work }) => work)

  function isDone(work: OwedWork): boolean {
    switch (work.type) {
      case 'delete-conversation': {
        const conversation = upstream.conversations.get(work.upstream.conversationId)
        return conversation === undefined || conversation.isDeleted || conversation.isGone
      }
      case 'clear-variables': {
        // A Studio has no call for it, which is told. Who woke up beside the one that took over may send once more.
        if (upstream.platform === 'studio' || faults.reached.has('F23')) return true
        const keeper = work.account.strategy === 'bot' ? 'bot' : 'app'
        return !upstream.variables.has(variablesOf(keeper, work.session.name))
      }
      case 'cancel-chat': {
        const chat = upstream.chats.get(work.chatId)
        return chat === undefined || chat.status !== 'in_progress' || chat.isLost
      }
    }
  }

  function isOwedStill(work: OwedWork): boolean {
    return owed.some((other) => other.id === work.id && mayBeDone(other))
  }

  /** Nobody finds a conversation under another name than the one that it was made for. */
  function mayBeDone(work: OwedWork): boolean {
    if (work.type !== 'delete-conversation' || upstream.platform === 'studio') return true
    const conversation = upstream.conversations.get(work.upstream.conversationId)
    return conversation?.isShared === true || conversation?.owner === work.session.name
  }

  return everOwed.flatMap((work): readonly Step[] => {
    const { id, type, owedSince } = work
    const owes = { type: 'owed', id, work: `${type} is owed since ${owedSince}` } as const
    return isDone(work) || isOwedStill(work) ? [owes, { type: 'settled', id }] : [owes]
  })
}
