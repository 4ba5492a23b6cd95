import type { Conversation, JsonValue } from '../../domain.ts'
import type { GraphContext } from '../context.ts'
import { encodeExportCursor, type ExportPosition } from './cursor.ts'
import { walkSession } from './walk.ts'
import { exportedConversation, exportedMessage } from './records.ts'

/** The most bytes of a page, unless a single message has more. */
const pageBytes = 1_048_576

export interface ExportPage {
  readonly document: JsonValue
  readonly nextCursor: string | null
}

interface Portion {
  readonly conversation: Conversation
  readonly messages: JsonValue[]
}

/** The page after the cursor `after`. It has whole conversations, unless one is larger than a page. */
export async function exportPage(
  { store, fingerprint }: Pick<GraphContext, 'store' | 'fingerprint'>,
  after: ExportPosition | undefined,
): Promise<ExportPage> {
  const portions: Portion[] = []
  let bytes = 0
  let place = after
  for await (const { conversation, message } of walkSession(store, after)) {
    const row = message && exportedMessage(message)
    const header = exportedConversation(conversation, [])
    const isNew = portions.at(-1)?.conversation.id !== conversation.id
    const more = (row ? bytesOf(row) : 0) + (isNew ? bytesOf(header) : 0)
    if (bytes > 0 && bytes + more > pageBytes) return page(place)
    bytes += more
    if (isNew) portions.push({ conversation, messages: [] })
    if (row) portions.at(-1)?.messages.push(row)
    const { id: conversationId, used } = conversation
    place = { conversationId, used, messageId: message?.message.id ?? null }
  }
  return page(undefined)

  function page(next: ExportPosition | undefined): ExportPage {
    const conversations = portions.map(({ conversation, messages }) =>
      exportedConversation(conversation, messages),
    )
    return {
      document: { session: fingerprint, conversations },
      nextCursor: next ? encodeExportCursor(next) : null,
    }
  }
}

function bytesOf(value: JsonValue): number {
  return Buffer.byteLength(JSON.stringify(value))
}
