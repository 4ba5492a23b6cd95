import type { RunStep } from '../../domain/reply-states.ts'
import type { RunProgress } from '../run-lease.ts'
import { integer, type StoredRow, string } from './columns.ts'
import { toToolCalls } from './records.ts'

/** Characters of a fence that name its revisions. */
const revisionLength = 4

/** A revision that begins with a fence; those after it in the same lease count on. */
export function nameOfRevision(fence: string): string {
  return `${fence.slice(0, revisionLength)}0`
}

export function toProgress(row: StoredRow): RunProgress {
  const step = string(row['step']) as RunStep
  switch (step) {
    case 'claimed':
    case 'intended':
    case 'revealed':
      return { step }
    case 'streaming':
    case 'answered':
      return { step, chatId: string(row['chat']) }
    case 'waiting':
      return {
        step,
        chatId: string(row['chat']),
        toolCalls: toToolCalls(row),
        expiresAt: integer(row['action_expires_at']),
      }
  }
}
