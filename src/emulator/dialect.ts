import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { NamedEvent, PlatformFraming, WireEvent } from './event-stream.ts'
import type { Fault, Faults } from './faults.ts'
import type { Ids, RandomBytes } from './ids.ts'
import type { ChatQuestion } from './model/cards.ts'
import type { FailureKind, Script } from './model/script.ts'
import type { ScopeName, Settings } from './options.ts'
import type { SentMessage } from './request.ts'
import type { ErrorResponse } from './response.ts'
import type { AccessTokens } from './storage/access-tokens.ts'
import type { Files } from './storage/files.ts'
import type { Principal } from './storage/ownership.ts'
import type {
  Chat,
  ChatKind,
  ChatStatus,
  MetaData,
  NewChat,
  PlatformConversation,
  PlatformMessage,
  PlatformUsage,
  Records,
} from './storage/records.ts'
import type { Variables } from './storage/variables.ts'
import type { Changes, Holds } from './synchronization.ts'

/** One request. */
export interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
  readonly body: unknown
  readonly faults: readonly Fault[]
}

/** A request with a valid access token. */
export interface AuthorizedCall extends Call {
  readonly principal: Principal
}

/** What is particular of the body of a success. Undefined if the response is a stream that was sent already. */
export type HandlerResult = object | undefined

export type Handler = (
  call: AuthorizedCall,
  context: Context,
) => HandlerResult | Promise<HandlerResult>

/** What the parts of one emulator share. */
export interface Context {
  readonly settings: Settings
  readonly dialect: Dialect
  readonly clock: Clock
  readonly random: RandomBytes
  readonly ids: Ids
  readonly records: Records
  readonly tokens: AccessTokens
  readonly files: Files
  readonly variables: Variables
  /** The model's long-term memory. */
  readonly memory: Variables
  /** Memory that the nodes of flows keep in conversations of one fixed name. */
  readonly nodeMemory: Variables
  readonly faults: Faults
  readonly holds: Holds
  readonly changes: Changes
  /** Aborts when the platform's present process ends. A restart begins another. */
  processEnd(): AbortSignal
  /** Lets work go on after the response. The emulator's end waits for it. */
  background(work: Promise<void>): void
}

/**
 * What one platform does in its own way. Everything else (the model, the storage, the faults) is the same for all, and
 * nothing else asks which platform it is.
 */
export interface Dialect {
  /** The calls that exist, by method and path. */
  readonly routes: Readonly<Record<string, Handler>>
  /** The ids that a path may have. A path with another id does not exist. */
  readonly pathId: RegExp
  /** The scopes that calls need, by method and path. */
  readonly scopes: Readonly<Record<string, ScopeName>>
  /** Exchanges a JWT for an access token. Undefined: there is no token endpoint. */
  readonly exchangeToken: ((call: Call, context: Context) => Promise<object>) | undefined
  /** The head field that names a request in the platform's log. */
  readonly logIdHeader: string
  createLogId(ids: Ids): string
  /** The body of a success. */
  successBody(result: object, logId: string): object
  errorBody(code: number | string, msg: string, logId: string): object
  /** The response to a call that ended with an error. */
  errorResponse(error: unknown, logId: string, settings: Settings): ErrorResponse

  readonly framing: Readonly<Record<ChatKind, PlatformFraming>>
  /** Whether a chat runs to its end when nobody reads its stream any more. */
  readonly runsUnread: Readonly<Record<ChatKind, boolean>>
  /** Whether the next message answers a question. Otherwise the output of a tool call does. */
  readonly nextMessageAnswers: Readonly<Record<ChatKind, boolean>>
  /** Whether a cancelled chat leaves the context of the model. */
  readonly forgetsCanceled: boolean
  /** The status of a chat that a restart of the platform ended. Undefined: unchanged. */
  readonly statusAfterRestart: ChatStatus | undefined
  /** Stores a chat and the messages of its request. `earlier`: what users said in it before the question. */
  openChat(
    context: Context,
    conversation: PlatformConversation,
    about: NewChat,
    request: {
      readonly messages: readonly SentMessage[]
      readonly answersQuestion: boolean
    },
  ): { readonly chat: Chat; readonly earlier: readonly string[] }
  /** The model's reply to the answer to its question. */
  replyToAnswer(question: ChatQuestion, text: string): Script
  protocol(chat: Chat, settings: Settings): ChatProtocol
}

/** How a chat shows on the wire, and which statuses it goes through. */
export interface ChatProtocol {
  readonly sendsReasoning: boolean
  readonly sendsAudio: boolean
  /** The error of a chat that asks for outputs of functions. Undefined: it may ask. */
  readonly toolCallError: { readonly code: number; readonly msg: string } | undefined
  /** The content of the verbose message behind the answers. Undefined: there are no verbose messages. */
  readonly finishNote: string | undefined
  /** The meta data of a message, with the chat's usage once it is known. */
  messageMetaData(usage: PlatformUsage | undefined): MetaData
  firstEvents(isResumed: boolean): readonly NamedEvent[]
  deltaEvent(
    message: PlatformMessage,
    piece: { readonly content: string; readonly reasoning_content?: string },
  ): NamedEvent
  completedEvent(message: PlatformMessage): NamedEvent
  /** The status that a question leaves, and the content of a verbose message before it. */
  readonly questionEnd: { readonly status: 'completed' | 'requires_action'; readonly note?: string }
  /** The end of a chat: `kept` is its status from now on, `shown` the one of the last event, if there is one. */
  end(wanted: ChatStatus): { readonly kept: ChatStatus; readonly shown: ChatStatus | undefined }
  endEvent(shown: ChatStatus): NamedEvent
  statusAfterFailure(kind: FailureKind): ChatStatus
  failureEvents(
    kind: FailureKind,
    error: { readonly code: number; readonly msg: string },
  ): readonly WireEvent[]
  readonly doneEvent: WireEvent
}
