import type {
  AssistantId,
  AttachmentId,
  ConversationId,
  MessageId,
  EventPlace,
  LogEvent,
  Rating,
  Reply,
  ReplyId,
  SessionId,
  SessionName,
  MessageExtras,
} from '../../../src/domain.ts'
import type { IsolationRecord } from '../../../src/domain/isolation.ts'
import type { RunStep } from '../../../src/domain/reply-states.ts'
import type { IdempotencyDigest } from '../../../src/store/ledger.ts'
import type { StoredAttachment } from '../../../src/store/run-lease.ts'
import type { UpstreamBinding } from '../../../src/domain/upstream.ts'
import type { OwedWork, OwedWorkId } from '../../../src/store/outbox.ts'
import type { DiskFlaw } from './flaw.ts'
import type { RevisedText } from './texts.ts'

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
  readonly startKey: IdempotencyDigest | undefined
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
}

export interface MessageRow {
  readonly id: MessageId
  readonly sessionId: SessionId
  readonly conversationId: ConversationId
  readonly replyId: ReplyId
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  readonly attachmentIds: readonly AttachmentId[]
  readonly imageUrls: readonly string[]
  rating: Rating | null
  readonly createdAt: number
  readonly order: number
}

export interface ReplyRow {
  readonly id: ReplyId
  readonly sessionId: SessionId
  readonly conversationId: ConversationId
  readonly messageId: MessageId
  readonly extras: MessageExtras
  /** All that is told of it and does not follow from the rest. */
  told: Omit<
    Reply,
    'queuePosition' | 'id' | 'conversationId' | 'assistantId' | 'messageId' | 'text' | 'reasoning'
  >
  text: RevisedText
  rank: number
  /** Random; whoever runs the reply knows it. */
  fence: string | undefined
  /** A message has interrupted it while it ran. */
  isInterrupted: boolean
  /** Digests of the tool outputs that it was given. */
  toolOutputs: readonly string[]
  step: RunStep
  chatId: string | undefined
  /** Its place among the runs of its conversation. */
  run: number | undefined
  firstEvent: EventPlace | undefined
  lastEvent: EventPlace | undefined
  /** Its text is told from here on. */
  startEvent: EventPlace | undefined
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
  /** Its deletion is owed, or was. */
  isOwed: boolean
}

export interface LogRow {
  events: LogEvent[]
  /** The last number that was given out. */
  lastSeq: number
  /** The newest event that trimming has removed. */
  trimmedTo: EventPlace
  /** What deletions have removed since: readers that stand there go on. */
  stubs: readonly EventPlace[]
  /** What was trimmed, for who judges a run. */
  gone: readonly LogEvent[]
}

export interface OwedRow {
  work: OwedWork
  dueAt: number
}

export interface AcceptedMessage {
  readonly sessionId: SessionId
  readonly conversationId: ConversationId
  readonly replyId: ReplyId
  readonly messageId: MessageId
  /** It stops what runs, and goes to the head of the queue. */
  readonly isUrgent: boolean
}

/** All that is on disk. */
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
  readonly outbox: Map<OwedWorkId, OwedRow>
  /** All that was ever owed, for who judges a run. */
  readonly everOwed: OwedWork[]
  /** All that was ever accepted, for who judges a run. */
  readonly everAccepted: AcceptedMessage[]
  /** Sessions whose log has changed since their readers were woken. */
  readonly changed: Set<SessionId>
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
    outbox: new Map(),
    everOwed: [],
    everAccepted: [],
    changed: new Set(),
    rows: 0,
    flaw,
  }
}

export function nextRow(state: State): number {
  state.rows += 1
  return state.rows
}

export const beforeAll: EventPlace = { seq: 0, check: '' }

export function logOf(state: State, sessionId: SessionId): LogRow {
  let log = state.logs.get(sessionId)
  if (log === undefined) {
    log = { events: [], lastSeq: 0, trimmedTo: beforeAll, stubs: [], gone: [] }
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
