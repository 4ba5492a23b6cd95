import type { AssistantId, SessionId, SessionName } from '../../domain.ts'
import type { OwedCall, OwedWork, OwedWorkId } from '../outbox.ts'
import { integer, type StoredRow, string, stringOrNull } from './columns.ts'
import { toUpstreamAccount } from './records.ts'

/** The columns that say what is owed. */
export function owedColumns(call: OwedCall) {
  const { scope, strategy } = call.type === 'clear-variables' ? call.account : call.upstream
  return {
    type: call.type,
    assistant: call.assistantId,
    origin: scope.origin,
    account: scope.account,
    strategy,
    upstream: call.type === 'clear-variables' ? null : call.upstream.conversationId,
    chat: call.type === 'cancel-chat' ? call.chatId : null,
  }
}

export function toOwedWork(row: StoredRow): OwedWork {
  return {
    id: (typeof row['id'] === 'number' ? String(row['id']) : string(row['id'])) as OwedWorkId,
    session: {
      id: string(row['session_key']) as SessionId,
      name: string(row['session_name']) as SessionName,
    },
    attempts: integer(row['attempts']),
    owedSince: integer(row['owed_since']),
    ...toCall(row),
  }
}

function toCall(row: StoredRow): OwedCall {
  const account = toUpstreamAccount(row)
  const assistantId = stringOrNull(row['assistant'] ?? null) as AssistantId | null
  const type = string(row['type'])
  if (type === 'clear-variables') return { type, assistantId, account }
  if (assistantId === null) throw new TypeError('what is owed has no assistant')
  const upstream = { ...account, conversationId: string(row['upstream']) }
  if (type === 'delete-conversation') return { type, assistantId, upstream }
  if (type === 'cancel-chat') return { type, assistantId, upstream, chatId: string(row['chat']) }
  throw new TypeError(`unknown work in the store: ${type}`)
}
