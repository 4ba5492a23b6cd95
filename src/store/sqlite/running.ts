import type { ConversationId, ReplyId } from '../../domain.ts'
import type { Fence } from '../ledger.ts'
import { applyDelta, type DeltaEvent } from './deltas.ts'
import type { SessionLog } from './session-log.ts'

/** A reply that runs: what is asked of it for every delta. */
export interface RunningReply {
  readonly row: number
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly log: SessionLog
  fence: Fence
  answer: string
  reasoning: string
  /** The first journal row that holds a delta of it; undefined: none does. */
  journalFrom: number | undefined
}

export type RunningReplies = Map<ReplyId, RunningReply>

export function growText(reply: RunningReply, delta: DeltaEvent): void {
  if (delta.kind === 'ANSWER') reply.answer = applyDelta(reply.answer, delta)
  else reply.reasoning = applyDelta(reply.reasoning, delta)
}
