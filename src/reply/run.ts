import type { AssistantInfo, Reply, ReplyExplanation, ReplyId } from '../domain.ts'
import type { GuardedRun } from '../isolation/encounters.ts'
import { remember } from '../lib/remember.ts'
import type { TraceParent, Tracer } from '../observe/tracer.ts'
import type { RunLease } from '../store/run-lease.ts'
import type {
  ChatStrategy,
  RunContext,
  RunReference,
  UpstreamConversation,
} from '../strategy/strategy.ts'
import type { RunReader } from './run-reader.ts'

/** One attempt to have the upstream write a reply. */
export interface Run {
  readonly lease: RunLease
  /** How often the conversation was begun anew upstream, be it for this very run. */
  readonly generation: number
  readonly strategy: ChatStrategy
  /** Why it is driven so. */
  readonly reason: string
  readonly contextReset: boolean
  /**
   * An earlier process ran it, and began a new upstream conversation: whether the older messages were brought there, or the
   * platform itself had replaced the one before, is not known.
   */
  readonly mayLackOlderMessages: boolean
  /** Undefined: the message has not left. */
  readonly reader: RunReader | undefined
}

/** A run whose message has left. */
export interface SentRun extends Run {
  readonly reader: RunReader
  /** The conversation that it was sent to. */
  readonly upstream: UpstreamConversation
}

/** What a strategy may key its calls by. */
export function runContext({ lease, generation }: Run): RunContext {
  const { session, reply } = lease
  return { session, conversationId: reply.conversationId, replyId: reply.id, generation }
}

/** What the upstream calls this run; undefined while that is not known. */
export function runReference(run: Run): RunReference | undefined {
  const { reader } = run
  if (reader?.chatId === undefined || reader.conversationId === undefined) return undefined
  const { chatId, conversationId: upstreamConversationId } = reader
  return { ...runContext(run), upstreamConversationId, chatId }
}

/** How the reply came to be; undefined: it was never sent. `logId`: where the run itself told none. */
export function explanationOf(run: Run, logId?: string): ReplyExplanation | undefined {
  const { strategy, reason, reader } = run
  if (reader === undefined) return undefined
  return {
    strategy: strategy.kind,
    reason,
    layers: strategy.layers,
    upstreamChatId: reader.chatId ?? null,
    upstreamLogId: reader.logId ?? logId ?? null,
    firstDeltaMs: reader.firstDeltaMs ?? null,
    retries: reader.retries,
  }
}

/** Why a run is aborted by ourselves: the reason of its signal. */
export class StopRequest extends Error {
  override readonly name = 'StopRequest'
  /** `breach`: another session or conversation has been met in its upstream conversation. */
  readonly kind: 'cancel' | 'shutdown' | 'breach'
  constructor(kind: StopRequest['kind']) {
    super(kind)
    this.kind = kind
  }
}

export function isStopped(signal: AbortSignal, kind: StopRequest['kind']): boolean {
  return signal.reason instanceof StopRequest && signal.reason.kind === kind
}

/** The run as the guard sees it. */
export function guarded({ lease, strategy }: Run): GuardedRun {
  return { lease, account: { scope: strategy.scope, strategy: strategy.kind } }
}

/** The spans of runs: each belongs to the request that sent its message, if this process answered it. */
export interface RunTraces {
  /** The current request sent this message. */
  accepted(replyId: ReplyId): void
  run<T>(reply: Reply, work: () => Promise<T>): Promise<T>
}

export interface RunTracesOptions {
  readonly tracer: Tracer
  readonly assistants: readonly Pick<AssistantInfo, 'id' | 'name'>[]
}

/** Requests that are remembered; the oldest is forgotten first. */
const maxOrigins = 10_000
const noHeaders = { get: () => undefined }

export function createRunTraces({ tracer, assistants }: RunTracesOptions): RunTraces {
  const origins = new Map<ReplyId, TraceParent>()
  return {
    accepted(replyId) {
      remember(origins, replyId, tracer.capture(), maxOrigins)
    },
    run({ id, assistantId, conversationId }, work) {
      const parent = origins.get(id) ?? tracer.extract(noHeaders)
      origins.delete(id)
      const assistantName = assistants.find((one) => one.id === assistantId)?.name ?? assistantId
      return tracer.invokeAgent(
        { assistantId, assistantName, conversationId, replyId: id },
        parent,
        work,
      )
    },
  }
}
