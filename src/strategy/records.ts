import type { FileUpload, Rating, Session } from '../domain.ts'
import type { CozeClient, CozeTarget } from '../coze/client.ts'
import {
  type CozeMessage,
  deleteConversation,
  listMessages,
  giveFeedback,
  withdrawFeedback,
} from '../coze/conversations.ts'
import { readObjectString } from '../coze/message-content.ts'
import { CozeError } from '../coze/errors.ts'
import { uploadFile } from '../coze/files.ts'
import { type TokenResolver, withToken } from '../coze/token.ts'
import { listVariables, setVariables, type VariableOwner } from '../coze/variables.ts'
import { TooLargeError } from '../errors.ts'
import type { NewId } from '../lib/id.ts'
import { historyKey } from '../domain/keying.ts'
import { isTranscript } from './enter-messages.ts'
import type { PlatformTraits } from './platform-traits.ts'
import { asRunFailure } from './run-failure.ts'

export interface OlderMessage {
  /** As the row itself says: not always the one that was asked for. */
  readonly conversationId: string
  readonly upstreamMessageId: string
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  /** ms since the epoch; null: the upstream does not say. */
  readonly createdAt: number | null
}

/** The outcome for a conversation: it is gone, or was never there; it is out of sight, and its messages stay; it is there. */
export type Removal = 'gone' | 'hidden' | 'kept'

/** The outcome for variables; `no-call`: the platform has no call that could empty them. */
export type Emptying = 'emptied' | 'kept' | 'no-call'

/**
 * What an assistant's platform keeps of a session beside its runs. Every call is made as the session.
 * Failures are {@link RunFailedError}.
 */
export interface AssistantRecords {
  /** Whether messages may carry files. */
  readonly takesFiles: boolean
  /**
   * Streams a file through, once; resolves with the upstream's id and the bytes that were sent.
   * @throws {@link TooLargeError}, and whatever the content fails with, as it is.
   */
  uploadFile(
    session: Session,
    file: FileUpload,
    signal: AbortSignal,
  ): Promise<{ readonly upstreamId: string; readonly bytes: number }>
  /** Never throws. */
  deleteConversation(
    session: Session,
    conversationId: string,
    signal: AbortSignal,
  ): Promise<Removal>
  /** `null` takes a rating back. */
  rate(
    session: Session,
    answer: { readonly conversationId: string; readonly messageId: string },
    feedback: {
      readonly rating: Rating | null
      readonly reasons: readonly string[]
      readonly comment: string | undefined
    },
    signal: AbortSignal,
  ): Promise<void>
  /** Questions and answers before `before` (a message's id), newest first; at most 50. */
  listOlder(
    session: Session,
    request: {
      readonly conversationId: string
      readonly before: string | undefined
      readonly limit: number
    },
    signal: AbortSignal,
  ): Promise<readonly OlderMessage[]>
  /** What the session's variables hold, names and values; undefined: the upstream does not say. Never throws. */
  listVariables(session: Session, signal: AbortSignal): Promise<readonly string[] | undefined>
  /** Empties the session's variables. Never throws. */
  clearVariables(session: Session, signal: AbortSignal): Promise<Emptying>
}

export interface AssistantRecordsOptions {
  readonly client: CozeClient
  readonly tokens: TokenResolver
  readonly traits: PlatformTraits
  readonly newId: NewId
  /** Whose variables a session has: the app's or the Bot's. */
  readonly owner: VariableOwner['owner']
  readonly connectorId?: string | undefined
  readonly takesFiles: boolean
  /** The limit of one file. */
  readonly maxUploadBytes: number
  /** For a whole upload, in ms. */
  readonly uploadMs: number
}

