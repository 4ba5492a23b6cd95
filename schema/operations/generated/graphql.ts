/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** A file that goes with a message. */
export type AttachmentInput = {
  /** The id of an attachment that was uploaded for the same assistant. */
  attachmentId: string;
};

/** What to do while another reply runs in the conversation. */
export type BusyPolicy =
  /** Cancel it, and all that waits behind it; come next. */
  | 'INTERRUPT'
  /** Wait for its end; see `Reply.queuePosition`. */
  | 'QUEUE'
  /** Refuse with CONVERSATION_BUSY. */
  | 'REJECT';

/** Which reply to stop. */
export type CancelReplyInput = {
  /** The id of the reply. */
  replyId: string;
};

/** Which conversation shall forget. */
export type ClearConversationInput = {
  /** The id of the conversation. */
  conversationId: string;
};

/** An assistant. */
export type ClearQuarantineInput = {
  /** Its id or its name. */
  assistantId: string;
};

/** Which conversation to delete. */
export type DeleteConversationInput = {
  /** The id of the conversation. */
  conversationId: string;
};

/** What a delta is a piece of. */
export type DeltaKind =
  /** The answer. */
  | 'ANSWER'
  /** The reasoning that leads to it. */
  | 'REASONING';

/** Why a mutation was refused; a code never changes its meaning. */
export type ErrorCode =
  /** The assistant takes nothing now. */
  | 'ASSISTANT_UNAVAILABLE'
  /** Another reply runs in the conversation. */
  | 'CONVERSATION_BUSY'
  /** The idempotency key was used with another input. */
  | 'IDEMPOTENCY_MISMATCH'
  /** The input breaks a rule that the schema cannot state. */
  | 'INVALID_INPUT'
  /** What an id names does not exist in the session. */
  | 'NOT_FOUND'
  /** The assistant, or its platform, cannot do this. */
  | 'NOT_SUPPORTED'
  /** As many messages wait in the conversation as may. */
  | 'QUEUE_FULL'
  /** More than the session may do now; wait for `retryAfterMs`. */
  | 'RATE_LIMITED'
  /** The file has more bytes than one may have. */
  | 'TOO_LARGE';

/** An answer, and what the user thinks of it. */
export type GiveFeedbackInput = {
  /** Why, in the user's words. */
  comment?: string | null | undefined;
  /** The id of an answer. */
  messageId: string;
  /** Null takes the rating back; reasons and a comment need one. */
  rating?: Rating | null | undefined;
  /** Why, in short words. */
  reasons?: Array<string> | null | undefined;
};

/** Where the platform could mix up two sessions. */
export type IsolationLayer =
  /** The upstream conversation. */
  | 'CONVERSATION'
  /** The access token. */
  | 'IDENTITY'
  /** Knowledge, and filters of it. */
  | 'KNOWLEDGE'
  /** What is remembered beyond a conversation. */
  | 'LONG_TERM_MEMORY'
  /** Who answers what a Workflow has asked. */
  | 'PENDING_QUESTION'
  /** Variables and databases. */
  | 'VARIABLES';

/** What is known of how an assistant keeps sessions apart. */
export type IsolationVerdict =
  /** Two sessions or conversations have met; an operator has to clear it. */
  | 'BREACHED'
  /** A probe could not tell. */
  | 'INCONCLUSIVE'
  /** A probe found no leak. */
  | 'ISOLATED'
  /** A probe found that sessions are mixed up. */
  | 'LEAKING'
  /** What was found out is old, or is about other settings. */
  | 'STALE'
  /** No probe has ended yet. */
  | 'UNPROVEN';

/** A fact of the knowledge base that only one session may be told. */
export type KnowledgeCanaryInput = {
  /** What to ask for it. */
  question: string;
  /** The session, as the knowledge base's filter names it. */
  sessionName: string;
  /** What the answer holds, 4 characters or more. */
  value: string;
};

