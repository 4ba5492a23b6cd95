import type { Limits } from '../config/sections/limits.ts'
import type { Uploads } from '../config/sections/uploads.ts'
import type {
  AssistantId,
  AssistantInfo,
  Caller,
  Opening,
  ReplyExplanation,
  ReplyId,
} from '../domain.ts'
import type { AssistantIsolation } from '../domain/isolation.ts'
import type { ProbeRequest, ProbeRun } from '../domain/probe.ts'
import type { LiveCounts } from '../observe/live-counts.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { AssistantLoad } from '../reply/admission.ts'
import type { SessionConversations } from '../session/conversations.ts'
import type { SessionReplies } from '../session/replies.ts'
import type { SessionStore } from '../store/session-store.ts'
import type { AnswerBudget } from './execution/answer-budget.ts'

/** The context of resolvers: everything is about one session. It is made for each request in `compose/server.ts`. */
export interface GraphContext {
  readonly caller: Caller
  /** A short digest of the session, for support. It identifies the session and reveals nothing. */
  readonly fingerprint: string
  readonly store: SessionStore
  readonly replies: SessionReplies
  readonly conversations: SessionConversations
  /** Whether the caller's credential has the operators' scope. */
  readonly isOperator: boolean
  /** The scope that makes a caller an operator. */
  readonly operatorScope: string
  readonly assistants: readonly AssistantInfo[]
  /** Never rejects. */
  openingOf(id: AssistantId): Promise<Opening>
  readonly isolation: IsolationPort
  /** Undefined: the caller is no operator. */
  readonly support: SupportPort | undefined
  /** The limits of a message, in UTF-16 code units, attachments and bytes of a file. */
  readonly limits: Pick<Limits, 'maxMessageLength' | 'maxAttachments' | 'maxUploadBytes'>
  readonly uploads: Uploads
  /** The longest silence of an open subscription. */
  readonly keepAliveMs: number
  readonly metrics: Pick<Metrics, 'messageTaken'>
  /** Counts the cost of the result of this request, or of this event of a subscription. */
  readonly budget: AnswerBudget
  /** The `Last-Event-ID` header of this request. */
  readonly lastEventId: string | undefined
}

/** The facts about all sessions that operators see, without texts. */
export interface SupportPort {
  explanation(id: ReplyId): Promise<ReplyExplanation | undefined>
  /** Undefined: the assistant is not configured. */
  loadOf(id: AssistantId): AssistantLoad | undefined
  counts(): LiveCounts
}

/** The isolation of assistants. Everything but `describe` is for operators. */
export interface IsolationPort {
  describe(id: AssistantId): AssistantIsolation
  /** Clears a breach after an operator has mended its cause. `operator` is the fingerprint of the operator's session. */
  clear(id: AssistantId, operator: string): Promise<unknown>
  /** Returns undefined while another probe runs. */
  begin(request: ProbeRequest): ProbeRun | undefined
  find(probeId: string): ProbeRun | undefined
  /** The probe that runs and the last that ran, newest first. */
  recent(): readonly ProbeRun[]
}
