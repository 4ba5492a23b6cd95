import type { SessionId } from '../domain.ts'
import type { TextNews } from './followed-text.ts'
import type { ReplyText, TextOwner } from './reply-text.ts'

/**
 * A way between instances that is faster than the store that they share. It may lose, double or delay what it carries: it is
 * never more than a hint of what the store has, or is about to have.
 */
export interface PeerChannel {
  /** Something was written in the log of the session. */
  wrote(sessionId: SessionId): void
  /** The text of a reply that runs here has become longer, or another one. */
  said(sessionId: SessionId, text: ReplyText): void
  /** Takes what other instances tell, until disposed. */
  listen(listener: PeerListener): Disposable
}

export interface PeerListener {
  /** Something was written in the logs of these sessions. */
  wrote(sessionIds: readonly SessionId[]): void
  /** What is new of the text of a reply that another instance writes. */
  said(sessionId: SessionId, owner: TextOwner, news: TextNews): void
}