/** What was found out of one layer. */
export type LayerVerdict =
  /** It was tried, and the answers prove nothing. */
  | 'INCONCLUSIVE'
  /** It keeps sessions apart. */
  | 'ISOLATED'
  /** It mixes sessions up. */
  | 'LEAKING'
  /** It was not tried, or another leak hides it. */
  | 'NOT_TESTED';

/** Who wrote a message. */
export type MessageRole =
  /** The assistant: a finished answer. */
  | 'ASSISTANT'
  /** The user. */
  | 'USER';

/** A note on a message for the assistant. */
export type MetadataInput = {
  /** One of the `messageMetadata` of the assistant. */
  key: string;
  /** Its value. */
  value: string;
};

/** What an assistant said that is no text, and is not in the answer. */
export type OmittedContent =
  /** Speech. */
  | 'AUDIO'
  /** A card. */
  | 'CARD'
  /** Something else; of a reply without text, also what its tools returned. */
  | 'OTHER';

/** A parameter of a message. */
export type ParameterInput = {
  /** One of the `messageParameters` of the assistant. */
  name: string;
  /** Its value; a Bot takes texts. */
  value: unknown;
};

/** What to probe, and how thoroughly. */
export type ProbeAssistantInput = {
  /** The id or name of an assistant; all if absent. */
  assistantId?: string | null | undefined;
  /** Upstream calls at most for each strategy, 1 to 10,000; 60 if absent. */
  budget?: number | null | undefined;
  /** Facts to test the knowledge base with. */
  knowledge?: Array<KnowledgeCanaryInput> | null | undefined;
  /** A message that makes the assistant ask and wait, to test pending questions. */
  questionTrigger?: string | null | undefined;
  /** Pairs of sessions that are tried, 1 to 100; 2 if absent. */
  trials?: number | null | undefined;
};

/** What a probe found out. */
export type ProofVerdict =
  /** It could not tell. */
  | 'INCONCLUSIVE'
  /** It found no leak. */
  | 'ISOLATED'
  /** It found that sessions are mixed up. */
  | 'LEAKING';

/** What a session thinks of an answer. */
export type Rating =
  /** It is good. */
  | 'LIKE'
  /** It is bad. */
  | 'UNLIKE';

/** A conversation and its title. */
export type RenameConversationInput = {
  /** The id of the conversation. */
  conversationId: string;
  /** Null: the beginning of its first message. */
  title?: string | null | undefined;
};

/** Why a reply failed; a code never changes its meaning. */
export type ReplyFailureCode =
  | 'ACTION_EXPIRED'
  | 'ACTION_UNSUPPORTED'
  | 'CONVERSATION_BUSY'
  | 'EXPIRED'
  | 'INTERNAL'
  | 'ISOLATION_BREACH'
  | 'LIMIT'
  | 'SHUTDOWN'
  | 'STORE_FULL'
  | 'STORE_LOST'
  | 'STORE_UNAVAILABLE'
  | 'UPSTREAM_AUTH'
  | 'UPSTREAM_ERROR'
  | 'UPSTREAM_OUTCOME_UNKNOWN'
  | 'UPSTREAM_PROTOCOL'
  | 'UPSTREAM_QUOTA'
  | 'UPSTREAM_RATE_LIMITED'
  | 'UPSTREAM_REFUSED'
  | 'UPSTREAM_TIMEOUT'
  | 'UPSTREAM_TLS'
  | 'UPSTREAM_TOO_LARGE'
  | 'UPSTREAM_TRUNCATED'
  | 'UPSTREAM_UNAVAILABLE';

/** Where a reply stands. */
export type ReplyStatus =
  /** It waits for tool outputs, up to `actionExpiresAt`; see `toolCalls`. */
  | 'ACTION_REQUIRED'
  /** It was stopped on request. */
  | 'CANCELLED'
  /** It has its whole answer. */
  | 'COMPLETED'
  /** It ended without a whole answer; `failure` says why. */
  | 'FAILED'
  /** It waits for its turn in the conversation. */
  | 'QUEUED'
  /** The assistant is answering. */
  | 'RUNNING';

