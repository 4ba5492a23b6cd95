import type { Platform, Session } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import type { ProbeSession } from './session.ts'

/** The time for deleting what a probe has made, in ms. */
const cleanUpMs = 30_000

/** Places of the platform whose contents no call takes away. */
const keepers: Readonly<Record<Platform, string>> = {
  cloud: 'What long-term memory keeps',
  studio:
    'What a Studio hides when it is deleted, and what app variables and nodes with a fixed conversation name keep',
}

/** Deletes what the sessions of a probe have made upstream. */
export interface Cleanup {
  /** Returns the session with a note kept of every conversation that it makes. */
  watch(probeSession: ProbeSession): ProbeSession
  /** Deletes the conversations, and returns what may be left all the same, in sentences. Never throws. */
  cleanUp(records: AssistantRecords, platform: Platform, clock: Clock): Promise<readonly string[]>
}

export function createCleanup(): Cleanup {
  const sessions = new Map<Session, Set<string>>()
  return {
    watch(probeSession) {
      const { session } = probeSession
      const ids = new Set<string>()
      sessions.set(session, ids)
      return {
        session,
        async accessAsStranger(on) {
          const tried = await probeSession.accessAsStranger(on)
          if (tried.left !== undefined) ids.add(tried.left)
          return tried
        },
        async converse() {
          const conversation = await probeSession.converse()
          if (conversation.upstreamId !== undefined) ids.add(conversation.upstreamId)
          return {
            ...conversation,
            get upstreamId() {
              return conversation.upstreamId
            },
            async say(text) {
              const said = await conversation.say(text)
              ids.add(said.conversationId)
              return said
            },
            async sayOnce(text) {
              const said = await conversation.sayOnce(text)
              ids.add(said.conversationId)
              return said
            },
          }
        },
      }
    },
    async cleanUp(records, platform, clock) {
      using deadline = createDeadline(clock, cleanUpMs, () => new Error('no more time to clean up'))
      let kept = 0
      let hidden = 0
      let uncleared = 0
      const all = [...sessions.values()].flatMap((ids) => [...ids])
      const shared = new Set(all.filter((id, at) => all.indexOf(id) !== at))
      for (const [session, ids] of sessions) {
        for (const id of ids) {
          if (shared.has(id)) continue
          const removal = await records.deleteConversation(session, id, deadline.signal)
          if (removal === 'hidden') hidden += 1
          if (removal === 'kept') kept += 1
        }
        const emptying = await records.clearVariables(session, deadline.signal)
        if (emptying !== 'emptied') uncleared += 1
      }
      return [
        ...(shared.size > 0
          ? [
              'What was said in the shared conversation: others may be in it, so it was not deleted.',
            ]
          : []),
        ...(hidden > 0
          ? [`${hidden} conversations of the probe are only hidden: the platform keeps them.`]
          : []),
        ...(kept > 0 ? [`${kept} conversations of the probe could not be deleted.`] : []),
        ...(uncleared > 0
          ? [`Variables of ${uncleared} of its sessions could not be emptied.`]
          : []),
        `${keepers[platform]} of ${sessions.size} sessions that will not come again: codes that begin with CG-. A staging copy of the workflow keeps them out of the one that serves.`,
      ]
    },
  }
}
