import type { ConversationId, MessageId } from '../../domain.ts'
import { decodeGlobal, encodeGlobal } from '../global-id.ts'

/** How far an export has come. Ids in it are looked up in the caller's session, like all others. */
export interface ExportPosition {
  readonly conversationId: ConversationId
  /** How late the conversation had been used; conversations are exported in this order. */
  readonly used: number
  /** Null: the conversation is done. */
  readonly messageId: MessageId | null
}

export function encodeExportCursor({ conversationId, used, messageId }: ExportPosition): string {
  return encodeGlobal('Export', [used, conversationId, messageId ?? ''].join(' '))
}

/** Undefined for garbage. */
export function decodeExportCursor(text: string): ExportPosition | undefined {
  const [, used, conversationId, messageId] =
    /^(\d{1,16}) (\S+) (\S*)$/.exec(decodeGlobal('Export', text) ?? '') ?? []
  if (conversationId === undefined) return undefined
  return {
    used: Number(used),
    conversationId: conversationId as ConversationId,
    messageId: messageId ? (messageId as MessageId) : null,
  }
}