/** A message and where it goes. */
export type SendMessageInput = {
  /** The id or configured name of an assistant; default: the first configured. */
  assistantId?: string | null | undefined;
  /** Files that go with it. */
  attachments?: Array<AttachmentInput> | null | undefined;
  /** Default: the most recently used conversation with that assistant, else a new one; must not be with another assistant. */
  conversationId?: string | null | undefined;
  /** At most 255 characters: the same key with the same input answers the same reply, however often it is sent. */
  idempotencyKey?: string | null | undefined;
  /** Notes that the assistant takes with a message; each once. */
  metadata?: Array<MetadataInput> | null | undefined;
  /** What to do while another reply runs in the conversation. */
  onBusy?: BusyPolicy;
  /** Parameters that the assistant takes with a message; each once. */
  parameters?: Array<ParameterInput> | null | undefined;
  /** What to say. */
  text: string;
};

/** With whom to begin a conversation. */
export type StartConversationInput = {
  /** The id or configured name of an assistant; default: the first configured. */
  assistantId?: string | null | undefined;
  /** Default: the beginning of its first message. */
  title?: string | null | undefined;
};

/** How an assistant is driven. */
export type StrategyKind =
  /** As a Bot. */
  | 'BOT'
  /** As a Workflow. */
  | 'WORKFLOW';

/** A reply that is ACTION_REQUIRED, and the outputs it waits for. */
export type SubmitToolOutputsInput = {
  /** One for each of its `toolCalls`. */
  outputs: Array<ToolOutputInput>;
  /** The id of the reply. */
  replyId: string;
};

/** What a tool call asks for. */
export type ToolCallKind =
  /** The output of a function: run it. */
  | 'FUNCTION'
  /** An answer to the question that the assistant has just asked. */
  | 'REPLY';

/** What came of one tool call. */
export type ToolOutputInput = {
  /** What the assistant gets to read. */
  output: string;
  /** The id of the tool call. */
  toolCallId: string;
};

export type AssistantsQueryVariables = Exact<{ [key: string]: never; }>;


export type AssistantsQuery = { assistants: Array<{ id: string, name: string, isolation: { verdict: IsolationVerdict, inService: boolean } }> };

export type IsolationQueryVariables = Exact<{ [key: string]: never; }>;


export type IsolationQuery = { assistants: Array<{ id: string, name: string, isolation: { verdict: IsolationVerdict, inService: boolean, checkedAt: string | null, findings: Array<{ strategy: StrategyKind, layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ at: string, what: string, logIds: Array<string>, sessions: Array<string> }> }> | null, keying: Array<{ strategy: StrategyKind, layers: Array<{ layer: IsolationLayer, keyedBy: string }> }> | null } }> };

export type CancelReplyMutationVariables = Exact<{
  input: CancelReplyInput;
}>;