/** The records of a Workflow or of a Bot: the platform keeps both alike. */
export function createAssistantRecords(options: AssistantRecordsOptions): AssistantRecords {
  const { client, tokens, traits, newId, owner, connectorId, takesFiles } = options

  async function call<T>(
    { name }: Session,
    send: (target: CozeTarget) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await withToken(tokens, name, send, signal)
    } catch (error) {
      throw asRunFailure(error)
    }
  }

  return {
    takesFiles,
    async uploadFile(session, file, signal) {
      let begun = false
      const content = {
        [Symbol.asyncIterator]() {
          begun = true
          return file.content[Symbol.asyncIterator]()
        },
      }
      const send = async (target: CozeTarget) => {
        // The token was refused, and a fresh one is there, but the content is gone: the caller has to send it again.
        if (begun) throw new CozeError('unavailable', 'the file was read already', lost)
        const { maxUploadBytes: maxBytes, uploadMs: timeoutMs } = options
        const { name, mediaType } = file
        const request = { name, mediaType, content, maxBytes, timeoutMs, boundary: newId() }
        return await uploadFile(client, target, request, signal)
      }
      try {
        const { id: upstreamId, bytes } = await withToken(tokens, session.name, send, signal)
        return { upstreamId, bytes }
      } catch (error) {
        const isTooLarge = error instanceof CozeError && error.upstreamCode === tooLargeCode
        if (isTooLarge) throw new TooLargeError('The file is too large for the assistant.')
        throw asRunFailure(error)
      }
    },
    async deleteConversation(session, conversationId, signal) {
      const send = async (target: CozeTarget) =>
        deleteConversation(client, target, conversationId, signal)
      try {
        await withToken(tokens, session.name, send, signal)
        return traits.deleted
      } catch (error) {
        return isGone(error) ? 'gone' : 'kept'
      }
    },
    async rate(session, answer, { rating, reasons, comment }, signal) {
      const send = async (target: CozeTarget) => {
        if (rating === null) return await withdrawFeedback(client, target, answer, signal)
        const feedback = { type: rating === 'LIKE' ? 'like' : 'unlike', reasons, comment } as const
        return await giveFeedback(client, target, answer, feedback, signal)
      }
      await call(session, send, signal)
    },
    async listOlder(session, { conversationId, before, limit }, signal) {
      const found: OlderMessage[] = []
      const seen = new Set<string>()
      let olderThan = before
      // A page may hold little that is told: a few are read, so that fewer than asked for are all that there are.
      for (let pages = 0; pages < maxPages; pages += 1) {
        const older = { by: traits.olderMessages, than: olderThan }
        const request = { conversationId, older, limit: Math.min(limit, maxRows) }
        const send = async (target: CozeTarget) => listMessages(client, target, request, signal)
        const rows = (await call(session, send, signal)) ?? []
        const fresh = rows.filter(({ id }) => !seen.has(id))
        for (const { id } of fresh) seen.add(id)
        found.push(...fresh.flatMap(asOlderMessage))
        olderThan = fresh.at(-1)?.id
        // A page that repeats what was read before leads nowhere.
        if (found.length >= limit || rows.length < request.limit || fresh.length === 0) break
      }
      return found.slice(0, limit)
    },
    async listVariables({ name }, signal) {
      const whose = { owner, userId: name, connectorId }
      const send = async (target: CozeTarget) => listVariables(client, target, whose, signal)
      try {
        const found = await withToken(tokens, name, send, signal)
        return found.flatMap((variable) => [variable.name, variable.value])
      } catch {
        return undefined
      }
    },
    async clearVariables(session, signal) {
      const whose = { owner, userId: session.name, connectorId }
      const send = async (target: CozeTarget) => {
        const variables = await listVariables(client, target, whose, signal)
        const filled = variables.filter(({ value }) => value !== '')
        if (filled.length === 0) return
        const emptied = filled.map(({ name }) => ({ name, value: '' }))
        await setVariables(client, target, whose, emptied, signal)
      }
      try {
        await withToken(tokens, session.name, send, signal)
        return 'emptied'
      } catch (error) {
        const hasNoCall = error instanceof CozeError && error.kind === 'not-supported'
        return hasNoCall ? 'no-call' : 'kept'
      }
    },
  }
}

/** The rows of one page (docs/coze-platform.md#conversations-messages-files). */
const maxRows = 50
const maxPages = 4
const lost = { accepted: 'no' } as const
/** The file is larger than the platform takes (docs/coze-platform.md#error-codes). */
const tooLargeCode = '4302'

/** The conversation is not there for this session; 4200 is the platform's other word for it (docs/coze-platform.md#error-codes). */
function isGone(error: unknown): boolean {
  if (!(error instanceof CozeError)) return false
  return error.kind === 'conversation-gone' || error.upstreamCode === '4200'
}

/** Questions and answers that have a text; what we sent along of an older conversation is told where it was said. */
function asOlderMessage(row: CozeMessage): readonly OlderMessage[] {
  const { id: upstreamMessageId, conversationId, createdAt, metaData } = row
  const text = textOf(row)
  if (text === '' || metaData[historyKey] !== undefined || isTranscript(text)) return []
  const role = row.role === 'user' ? 'USER' : 'ASSISTANT'
  return [{ conversationId, upstreamMessageId, role, text, createdAt }]
}

/** Some rows have an empty type (docs/coze-platform.md#hosts-and-envelopes). */
function textOf({ type, contentType, text }: CozeMessage): string {
  if (type !== 'question' && type !== 'answer' && type !== '') return ''
  if (contentType === 'object_string') return readObjectString(text).text
  return contentType === 'text' ? text : ''
}
