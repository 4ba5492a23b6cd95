import type { Platform } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import type { ProbeSession } from './session.ts'

/** The time for deleting what a probe has made, in ms. */
const cleanUpMs = 30_000

/** What no call can delete. */
const permanent: Readonly<Record<Platform, string>> = {
  cloud: 'the long-term memory',
  studio:
    'what a Studio only hides when it is deleted, the app variables, and the conversations with a fixed name',
}

/** Deletes what the sessions of a probe have made upstream. Returns, in sentences, what may be left. Never rejects. */
export async function cleanUp(
  sessions: readonly ProbeSession[],
  options: {
    readonly records: AssistantRecords
    readonly platform: Platform
    readonly clock: Clock
  },
): Promise<readonly string[]> {
  const { records, platform, clock } = options
  using deadline = createDeadline(clock, cleanUpMs, () => new Error('no more time to clean up'))
  let kept = 0
  let hidden = 0
  let uncleared = 0
  const all = sessions.flatMap(({ conversationIds }) => [...conversationIds])
  const shared = new Set(all.filter((id, at) => all.indexOf(id) !== at))
  for (const { session, conversationIds } of sessions) {
    for (const id of conversationIds) {
      if (shared.has(id)) continue
      const removal = await records.deleteConversation(session, id, deadline.signal)
      if (removal === 'hidden') hidden += 1
      if (removal === 'kept') kept += 1
    }
    const emptying = await records.clearVariables(session, deadline.signal)
    if (emptying !== 'emptied') uncleared += 1
  }
  const inShared =
    'Messages of the probe in the shared conversation. It was not deleted, since users may be in it.'
  return [
    ...(shared.size > 0 ? [inShared] : []),
    ...(hidden > 0
      ? [`${hidden} conversations of the probe, which the platform hides instead of deleting.`]
      : []),
    ...(kept > 0 ? [`${kept} conversations of the probe, which could not be deleted.`] : []),
    ...(uncleared > 0
      ? [`Variables of ${uncleared} sessions of the probe, which could not be emptied.`]
      : []),
    `Codes that begin with CG- in ${permanent[platform]}. They belong to ${sessions.length} sessions of the probe that are never used again. To keep them away from users, probe a staging copy of the workflow.`,
  ]
}
