import type { ReplyExplanation } from '../domain.ts'
import type { Claim } from '../store/ledger.ts'
import type {
  ChatStrategy,
  RunContext,
  RunReference,
  UpstreamConversation,
} from '../strategy/strategy.ts'
import type { RunReader } from './run-reader.ts'

/** What is known of a run. */
export interface RunFacts {
  readonly claim: Claim
  readonly strategy: ChatStrategy
  /** Why it is driven so. */
  readonly reason: string
  readonly contextReset: boolean
  /** Undefined: the message has not left. */
  readonly reader: RunReader | undefined
}

/** A run whose message has left. */
export interface SentRun extends RunFacts {
  readonly reader: RunReader
  /** Where it was sent. */
  readonly upstream: UpstreamConversation
}

/** The part of a claim that a strategy may key its calls by. */
export function runContext({ session, reply, generation }: Claim): RunContext {
  return { session, conversationId: reply.conversationId, replyId: reply.id, generation }
}

/** What the upstream calls this run; undefined while that is not known. */
export function runReference({ claim, reader }: RunFacts): RunReference | undefined {
  if (reader?.chatId === undefined || reader.conversationId === undefined) return undefined
  const { chatId, conversationId: upstreamConversationId } = reader
  return { ...runContext(claim), upstreamConversationId, chatId }
}

/** How the reply came to be; undefined: it was never sent. `logId`: where the run itself told none. */
export function explanationOf(run: RunFacts, logId?: string): ReplyExplanation | undefined {
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
