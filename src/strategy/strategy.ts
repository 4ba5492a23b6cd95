import type {
  ConversationId,
  KeyedLayer,
  Message,
  MessageExtras,
  OmittedContent,
  Question,
  QuestionField,
  ReplyId,
  Session,
  StrategyKind,
  ToolCall,
  ToolOutput,
  UpstreamScope,
  Usage,
} from '../domain.ts'
import type { RevealedRows } from '../isolation/breaches.ts'

/**
 * One step of an upstream run, as the strategy tells it. Everything that carries text names the run it belongs to
 * (`chatId`, `conversationId`), so that the guard can check it.
 */
export type RunEvent =
  /** The first event: the upstream runs this chat in this conversation. */
  | {
      readonly type: 'accepted'
      readonly chatId: string
      readonly conversationId: string
      /** The log id of the call that was accepted, where it is known. */
      readonly logId?: string | undefined
      /** Calls that were made before it and not accepted. Default 0. */
      readonly retries?: number | undefined
    }
  | {
      readonly type: 'delta'
      readonly chatId: string
      readonly conversationId: string
      readonly messageId: string
      readonly kind: 'ANSWER' | 'REASONING'
      readonly text: string
    }
  /** The whole text of one answer message; corrects what the deltas said. */
  | {
      readonly type: 'message'
      readonly chatId: string
      readonly conversationId: string
      readonly messageId: string
      readonly text: string
    }
  | {
      readonly type: 'follow-up'
      readonly chatId: string
      readonly conversationId: string
      readonly text: string
    }
  /** The run has announced that no more text follows; its end is still to come. */
  | { readonly type: 'answer-finished'; readonly chatId: string; readonly conversationId: string }
  | {
      readonly type: 'completed'
      readonly chatId: string
      readonly conversationId: string
      readonly usage: Usage | null
    }
  | { readonly type: 'cancelled'; readonly chatId: string; readonly conversationId: string }
  /** A form or a choice that the upstream shows; it is asked when the run then waits. */
  | {
      readonly type: 'question'
      readonly chatId: string
      readonly conversationId: string
      readonly question: Question
    }
  /** Something that is no text, and is not shown. */
  | {
      readonly type: 'omitted'
      readonly chatId: string
      readonly conversationId: string
      readonly content: OmittedContent
    }
  /** The assistant used a tool of its own, and what came of it is not for users. Told once per stream. */
  | { readonly type: 'tool-output'; readonly chatId: string; readonly conversationId: string }
  /** The upstream waits: for the outputs of `toolCalls`, or, where there are none, for an answer to what it asked. */
  | {
      readonly type: 'action-required'
      readonly chatId: string
      readonly conversationId: string
      readonly toolCalls: readonly ToolCall[]
    }

/**
 * Takes the events of one network read, in the turn of the event loop in which they came. While a returned promise is
 * pending nothing more is read; when it throws or rejects, the upstream request is aborted.
 */
export type TakeRunEvents = (events: readonly RunEvent[]) => Promise<void> | undefined

/** All that a run may depend on: every upstream key is derived from the session, never from arguments. */
export interface RunContext {
  readonly session: Session
  readonly conversationId: ConversationId
  readonly replyId: ReplyId
  /** How often the conversation was begun anew upstream. */
  readonly generation: number
}

/** Where a conversation goes on upstream. `named`: the first run reveals the id (`conversationKeying: name`, docs/coze-platform.md#conversations-of-an-app). */
export type UpstreamConversation =
  /** `logId`: of the call that made it, for the platform's support. `isNew`: no run was in it yet. Default false. */
  | {
      readonly type: 'id'
      readonly conversationId: string
      readonly logId?: string | undefined
      readonly isNew?: boolean | undefined
    }
  | { readonly type: 'named' }

export interface StartRequest extends RunContext {
  readonly upstream: UpstreamConversation
  readonly text: string
  readonly attachments: readonly UpstreamFile[]
  /** Addresses of images that the upstream is to fetch. */
  readonly imageUrls: readonly string[]
  readonly extras: MessageExtras
  /** Older messages that seed a new upstream conversation, oldest first. */
  readonly history: readonly Message[]
  /** The fields of the form that the message answers. Told only to a strategy that `readsForms`. */
  readonly form?: readonly QuestionField[] | undefined
}

/** A file that was uploaded before, by its upstream id. */
export interface UpstreamFile {
  readonly upstreamId: string
  readonly name: string
  readonly mediaType: string
}

