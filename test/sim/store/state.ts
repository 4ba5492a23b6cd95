import type {
  AssistantId,
  AttachmentId,
  ConversationId,
  MessageId,
  Position,
  Rating,
  Reply,
  ReplyEvent,
  ReplyId,
  SessionId,
  SessionName,
  MessageExtras,
} from '../../../src/domain.ts'
import type { IsolationRecord } from '../../../src/domain/isolation.ts'
import type { Fence, StoredAttachment, UpstreamBinding } from '../../../src/store/ledger.ts'

export interface SessionRow {
  readonly id: SessionId
  name: SessionName
  generation: number
  /** Counts uses of its conversations: the clock may jump. */
  uses: number
}

export interface ConversationRow {
  readonly id: ConversationId
  readonly sessionId: SessionId
  readonly assistantId: AssistantId
  title: string | null
  firstText: string | null
  readonly createdAt: number
  lastUsedAt: number
  used: number
  upstream: UpstreamBinding | undefined
  generation: number
  isResetPending: boolean
  freedAt: number
  /** Runs up to this one are forgotten. */
  clearedRun: number
  lastRun: number
  isTrimmed: boolean
}

export interface MessageRow {
  readonly id: MessageId
  readonly sessionId: SessionId
  readonly conversationId: ConversationId
  readonly replyId: ReplyId
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  readonly attachmentIds: readonly AttachmentId[]
  rating: Rating | null
  readonly createdAt: number
  readonly order: number
}

export type Step = 'claimed' | 'intent' | 'revealed' | 'chat' | 'action' | 'outputs'

export interface ReplyRow {
  readonly id: ReplyId
  readonly sessionId: SessionId
  readonly conversationId: ConversationId
  readonly messageId: MessageId
  readonly extras: MessageExtras
  /** All that is told of it and does not follow from the rest. */
  told: Omit<Reply, 'queuePosition' | 'id' | 'conversationId' | 'assistantId' | 'messageId'>
  rank: number
  fence: Fence | undefined
  /** A message has interrupted it while it ran. */
  isInterrupted: boolean
  /** Digests of the tool outputs that it was given. */
  toolOutputs: readonly string[]
  step: Step
  chatId: string | undefined
  /** Its place among the runs of its conversation. */
  run: number | undefined
  firstEvent: Position | undefined
  lastEvent: Position | undefined
  isTrimmed: boolean
  upstreamMessageId: string | undefined
  /** Where it ran. */
  origin: UpstreamBinding | undefined
}

export interface BindingRow {
  readonly sessionId: SessionId
  readonly conversationId: ConversationId
  readonly binding: UpstreamBinding
  isTainted: boolean
}

export interface LogRow {
  /** By position. */
  events: ReplyEvent[]
  trimmedTo: Position
  /** The last position of events that were deleted: the end never goes back. */
  deletedTo: Position
  /** What was trimmed, for who judges a run. */
  gone: readonly ReplyEvent[]
}

/** A planted bug of the store itself: what it forgets to do. */
export type DiskFlaw =
  | 'forgets-fences'
  | 'ends-twice'
  | 'runs-two'
  | 'tells-early'
  | 'shows-early'
  | 'keeps-epoch'
  | 'sends-again'
  | 'keeps-overtaken'

/** All that there is. Every change is an operation on it that can be repeated. */
export interface State {
  readonly sessions: Map<SessionId, SessionRow>
  readonly conversations: Map<ConversationId, ConversationRow>
  readonly messages: Map<MessageId, MessageRow>
  readonly replies: Map<ReplyId, ReplyRow>
  readonly keys: Map<string, { readonly digest: string; readonly replyId: ReplyId }>
  readonly bindings: Map<string, BindingRow>
  readonly attachments: Map<AttachmentId, StoredAttachment & { readonly sessionId: SessionId }>
  readonly logs: Map<SessionId, LogRow>
  /** By target. */
  readonly isolation: Map<string, IsolationRecord>
  rows: number
  readonly flaw: DiskFlaw | undefined
}

export function createState(flaw: DiskFlaw | undefined): State {
  return {
    sessions: new Map(),
    conversations: new Map(),
    messages: new Map(),
    replies: new Map(),
    keys: new Map(),
    bindings: new Map(),
    attachments: new Map(),
    logs: new Map(),
    isolation: new Map(),
    rows: 0,
    flaw,
  }
}

export function nextRow(state: State): number {
  state.rows += 1
  return state.rows
}

export function logOf(state: State, sessionId: SessionId): LogRow {
  let log = state.logs.get(sessionId)
  if (log === undefined) {
    log = { events: [], trimmedTo: { epoch: 0, seq: 0 }, deletedTo: { epoch: 0, seq: 0 }, gone: [] }
    state.logs.set(sessionId, log)
  }
  return log
}

export function isOpen({ told }: ReplyRow): boolean {
  return told.endedAt === null
}

export function openRepliesOf(state: State, conversationId: ConversationId): ReplyRow[] {
  return [...state.replies.values()]
    .filter((reply) => reply.conversationId === conversationId && isOpen(reply))
    .toSorted((a, b) => a.rank - b.rank)
}

export function comparePlaces(left: Position, right: Position): number {
  return left.epoch - right.epoch || left.seq - right.seq
}
