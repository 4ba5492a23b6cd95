import type { ReplyId, SessionId } from '../domain.ts'
import type { TextNews } from './followed-text.ts'
import type { ReplyText, TextOwner } from './reply-text.ts'

/**
 * A way between instances that is faster than the store that they share. It may lose, double or delay what it carries: it is
 * never more than a hint of what the store has, or is about to have.
 */
export interface PeerChannel {
  /** The name that this instance has for the others, in the store as well. */
  readonly name: string
  /** Something was written in the log of the session. */
  wrote(sessionId: SessionId): void
  /** The text of a reply that runs here has become longer, or another one. */
  said(sessionId: SessionId, text: ReplyText): void
  /** Takes what other instances tell, until disposed: that something was written, and what those say that are followed. */
  listen(listener: PeerListener): Disposable
  /** What this instance says is told to the listeners, for a minute. */
  follow(name: string): void
  /** Asks an instance to say again what it has of a text beyond what is known here. */
  ask(name: string, known: KnownText): void
  /** Says what others ask for, until disposed. Undefined: the reply does not run here. */
  serve(find: (replyId: ReplyId) => SpokenText | undefined): Disposable
}

export interface PeerListener {
  /** Something was written in the logs of these sessions. */
  wrote(sessionIds: readonly SessionId[]): void
  /** What is new of the text of a reply that an instance writes. */
  said(sessionId: SessionId, owner: TextOwner, news: TextNews, name: string): void
}

/** How much of a text is known, in UTF-16 code units. */
export interface KnownText {
  readonly replyId: ReplyId
  /** The name of the revision that is known. */
  readonly revision: string
  readonly answer: number
  readonly reasoning: number
}

export interface SpokenText {
  readonly sessionId: SessionId
  readonly text: ReplyText
}
