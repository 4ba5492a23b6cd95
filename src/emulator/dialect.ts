import type { CardQuestion } from './cards.ts'
import type { Answer, Context, OwnedCall } from './context.ts'
import type { SentMessage } from './enter-message.ts'
import type { Facts } from './facts.ts'
import type { Ids } from './ids.ts'
import type { Settings } from './options.ts'
import type { PlatformRun } from './run.ts'
import type { Script } from './script.ts'
import type { PlatformFraming, NamedEvent, WireEvent } from './stream.ts'
import type {
  Chat,
  ChatKind,
  ChatStatus,
  PlatformConversation,
  PlatformMessage,
  MetaData,
  Principal,
  PlatformUsage,
} from './world.ts'

export type Handler = (call: OwnedCall, context: Context) => Answer | Promise<Answer>

/** An answer that refuses what was asked for: a JSON body, or a text. */
export interface RefusedCall {
  readonly status: number
  readonly body: object | string
  /** Whether its length is left open. Default false. */
  readonly isChunked?: boolean
}

/** The parts of a chat before it begins. */
export interface Beginning {
  readonly kind: ChatKind
  readonly conversation: PlatformConversation
  readonly owner: Principal
  readonly botId: string | undefined
  readonly metaData: MetaData
  /** The meta data of each of its own messages. */
  readonly carried: MetaData
  readonly saved: boolean
  readonly messages: readonly SentMessage[]
  readonly request: unknown
  readonly facts: Facts
  readonly cards: boolean
}

/**
 * What one platform does in its own way. A platform is one value of this type; what is not in it (the model, the stored
 * things, the faults) is the same for all, and nothing else asks which platform it is.
 */
export interface Dialect {
  /** The calls that exist, by method and path. */
  readonly handlers: Readonly<Record<string, Handler>>
  /** Whether JWTs are exchanged for access tokens. */
  readonly exchangesTokens: boolean
  /** The head field that names a request in the platform's log, and its value. */
  readonly logField: string
  readonly logId: (ids: Ids) => string
  /** The body of a success, made of what a handler returned. */
  envelope(said: object, logId: string): object
  errorBody(code: number | string, msg: string, logId: string): object
  /** The answer to a caller whose request ended with an error. */
  refuse(error: unknown, logId: string, settings: Settings): RefusedCall

  readonly framing: Readonly<Record<ChatKind, PlatformFraming>>
  /** Whether a chat plays on to its end when nobody reads it any more. */
  readonly playsOnUnread: Readonly<Record<ChatKind, boolean>>
  /** Whether a question waits for the next message; else for the output of a call. */
  readonly nextMessageAnswers: Readonly<Record<ChatKind, boolean>>
  /** Whether a cancelled chat leaves the context of the model. */
  readonly forgetsCanceled: boolean
  /** The state of a chat after a restart of the platform ended it; undefined: unchanged. */
  readonly lostStatus: ChatStatus | undefined
  /** Stores the chat and what it was told. `told`: what users said before the question in this request. */
  begin(
    context: Context,
    about: Beginning & { readonly answersQuestion: boolean },
  ): { readonly chat: Chat; readonly told: readonly string[] }
  /** The model's reply to the answer to a question. */
  answerTo(question: CardQuestion, text: string): Script
  telling(run: PlatformRun, context: Context): Telling
}

/** How the events of a chat are told. */
export interface Telling {
  /** Whether the model's thoughts are told. */
  readonly tellsThoughts: boolean
  readonly tellsSpeech: boolean
  /** Why the chat cannot ask for the outputs of functions; undefined: it can. */
  readonly toolsRefused: { readonly code: number; readonly msg: string } | undefined
  /** The platform's note behind the answers. */
  readonly finish: string | undefined
  /** The meta data of a message, with the chat's usage once it is known. */
  metaData(usage: PlatformUsage | undefined): MetaData
  begin(isResumed: boolean): readonly NamedEvent[]
  delta(
    message: PlatformMessage,
    piece: { readonly content: string; readonly reasoning_content?: string },
  ): NamedEvent
  completed(message: PlatformMessage): NamedEvent
  /** Behind a question: the status it leaves, and what is told before it. */
  readonly asked: { readonly status: 'completed' | 'requires_action'; readonly note?: string }
  /** The end of a chat. `kept`: its status from now on; `told`: the one that the stream tells, if any. */
  settle(wanted: ChatStatus): {
    readonly kept: ChatStatus
    readonly told: ChatStatus | undefined
  }
  ended(told: ChatStatus): NamedEvent
  /** The status that a failure leaves. `fail`: the run failed. `error`: the model did. */
  statusAfter(how: 'fail' | 'error'): ChatStatus
  failed(
    how: 'fail' | 'error',
    error: { readonly code: number; readonly msg: string },
  ): readonly WireEvent[]
  readonly done: WireEvent
}
