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
import type { Metrics } from '../observe/metrics.ts'
import type { SessionConversations } from '../session/conversations.ts'
import type { SessionReplies } from '../session/replies.ts'
import type { SessionStore } from '../store/session-store.ts'
import type { AnswerBudget } from './execution/answer-budget.ts'

/** All that a resolver may touch: the badge of one session. Made for each request in `compose/server.ts`. */
export interface GraphContext {
  readonly caller: Caller
  /** A short digest of the session, for support: tells sessions apart, reveals nothing. */
  readonly fingerprint: string
  readonly store: SessionStore
  readonly replies: SessionReplies
  readonly conversations: SessionConversations
  /** Whether the caller's credential has the operators' scope. */
  readonly isOperator: boolean
  /** The scope that would make the caller one. */
  readonly operatorScope: string
  readonly assistants: readonly AssistantInfo[]
  /** Does not fail. */
  openingOf(id: AssistantId): Promise<Opening>
  readonly isolation: IsolationPort
  /** Undefined: the caller is no operator. */
  readonly support: SupportPort | undefined
  /** How much a message may have, in UTF-16 code units, attachments and bytes of a file. */
  readonly limits: Pick<Limits, 'maxMessageLength' | 'maxAttachments' | 'maxUploadBytes'>
  readonly uploads: Uploads
  /** The longest silence of an open subscription. */
  readonly keepAliveMs: number
  readonly metrics: Pick<Metrics, 'messageTaken'>
  /** Counts the cost of the answer to this request, or to this event of a subscription. */
  readonly budget: AnswerBudget
  /** The `Last-Event-ID` header of this request. */
  readonly lastEventId: string | undefined
}

/** What operators see of the replies of all sessions: nothing of their texts. */
export interface SupportPort {
  explanation(id: ReplyId): Promise<ReplyExplanation | undefined>
}

/** What is known of how assistants keep sessions apart; all but `describe` is for operators. */
export interface IsolationPort {
  describe(id: AssistantId): AssistantIsolation
  /** Takes an operator's word that what was behind a breach is mended; `operator` is the fingerprint of that session. */
  clear(id: AssistantId, operator: string): Promise<unknown>
  /** Undefined: another probe runs. */
  begin(request: ProbeRequest): ProbeRun | undefined
  find(probeId: string): ProbeRun | undefined
}
