import type { Facts } from './facts.ts'
import { type Complain, isTerminal, parseCursor, type SeenEvent, type Truth } from './history.ts'

/** Rule 8: the replies of one conversation, by their logs. */
export function checkTurns({ truths, conversations }: Facts, complain: Complain): void {
  const groups = Map.groupBy(truths.values(), ({ as, replyId }) =>
    JSON.stringify([as, conversations.get(replyId)]),
  )
  for (const replies of groups.values()) {
    const log = replies
      .flatMap(({ events }) => events)
      .toSorted((left, right) => seqOf(left) - seqOf(right))
    checkOverlaps(log, complain)
    checkInterrupted(log, replies, complain)
    checkOvertaking(log, replies, complain)
  }
}

/** None starts before the one before has ended. */
function checkOverlaps(log: readonly SeenEvent[], complain: Complain): void {
  let running: string | undefined
  for (const event of log) {
    const { replyId, body } = event
    if (body.type === 'started') {
      if (running !== undefined) complain(8, `${replyId} started while ${running} ran`)
      running = replyId
    } else if (isTerminal(event) && running === replyId) running = undefined
  }
}

/** What waited or ran when a message interrupted it never starts, or goes on, after that has started. */
function checkInterrupted(
  log: readonly SeenEvent[],
  replies: readonly Truth[],
  complain: Complain,
): void {
  for (const urgent of replies) {
    if (urgent.isUrgent !== true) continue
    const start = log.findIndex(
      ({ replyId, body }) => replyId === urgent.replyId && body.type === 'started',
    )
    const later = new Set(start < 0 ? [] : log.slice(start).map(({ replyId }) => replyId))
    for (const reply of replies) {
      if (later.has(reply.replyId) && isBefore(reply, urgent)) {
        complain(8, `${reply.replyId} goes on after ${urgent.replyId} has interrupted it`)
      }
    }
  }
}

/** Messages are answered in their order, but for those that interrupt. */
function checkOvertaking(
  log: readonly SeenEvent[],
  replies: readonly Truth[],
  complain: Complain,
): void {
  const started = log.flatMap(({ replyId, body }) =>
    body.type === 'started' ? replies.filter((reply) => reply.replyId === replyId) : [],
  )
  for (const [at, late] of started.entries()) {
    for (const early of started.slice(0, at)) {
      if (early.isUrgent !== true && isBefore(late, early)) {
        complain(8, `${early.replyId} overtakes ${late.replyId}`)
      }
    }
  }
}

function isBefore(left: Truth, right: Truth): boolean {
  return left.order !== undefined && right.order !== undefined && left.order < right.order
}

function seqOf({ cursor }: SeenEvent): number {
  return parseCursor(cursor)?.seq ?? Number.NaN
}