/** One run of the upstream, to be gone on with. */
export interface RunReference extends RunContext {
  readonly upstreamConversationId: string
  readonly chatId: string
}

export interface RecoverRequest extends RunContext {
  readonly upstreamConversationId: string | undefined
  readonly chatId: string | undefined
  /** The answer as readers hold it. What is found must begin with it, or be proven to correct it. */
  readonly shown: string
  /** The stream had announced that no more text follows, and every message that it had begun was seen whole. */
  readonly isFinished: boolean
}

/** What the upstream knows of a run whose stream was lost. */
export type Recovered =
  /**
   * The upstream proves how the run ended: the same events as a stream gives, the whole answer and then a terminal one.
   * `unknown`: it does not, whatever else it says.
   */
  { readonly type: 'found'; readonly events: readonly RunEvent[] } | { readonly type: 'unknown' }

/**
 * What became of telling the upstream to stop. `refused`: it was told and did not agree, or it can never be told: trying
 * again changes nothing. `not-told`: it could not be reached.
 */
export type CancelOutcome = 'agreed' | 'refused' | 'not-told'

/**
 * Drives an assistant upstream. Everything that waits takes a signal, required and last.
 * Failures are {@link RunFailedError}.
 */
export interface ChatStrategy {
  readonly kind: StrategyKind
  readonly scope: UpstreamScope
  /** What keys each layer by the session. */
  readonly layers: readonly KeyedLayer[]
  /** What a run that waits without tool calls means: a Workflow has asked the session, a Bot never does. */
  readonly answersByMessage: boolean
  /** Whether the upstream can be asked how a run went on whose stream was lost, also where no end was announced. */
  readonly canRetrieveRuns: boolean
  /** Whether parameters of a message may be texts only. */
  readonly takesTextsOnly: boolean
  /** Whether the answer to a form is written in another way upstream than callers may write it. */
  readonly readsForms: boolean
  /** Obtains the upstream conversation before any user text leaves. */
  open(run: RunContext, signal: AbortSignal): Promise<UpstreamConversation>
  /**
   * Obtains a conversation by the name that a run of another session has for its own; undefined: no call names one. For
   * probes alone.
   */
  readonly openAsStranger:
    | ((
        stranger: Session,
        run: RunContext,
        signal: AbortSignal,
      ) => Promise<Extract<UpstreamConversation, { type: 'id' }>>)
    | undefined
  /** Whether the first run of a conversation obtains it, by its name, as far as is found out by now. */
  readonly opensByName: boolean
  /**
   * Finds out, without a message, whether a call can obtain conversations, and goes on by names where none can; undefined:
   * that is known. True: a call can. `onMade` hears of each conversation that was made for it, also where it fails. Not for
   * users: their first messages find it out.
   */
  readonly settleKeying:
    | ((
        run: RunContext,
        onMade: (conversationId: string) => void,
        signal: AbortSignal,
      ) => Promise<boolean>)
    | undefined
  /**
   * The messages of a conversation that this run has just revealed. No binding tells of runs that were lost before they told
   * where they were. `history`: what the run brought beside its question.
   */
  listRevealed(
    run: RunReference & { readonly history: readonly Message[] },
    signal: AbortSignal,
  ): Promise<RevealedRows>
  /**
   * Sends the message and streams the run to `take`. Resolves when a terminal event was taken; rejects with what ended the
   * run otherwise, after the events before it were taken, or with what `take` failed with.
   */
  start(request: StartRequest, take: TakeRunEvents, signal: AbortSignal): Promise<void>
  /** Tells the upstream to stop, where it can be told. Never throws; bounded by the signal. */
  cancel(
    run: Pick<RunReference, 'session' | 'upstreamConversationId' | 'chatId'>,
    signal: AbortSignal,
  ): Promise<CancelOutcome>
  /**
   * Answers a run's tool calls and streams what follows, as `start` does, beginning with `accepted` for the same chat.
   * Only for a run that asked.
   */
  submitToolOutputs(
    run: RunReference & { readonly outputs: readonly ToolOutput[] },
    take: TakeRunEvents,
    signal: AbortSignal,
  ): Promise<void>
  /** Finds out how a run ended whose stream was lost: polls until it is terminal or the deadline is over. Never resends. */
  recover(request: RecoverRequest, signal: AbortSignal): Promise<Recovered>
}
