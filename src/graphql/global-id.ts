import type { AssistantId, AttachmentId, ConversationId, MessageId, ReplyId } from '../domain.ts'

interface GlobalIds {
  Assistant: AssistantId
  Attachment: AttachmentId
  Conversation: ConversationId
  Message: MessageId
  Probe: string
  Reply: ReplyId
}
type NodeType = keyof GlobalIds

const maxLength = 512

/** The opaque id that clients see. */
export function encodeGlobal(type: string, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64url')
}

/** Returns the id if it is one of this type, or undefined for any other text, which is treated as an unknown id. */
export function decodeId<Type extends NodeType>(
  type: Type,
  globalId: string,
): GlobalIds[Type] | undefined {
  const decoded = decode(globalId)
  return decoded?.type === type ? (decoded.id as GlobalIds[Type]) : undefined
}

/** The opaque cursor of a row in a connection. */
export function encodeRowCursor(id: string): string {
  return encodeGlobal('Row', id)
}

export function decodeRowCursor(cursor: string): string | undefined {
  return decodeGlobal('Row', cursor)
}

/** The text in a cursor of another kind. Returns undefined for an invalid cursor. */
export function decodeGlobal(type: string, text: string): string | undefined {
  const decoded = decode(text)
  return decoded?.type === type ? decoded.id : undefined
}

/** Accepts only the form that `encodeGlobal` returns, so that an id has one spelling. */
function decode(text: string): { type: string; id: string } | undefined {
  if (text.length > maxLength) return undefined
  const plain = Buffer.from(text, 'base64url').toString()
  const colon = plain.indexOf(':')
  if (colon < 0) return undefined
  const type = plain.slice(0, colon)
  const id = plain.slice(colon + 1)
  return id !== '' && encodeGlobal(type, id) === text ? { type, id } : undefined
}
