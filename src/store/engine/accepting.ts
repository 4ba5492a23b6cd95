import type { MessageExtras } from '../../domain.ts'
import { sliceEnd } from '../../lib/surrogate.ts'
import type { BeginRequest } from '../ledger.ts'
import { type StoredRow } from './columns.ts'
import { toBinding } from './records.ts'

/** What `BeginRequest` says, of a conversation that is idle. */
export function mayBegin(
  conversation: StoredRow,
  attachments: readonly StoredRow[],
  begin: BeginRequest | undefined,
): boolean {
  const upstream = toBinding(conversation)
  if (begin === undefined || upstream === undefined) return false
  if (conversation['assistant'] !== begin.assistantId || conversation['reset_pending'] === 1) {
    return false
  }
  const { origin, account } = upstream.scope
  const isServed = begin.served.some(
    ({ scope, strategy }) =>
      scope.origin === origin && scope.account === account && strategy === upstream.strategy,
  )
  return (
    isServed && attachments.every((row) => row['origin'] === origin && row['account'] === account)
  )
}

const maxFirstWords = 80

/** A title for who has given none: the beginning of the first message, on one line. */
export function firstWords(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.slice(0, sliceEnd(line, 0, maxFirstWords))
}

/** Mostly there are none, and nothing is stored. */
export function fromExtras(extras: MessageExtras): string {
  const isEmpty =
    Object.keys(extras.parameters).length === 0 && Object.keys(extras.metadata).length === 0
  return isEmpty ? '' : JSON.stringify(extras)
}
