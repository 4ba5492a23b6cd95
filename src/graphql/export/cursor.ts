import type { ConversationId, MessageId } from '../../domain.ts'
import { decodeGlobal, encodeGlobal } from '../global-id.ts'

/** The position of an export. Its ids are looked up in the caller's session, like all ids. */
export interface ExportPosition {
  readonly conversationId: ConversationId
  /** The time at which the conversation was last used. Conversations are exported in this order. */
  readonly used: number
  /** Null: the conversation is exported. */
  readonly messageId: MessageId | null
}

export function encodeExportCursor({ conversationId, used, messageId }: ExportPosition): string {
  return encodeGlobal('Export', [used, conversationId, messageId ?? ''].join(' '))
}

/** Returns undefined for an invalid cursor. */
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