export type CancelReplyMutation = { cancelReply:
    | { __typename: 'CancelReplySuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, required: boolean }> } | null, toolCalls: Array<{ id: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
   };

export type ClearConversationMutationVariables = Exact<{
  input: ClearConversationInput;
}>;


export type ClearConversationMutation = { clearConversation:
    | { __typename: 'ClearConversationSuccess', conversation: { id: string, lastUsedAt: string } }
    | { __typename: 'ConversationBusyError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
   };

export type ClearQuarantineMutationVariables = Exact<{
  input: ClearQuarantineInput;
}>;


export type ClearQuarantineMutation = { clearQuarantine:
    | { __typename: 'ClearQuarantineSuccess', assistant: { id: string, isolation: { verdict: IsolationVerdict, inService: boolean } } }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
   };

export type ConversationQueryVariables = Exact<{
  id: string;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type ConversationQuery = { conversation: { id: string, title: string | null, createdAt: string, lastUsedAt: string, assistant: { id: string, name: string } | null, messages: { edges: Array<{ cursor: string, node: { id: string, role: MessageRole, text: string, createdAt: string, rating: Rating | null, attachments: Array<{ id: string, name: string, mediaType: string, bytes: number }>, reply: { id: string, status: ReplyStatus } } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } } | null };

export type ConversationsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type ConversationsQuery = { conversations: { edges: Array<{ cursor: string, node: { id: string, title: string | null, createdAt: string, lastUsedAt: string, assistant: { id: string, name: string } | null } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } };

export type DeleteConversationMutationVariables = Exact<{
  input: DeleteConversationInput;
}>;


export type DeleteConversationMutation = { deleteConversation:
    | { __typename: 'ConversationBusyError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'DeleteConversationSuccess', deletedId: string, upstream: { deleted: number, remains: Array<string> } }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
   };

export type EraseSessionMutationVariables = Exact<{ [key: string]: never; }>;


export type EraseSessionMutation = { eraseSession:
    | { __typename: 'ConversationBusyError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'EraseSessionSuccess', conversations: number, messages: number, attachments: number, upstream: { deleted: number, remains: Array<string> } }
   };

export type ExplainReplyQueryVariables = Exact<{
  id: string;
}>;


export type ExplainReplyQuery = { reply: { id: string, status: ReplyStatus, explain: { strategy: StrategyKind, reason: string, upstreamChatId: string | null, upstreamLogId: string | null, firstDeltaMs: number | null, retries: number, layers: Array<{ layer: IsolationLayer, keyedBy: string }> } | null } | null };

export type ExportSessionQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type ExportSessionQuery = { exportSession: { document: unknown, next: string | null } };

export type GiveFeedbackMutationVariables = Exact<{
  input: GiveFeedbackInput;
}>;


export type GiveFeedbackMutation = { giveFeedback:
    | { __typename: 'GiveFeedbackSuccess', answer: { id: string, rating: Rating | null } }
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'NotSupportedError', code: ErrorCode, message: string }
   };

export type NodeQueryVariables = Exact<{
  id: string;
}>;


export type NodeQuery = { node:
    | { __typename: 'Assistant', id: string }
    | { __typename: 'Attachment', id: string }
    | { __typename: 'Conversation', id: string }
    | { __typename: 'Message', id: string }
    | { __typename: 'Reply', id: string }
   | null };

export type NodesQueryVariables = Exact<{
  ids: Array<string> | string;
}>;


export type NodesQuery = { nodes: Array<
    | { __typename: 'Assistant', id: string }
    | { __typename: 'Attachment', id: string }
    | { __typename: 'Conversation', id: string }
    | { __typename: 'Message', id: string }
    | { __typename: 'Reply', id: string }
   | null> };

export type ProbeAssistantMutationVariables = Exact<{
  input: ProbeAssistantInput;
}>;


export type ProbeAssistantMutation = { probeAssistant:
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'ProbeAssistantSuccess', probeId: string, maxCalls: number }
    | { __typename: 'RateLimitedError', retryAfterMs: number | null, code: ErrorCode, message: string }
   };

export type ProbeProgressSubscriptionVariables = Exact<{
  probeId: string;
}>;


export type ProbeProgressSubscription = { probeProgress:
    | { __typename: 'ProbeEnded', at: string, reports: Array<{ assistantId: string, strategy: StrategyKind, verdict: ProofVerdict, startedAt: string, endedAt: string, calls: number, remains: Array<string>, findings: Array<{ layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ at: string, what: string, logIds: Array<string>, sessions: Array<string> }> }>, exchanges: Array<{ at: string, session: number, conversationId: string, chatId: string, logId: string | null, events: string }> }> }
    | { __typename: 'ProbeFailed', message: string, at: string }
    | { __typename: 'ProbeStep', step: string, at: string }
   };

export type RenameConversationMutationVariables = Exact<{
  input: RenameConversationInput;
}>;


export type RenameConversationMutation = { renameConversation:
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'RenameConversationSuccess', conversation: { id: string, title: string | null } }
   };

export type RepliesSubscriptionVariables = Exact<{
  replyId?: string | null | undefined;
  conversationId?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type RepliesSubscription = { replies:
    | { __typename: 'ReplyActionRequired', expiresAt: string, cursor: string, replyId: string, toolCalls: Array<{ id: string, kind: ToolCallKind, name: string | null, arguments: string | null }> }
    | { __typename: 'ReplyCancelled', upstreamCancelled: boolean, cursor: string, replyId: string }
    | { __typename: 'ReplyCompleted', text: string, followUps: Array<string>, omitted: Array<OmittedContent>, contextReset: boolean, cursor: string, replyId: string, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, required: boolean }> } | null, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null }
    | { __typename: 'ReplyDelta', kind: DeltaKind, offset: number, text: string, cursor: string, replyId: string }
    | { __typename: 'ReplyFailed', code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null, cursor: string, replyId: string }
    | { __typename: 'ReplyStarted', cursor: string, replyId: string }
   };

export type ReplyStateFragment = { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, required: boolean }> } | null, toolCalls: Array<{ id: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } };

