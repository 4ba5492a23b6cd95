import type { Session } from '../../../src/domain.ts'
import { onAbort } from '../../../src/lib/on-abort.ts'
import type { AssistantRecords, OlderMessage } from '../../../src/strategy/records.ts'

type Rated = Parameters<AssistantRecords['rate']>

export interface ScriptedRecords extends AssistantRecords {
  /** Upstream conversations that were deleted, and as whom. */
  readonly deleted: { readonly conversationId: string; readonly session: Session }[]
  /** Upstream conversations that cannot be deleted. */
  readonly kept: Set<string>
  /** What is deleted is only hidden, and variables cannot be emptied, as on a Studio. */
  hides: boolean
  readonly rated: { readonly answer: Rated[1]; readonly feedback: Rated[2] }[]
  readonly uploaded: { readonly name: string; readonly text: string }[]
  readonly cleared: Session[]
  /** Newest first, by upstream conversation. */
  readonly older: Map<string, readonly OlderMessage[]>
  /** Which upstream conversations were listed, in order. */
  readonly listed: string[]
  /** The next call fails so. */
  failWith(error: Error): void
  /** The next call lasts until it is broken off. Resolves once it is made. */
  hang(): Promise<void>
}

/** What the platform keeps, played by the test. */
export function createScriptedRecords(): ScriptedRecords {
  let failure: Error | undefined
  let hung: (() => void) | undefined
  async function failOnce(signal: AbortSignal) {
    const [error, tell] = [failure, hung]
    failure = undefined
    hung = undefined
    if (error !== undefined) throw error
    if (tell === undefined) return
    tell()
    await aborted(signal)
  }
  const records: ScriptedRecords = {
    takesFiles: true,
    deleted: [],
    kept: new Set(),
    hides: false,
    rated: [],
    uploaded: [],
    cleared: [],
    older: new Map(),
    listed: [],
    failWith: (error) => (failure = error),
    hang: () => new Promise((resolve) => (hung = resolve)),
    async uploadFile(_session, { name, content }, signal) {
      await failOnce(signal)
      const pieces: Uint8Array[] = []
      for await (const piece of content) pieces.push(piece)
      const file = Buffer.concat(pieces)
      records.uploaded.push({ name, text: file.toString() })
      return { upstreamId: `file-${records.uploaded.length}`, bytes: file.length }
    },
    async deleteConversation(session, conversationId) {
      if (records.kept.has(conversationId)) return 'kept'
      records.deleted.push({ conversationId, session })
      return records.hides ? 'hidden' : 'gone'
    },
    async rate(_session, answer, feedback, signal) {
      await failOnce(signal)
      records.rated.push({ answer, feedback })
    },
    async listOlder(_session, { conversationId, before, limit }, signal) {
      await failOnce(signal)
      records.listed.push(conversationId)
      const rows = records.older.get(conversationId) ?? []
      const from = rows.findIndex(({ upstreamMessageId }) => upstreamMessageId === before) + 1
      return rows.slice(from, from + limit)
    },
    listVariables: async () => [],
    async clearVariables(session) {
      records.cleared.push(session)
      return records.hides ? 'no-call' : 'emptied'
    },
  }
  return records
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => onAbort(signal, () => reject(signal.reason)))
}
