/** What a run did and saw, in the order in which it was seen: the input of the checker. Ids are opaque. */
export type History = readonly Step[]

export type Step =
  | Send
  | Open
  | Seen
  | Rest
  | End
  | Refused
  | Truth
  | Chats
  | Deleted
  | Crash
  | Word
  | Served
  | Owed
  | Settled

/** A message was sent, and what came of it. */
export interface Send {
  readonly type: 'send'
  /** Whose credentials it carried: names one session. */
  readonly as: string
  readonly idempotencyKey?: string
  /** Undefined: it was refused, or the answer was lost. */
  readonly accepted?: {
    readonly replyId: string
    readonly messageId: string
    readonly conversationId: string
  }
}

/** A subscription was opened. A reader carries its state from one connection to the next. */
export interface Open {
  readonly type: 'open'
  readonly reader: string
  readonly connection: string
  readonly as: string
  readonly replyId?: string
  readonly conversationId?: string
  /** The cursor it resumes from. Undefined: the reply's start, or without `replyId` the log's end. */
  readonly after?: string
}

export interface Seen {
  readonly type: 'seen'
  readonly connection: string
  readonly event: SeenEvent
}

/** The reader of this connection has had time to see all that there is. */
export interface Rest {
  readonly type: 'rest'
  readonly connection: string
  /** The cursor at which the connection began. */
  readonly start: string
}

/** `complete`: the stream said so. `error`: after an error. `cut`: by us. `closed`: by the server, without `complete`. */
export interface End {
  readonly type: 'end'
  readonly connection: string
  readonly how: 'complete' | 'error' | 'cut' | 'closed'
}

/** An error was answered. */
export interface Refused {
  readonly type: 'refused'
  readonly where: 'request' | 'union' | 'stream'
  readonly code: string
}

/** The log as a fresh reader finds it from a reply's start, when all is over; and the reply as a query shows it. */
export interface Truth {
  readonly type: 'truth'
  readonly as: string
  readonly replyId: string
  readonly events: readonly SeenEvent[]
  readonly snapshot?: {
    readonly status: string
    readonly text: string
    readonly reasoning: string
  }
  /** The upstream itself changed text that it had streamed before, so deltas may go back. */
  readonly corrected?: boolean
  /** The place of its message in its conversation, by the order in which messages were accepted. Undefined: nobody knows. */
  readonly order?: number
  /** Its message stops the replies before it. */
  readonly isUrgent?: boolean
  /** Whether a failure or a cancel was brought about by somebody or something. Undefined: nobody knows. */
  readonly isCaused?: boolean
}

/** How many chats the upstream counts for the message that this reply answers. */
export interface Chats {
  readonly type: 'chats'
  readonly replyId: string
  readonly count: number
  /** The whole answer, as the upstream gave it; null: it gave none. Undefined: nobody knows. */
  readonly text?: string | null
}

/** The conversation of this reply was deleted: nothing has to be left of it. */
export interface Deleted {
  readonly type: 'deleted'
  readonly replyId: string
  /** As of a `truth`. */
  readonly corrected?: boolean
}

/** The gateway died: text that was shown may be taken back from here on. */
export interface Crash {
  readonly type: 'crash'
}

/** Whoever is told this word was told something of this session. */
export interface Word {
  readonly type: 'word'
  readonly as: string
  readonly word: string
  /** The reply that repeats it when it is completed. */
  readonly replyId?: string
}

/** Whose words an upstream conversation was told. */
export interface Served {
  readonly type: 'served'
  readonly upstream: string
  readonly sessions: readonly string[]
}

/** Something had to be done upstream, sooner or later. */
export interface Owed {
  readonly type: 'owed'
  readonly id: string
  readonly work: string
}

/** It was found done upstream, or written down for later. */
export interface Settled {
  readonly type: 'settled'
  readonly id: string
}

export interface SeenEvent {
  readonly cursor: string
  readonly replyId: string
  readonly body: SeenBody
}

export type SeenBody =
  | { readonly type: 'started' }
  | {
      readonly type: 'delta'
      readonly kind: 'ANSWER' | 'REASONING'
      readonly offset: number
      readonly text: string
    }
  | { readonly type: 'action-required' }
  | { readonly type: 'completed'; readonly text: string }
  | { readonly type: 'failed'; readonly code: string }
  | { readonly type: 'cancelled' }

export function isTerminal({ body: { type } }: SeenEvent): boolean {
  return type === 'completed' || type === 'failed' || type === 'cancelled'
}

/** What a cursor says. */
export interface CursorPlace {
  readonly tag: string
  readonly seq: number
  readonly check: string
  /** How far the text of each running reply was read. */
  readonly texts: readonly TextOffsets[]
}

export interface TextOffsets {
  /** Names a reply inside cursors only. */
  readonly name: string
  readonly revision: string
  readonly answer: number
  readonly reasoning: number
}

/** Undefined when it is not `<tag>.<seq>.<check>[~<reply>.<revision>.<answer>.<reasoning>…]`. */
export function parseCursor(cursor: string): CursorPlace | undefined {
  const [head = '', ...texts] = cursor.split('~')
  const [, tag, seq, check] = /^([^.]+)\.(\d+)\.([^.]+)$/.exec(head) ?? []
  if (tag === undefined || check === undefined) return undefined
  const offsets = texts.flatMap((text) => parseText(text) ?? [])
  if (offsets.length < texts.length) return undefined
  return { tag, seq: Number(seq), check, texts: offsets }
}

function parseText(text: string): TextOffsets | undefined {
  const [, name, revision, answer, reasoning] = /^([^.]+)\.([^.]+)\.(\d+)\.(\d+)$/.exec(text) ?? []
  if (name === undefined || revision === undefined) return undefined
  return { name, revision, answer: Number(answer), reasoning: Number(reasoning) }
}

/** Names the event that a cursor stands at, whatever was read of texts since. */
export function eventName({ tag, seq, check }: CursorPlace): string {
  return `${tag}.${seq}.${check}`
}

/** Takes a rule of docs/threats-and-faults.md and what broke it. */
export type Complain = (rule: number, problem: string) => void