export type ReplyQueryVariables = Exact<{
  id: string;
}>;


export type ReplyQuery = { reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, answer: { id: string, text: string } | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, required: boolean }> } | null, toolCalls: Array<{ id: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } | null };

export type SendMessageMutationVariables = Exact<{
  input: SendMessageInput;
}>;


export type SendMessageMutation = { sendMessage:
    | { __typename: 'AssistantUnavailableError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'ConversationBusyError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'IdempotencyMismatchError', code: ErrorCode, message: string }
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'NotSupportedError', code: ErrorCode, message: string }
    | { __typename: 'QueueFullError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'RateLimitedError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'SendMessageSuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, message: { id: string, text: string, attachments: Array<{ id: string, name: string }> }, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, required: boolean }> } | null, toolCalls: Array<{ id: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
   };

export type StartConversationMutationVariables = Exact<{
  input: StartConversationInput;
}>;


export type StartConversationMutation = { startConversation:
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'StartConversationSuccess', conversation: { id: string, title: string | null, createdAt: string, assistant: { id: string, name: string } | null } }
   };

export type SubmitToolOutputsMutationVariables = Exact<{
  input: SubmitToolOutputsInput;
}>;


export type SubmitToolOutputsMutation = { submitToolOutputs:
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'SubmitToolOutputsSuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, required: boolean }> } | null, toolCalls: Array<{ id: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
   };

export type UploadFileMutationVariables = Exact<{
  file: Blob;
  assistantId?: string | null | undefined;
}>;


export type UploadFileMutation = { uploadFile:
    | { __typename: 'AssistantUnavailableError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'NotSupportedError', code: ErrorCode, message: string }
    | { __typename: 'RateLimitedError', retryAfterMs: number | null, code: ErrorCode, message: string }
    | { __typename: 'TooLargeError', code: ErrorCode, message: string }
    | { __typename: 'UploadFileSuccess', attachment: { id: string, name: string, mediaType: string, bytes: number, createdAt: string } }
   };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { session: string, isGuest: boolean, credentialExpiresAt: string, cursor: string, limits: { messagesLeft: number, openRepliesLeft: number, messageLength: number, attachments: number, uploadBytes: number, uploadMediaTypes: Array<string> } }, assistants: Array<{ id: string, name: string, messageParameters: Array<string>, messageMetadata: Array<string>, takesAttachments: boolean }> };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const ReplyStateFragmentDoc = new TypedDocumentString(`
    fragment ReplyState on Reply {
  id
  status
  text
  reasoning
  queuePosition
  followUps
  question {
    text
    options
    fields {
      name
      type
      required
    }
  }
  omitted
  toolCalls {
    id
    kind
    name
    arguments
  }
  actionExpiresAt
  contextReset
  upstreamCancelled
  usage {
    inputTokens
    outputTokens
    totalTokens
  }
  failure {
    code
    message
    retryable
    retryAfterMs
  }
  conversation {
    id
  }
  createdAt
  startedAt
  endedAt
}
    `, {"fragmentName":"ReplyState"}) as unknown as TypedDocumentString<ReplyStateFragment, unknown>;
export const AssistantsDocument = new TypedDocumentString(`
    query Assistants {
  assistants {
    id
    name
    isolation {
      verdict
      inService
    }
  }
}
    `) as unknown as TypedDocumentString<AssistantsQuery, AssistantsQueryVariables>;
