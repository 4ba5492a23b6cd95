import type { Session } from '../domain.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import { StopRequest } from '../reply/run.ts'
import type { Outbox } from '../store/outbox.ts'
import {
  createSessionConversations,
  type SessionCaller,
  type SessionConversations,
  type SessionConversationsOptions,
} from './conversations.ts'
import { createOwedWorks } from './owed-works.ts'
import { createSessionReplies, type SessionReplies, type SessionRepliesOptions } from './replies.ts'

export interface SessionsOptions
  extends
    Omit<SessionRepliesOptions, keyof ReplyEngine>,
    Omit<SessionConversationsOptions, keyof ReplyEngine | 'owedWorks' | 'rate'> {
  readonly outbox: Outbox
}

/** What sessions may do, over one engine. Dispose it before the engine. */
export interface Sessions extends AsyncDisposable {
  /** What one session may do with its replies, on behalf of a caller. */
  replies(session: Session, caller: SessionCaller): SessionReplies
  /** What it may do with its conversations beside talking. */
  conversations(session: Session, caller: SessionCaller): SessionConversations
  /** Takes up the replies and the owed work that an earlier process left behind. Call once, before the first request. */
  recover(): Promise<void>
}

export function createSessions(engine: ReplyEngine, options: SessionsOptions): Sessions {
  const ended = new AbortController()
  const inside = { ...options, ...engine }
  const owedWorks = createOwedWorks({
    ...options,
    closed: AbortSignal.any([engine.closed, ended.signal]),
  })
  let workingOff: Promise<void> | undefined
  return {
    replies: createSessionReplies(inside),
    conversations: createSessionConversations({
      ...inside,
      owedWorks,
      rate: options.rates.uploads,
    }),
    async recover() {
      await engine.recover()
      workingOff = owedWorks.workOff()
    },
    async [Symbol.asyncDispose]() {
      ended.abort(new StopRequest('shutdown'))
      await workingOff
    },
  }
}