export const IsolationDocument = new TypedDocumentString(`
    query Isolation {
  assistants {
    id
    name
    isolation {
      verdict
      inService
      checkedAt
      findings {
        strategy
        layer
        verdict
        reason
        cause
        remedy
        evidence {
          at
          what
          logIds
          sessions
        }
      }
      keying {
        strategy
        layers {
          layer
          keyedBy
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<IsolationQuery, IsolationQueryVariables>;
export const CancelReplyDocument = new TypedDocumentString(`
    mutation CancelReply($input: CancelReplyInput!) {
  cancelReply(input: $input) {
    __typename
    ... on CancelReplySuccess {
      reply {
        ...ReplyState
      }
    }
    ... on Error {
      code
      message
    }
  }
}
    fragment ReplyState on Reply {
  id
  status
  text
  reasoning
  queuePosition
  followUps
  question {
    text
    options
    fields {
      name
      type
      required
    }
  }
  omitted
  toolCalls {
    id
    kind
    name
    arguments
  }
  actionExpiresAt
  contextReset
  upstreamCancelled
  usage {
    inputTokens
    outputTokens
    totalTokens
  }
  failure {
    code
    message
    retryable
    retryAfterMs
  }
  conversation {
    id
  }
  createdAt
  startedAt
  endedAt
}`) as unknown as TypedDocumentString<CancelReplyMutation, CancelReplyMutationVariables>;
export const ClearConversationDocument = new TypedDocumentString(`
    mutation ClearConversation($input: ClearConversationInput!) {
  clearConversation(input: $input) {
    __typename
    ... on ClearConversationSuccess {
      conversation {
        id
        lastUsedAt
      }
    }
    ... on ConversationBusyError {
      retryAfterMs
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<ClearConversationMutation, ClearConversationMutationVariables>;
export const ClearQuarantineDocument = new TypedDocumentString(`
    mutation ClearQuarantine($input: ClearQuarantineInput!) {
  clearQuarantine(input: $input) {
    __typename
    ... on ClearQuarantineSuccess {
      assistant {
        id
        isolation {
          verdict
          inService
        }
      }
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<ClearQuarantineMutation, ClearQuarantineMutationVariables>;
export const ConversationDocument = new TypedDocumentString(`
    query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  conversation(id: $id) {
    id
    title
    assistant {
      id
      name
    }
    createdAt
    lastUsedAt
    messages(first: $first, after: $after, last: $last, before: $before) {
      edges {
        cursor
        node {
          id
          role
          text
          createdAt
          rating
          attachments {
            id
            name
            mediaType
            bytes
          }
          reply {
            id
            status
          }
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
}
    `) as unknown as TypedDocumentString<ConversationQuery, ConversationQueryVariables>;
export const ConversationsDocument = new TypedDocumentString(`
    query Conversations($first: Int, $after: String, $last: Int, $before: String) {
  conversations(first: $first, after: $after, last: $last, before: $before) {
    edges {
      cursor
      node {
        id
        title
        assistant {
          id
          name
        }
        createdAt
        lastUsedAt
      }
    }
    pageInfo {
      hasNextPage
      hasPreviousPage
      startCursor
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<ConversationsQuery, ConversationsQueryVariables>;
export const DeleteConversationDocument = new TypedDocumentString(`
    mutation DeleteConversation($input: DeleteConversationInput!) {
  deleteConversation(input: $input) {
    __typename
    ... on DeleteConversationSuccess {
      deletedId
      upstream {
        deleted
        remains
      }
    }
    ... on ConversationBusyError {
      retryAfterMs
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<DeleteConversationMutation, DeleteConversationMutationVariables>;
export const EraseSessionDocument = new TypedDocumentString(`
    mutation EraseSession {
  eraseSession {
    __typename
    ... on EraseSessionSuccess {
      conversations
      messages
      attachments
      upstream {
        deleted
        remains
      }
    }
    ... on ConversationBusyError {
      retryAfterMs
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<EraseSessionMutation, EraseSessionMutationVariables>;
export const ExplainReplyDocument = new TypedDocumentString(`
    query ExplainReply($id: ID!) {
  reply(id: $id) {
    id
    status
    explain {
      strategy
      reason
      layers {
        layer
        keyedBy
      }
      upstreamChatId
      upstreamLogId
      firstDeltaMs
      retries
    }
  }
}
    `) as unknown as TypedDocumentString<ExplainReplyQuery, ExplainReplyQueryVariables>;
export const ExportSessionDocument = new TypedDocumentString(`
    query ExportSession($after: String) {
  exportSession(after: $after) {
    document
    next
  }
}
    `) as unknown as TypedDocumentString<ExportSessionQuery, ExportSessionQueryVariables>;
export const GiveFeedbackDocument = new TypedDocumentString(`
    mutation GiveFeedback($input: GiveFeedbackInput!) {
  giveFeedback(input: $input) {
    __typename
    ... on GiveFeedbackSuccess {
      answer {
        id
        rating
      }
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<GiveFeedbackMutation, GiveFeedbackMutationVariables>;
export const NodeDocument = new TypedDocumentString(`
    query Node($id: ID!) {
  node(id: $id) {
    __typename
    id
  }
}
    `) as unknown as TypedDocumentString<NodeQuery, NodeQueryVariables>;
export const NodesDocument = new TypedDocumentString(`
    query Nodes($ids: [ID!]!) {
  nodes(ids: $ids) {
    __typename
    id
  }
}
    `) as unknown as TypedDocumentString<NodesQuery, NodesQueryVariables>;
export const ProbeAssistantDocument = new TypedDocumentString(`
    mutation ProbeAssistant($input: ProbeAssistantInput!) {
  probeAssistant(input: $input) {
    __typename
    ... on ProbeAssistantSuccess {
      probeId
      maxCalls
    }
    ... on RateLimitedError {
      retryAfterMs
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<ProbeAssistantMutation, ProbeAssistantMutationVariables>;
export const ProbeProgressDocument = new TypedDocumentString(`
    subscription ProbeProgress($probeId: ID!) {
  probeProgress(probeId: $probeId) {
    __typename
    at
    ... on ProbeStep {
      step
    }
    ... on ProbeEnded {
      reports {
        assistantId
        strategy
        verdict
        startedAt
        endedAt
        calls
        findings {
          layer
          verdict
          reason
          cause
          remedy
          evidence {
            at
            what
            logIds
            sessions
          }
        }
        exchanges {
          at
          session
          conversationId
          chatId
          logId
          events
        }
        remains
      }
    }
    ... on ProbeFailed {
      message
    }
  }
}
    `) as unknown as TypedDocumentString<ProbeProgressSubscription, ProbeProgressSubscriptionVariables>;
export const RenameConversationDocument = new TypedDocumentString(`
    mutation RenameConversation($input: RenameConversationInput!) {
  renameConversation(input: $input) {
    __typename
    ... on RenameConversationSuccess {
      conversation {
        id
        title
      }
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<RenameConversationMutation, RenameConversationMutationVariables>;
export const RepliesDocument = new TypedDocumentString(`
    subscription Replies($replyId: ID, $conversationId: ID, $after: String) {
  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {
    __typename
    cursor
    replyId
    ... on ReplyDelta {
      kind
      offset
      text
    }
    ... on ReplyActionRequired {
      toolCalls {
        id
        kind
        name
        arguments
      }
      expiresAt
    }
    ... on ReplyCompleted {
      text
      followUps
      question {
        text
        options
        fields {
          name
          type
          required
        }
      }
      omitted
      contextReset
      usage {
        inputTokens
        outputTokens
        totalTokens
      }
    }
    ... on ReplyFailed {
      code
      message
      retryable
      retryAfterMs
    }
    ... on ReplyCancelled {
      upstreamCancelled
    }
  }
}
    `) as unknown as TypedDocumentString<RepliesSubscription, RepliesSubscriptionVariables>;
export const ReplyDocument = new TypedDocumentString(`
    query Reply($id: ID!) {
  reply(id: $id) {
    ...ReplyState
    answer {
      id
      text
    }
  }
}
    fragment ReplyState on Reply {
  id
  status
  text
  reasoning
  queuePosition
  followUps
  question {
    text
    options
    fields {
      name
      type
      required
    }
  }
  omitted
  toolCalls {
    id
    kind
    name
    arguments
  }
  actionExpiresAt
  contextReset
  upstreamCancelled
  usage {
    inputTokens
    outputTokens
    totalTokens
  }
  failure {
    code
    message
    retryable
    retryAfterMs
  }
  conversation {
    id
  }
  createdAt
  startedAt
  endedAt
}`) as unknown as TypedDocumentString<ReplyQuery, ReplyQueryVariables>;
export const SendMessageDocument = new TypedDocumentString(`
    mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess {
      reply {
        ...ReplyState
        message {
          id
          text
          attachments {
            id
            name
          }
        }
      }
    }
    ... on ConversationBusyError {
      retryAfterMs
    }
    ... on QueueFullError {
      retryAfterMs
    }
    ... on RateLimitedError {
      retryAfterMs
    }
    ... on AssistantUnavailableError {
      retryAfterMs
    }
    ... on Error {
      code
      message
    }
  }
}
    fragment ReplyState on Reply {
  id
  status
  text
  reasoning
  queuePosition
  followUps
  question {
    text
    options
    fields {
      name
      type
      required
    }
  }
  omitted
  toolCalls {
    id
    kind
    name
    arguments
  }
  actionExpiresAt
  contextReset
  upstreamCancelled
  usage {
    inputTokens
    outputTokens
    totalTokens
  }
  failure {
    code
    message
    retryable
    retryAfterMs
  }
  conversation {
    id
  }
  createdAt
  startedAt
  endedAt
}`) as unknown as TypedDocumentString<SendMessageMutation, SendMessageMutationVariables>;
export const StartConversationDocument = new TypedDocumentString(`
    mutation StartConversation($input: StartConversationInput!) {
  startConversation(input: $input) {
    __typename
    ... on StartConversationSuccess {
      conversation {
        id
        title
        assistant {
          id
          name
        }
        createdAt
      }
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<StartConversationMutation, StartConversationMutationVariables>;
export const SubmitToolOutputsDocument = new TypedDocumentString(`
    mutation SubmitToolOutputs($input: SubmitToolOutputsInput!) {
  submitToolOutputs(input: $input) {
    __typename
    ... on SubmitToolOutputsSuccess {
      reply {
        ...ReplyState
      }
    }
    ... on Error {
      code
      message
    }
  }
}
    fragment ReplyState on Reply {
  id
  status
  text
  reasoning
  queuePosition
  followUps
  question {
    text
    options
    fields {
      name
      type
      required
    }
  }
  omitted
  toolCalls {
    id
    kind
    name
    arguments
  }
  actionExpiresAt
  contextReset
  upstreamCancelled
  usage {
    inputTokens
    outputTokens
    totalTokens
  }
  failure {
    code
    message
    retryable
    retryAfterMs
  }
  conversation {
    id
  }
  createdAt
  startedAt
  endedAt
}`) as unknown as TypedDocumentString<SubmitToolOutputsMutation, SubmitToolOutputsMutationVariables>;
export const UploadFileDocument = new TypedDocumentString(`
    mutation UploadFile($file: File!, $assistantId: ID) {
  uploadFile(file: $file, assistantId: $assistantId) {
    __typename
    ... on UploadFileSuccess {
      attachment {
        id
        name
        mediaType
        bytes
        createdAt
      }
    }
    ... on RateLimitedError {
      retryAfterMs
    }
    ... on AssistantUnavailableError {
      retryAfterMs
    }
    ... on Error {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<UploadFileMutation, UploadFileMutationVariables>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    session
    isGuest
    credentialExpiresAt
    limits {
      messagesLeft
      openRepliesLeft
      messageLength
      attachments
      uploadBytes
      uploadMediaTypes
    }
    cursor
  }
  assistants {
    id
    name
    messageParameters
    messageMetadata
    takesAttachments
  }
}
    `) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;