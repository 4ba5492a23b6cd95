/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** The treatment of a message while another reply is open in the conversation. */
export type BusyPolicy =
  /** The message cancels all open replies of the conversation and comes next. */
  | 'INTERRUPT'
  /** The message waits for its turn, which `Reply.queuePosition` shows. */
  | 'QUEUE'
  /** The message is refused with CONVERSATION_BUSY. */
  | 'REJECT';

/** The reply to stop. */
export type CancelReplyInput = {
  /** The id of the reply. */
  replyId: string;
};

/** Whether the gateway calls the platform of an assistant. */
export type CircuitState =
  /** The platform is called. */
  | 'CLOSED'
  /** One reply tries whether the platform is back. */
  | 'HALF_OPEN'
  /** The platform could not be reached several times, and is not called for a while. */
  | 'OPEN';

/** The conversation whose context is to be forgotten. */
export type ClearConversationInput = {
  /** The id of the conversation. */
  conversationId: string;
};

/** The assistant whose quarantine is to be cleared. */
export type ClearQuarantineInput = {
  /** The id or configured name of an assistant. */
  assistantId: string;
};

/** The conversation to delete. */
export type DeleteConversationInput = {
  /** The id of the conversation. */
  conversationId: string;
};

/** The text that a delta is a piece of. */
export type DeltaKind =
  /** The delta is a piece of the answer. */
  | 'ANSWER'
  /** The delta is a piece of the model's reasoning. */
  | 'REASONING';

/** A place in which a platform could mix up two sessions. */
export type IsolationLayer =
  /** The platform's conversation. */
  | 'CONVERSATION'
  /** The identity in the access token. */
  | 'IDENTITY'
  /** Knowledge bases and their filters. */
  | 'KNOWLEDGE'
  /** Memory that outlives a conversation. */
  | 'LONG_TERM_MEMORY'
  /** A question of a Workflow that waits for its answer. */
  | 'PENDING_QUESTION'
  /** User variables and databases. */
  | 'VARIABLES';

/** A judgement of whether an assistant keeps sessions apart. */
export type IsolationVerdict =
  /** Two sessions or conversations have met in one platform conversation, and an operator has to clear it. */
  | 'BREACHED'
  /** The last probe could not tell, as its findings explain. */
  | 'INCONCLUSIVE'
  /** The last probe found no leak. */
  | 'ISOLATED'
  /** The last probe found that sessions are mixed up, as its findings explain. */
  | 'LEAKING'
  /** The last probe is too old or was about other settings, so the assistant should be probed again. */
  | 'STALE'
  /** No probe of the assistant has ended yet, so it should be probed. */
  | 'UNPROVEN';

/** A fact of a knowledge base that only one session may get to know. */
export type KnowledgeFactInput = {
  /** The question that asks for the fact. */
  question: string;
  /** The name of that session in the filter of the knowledge base. */
  sessionName: string;
  /** The text that the answer then contains, of at least 4 characters. */
  value: string;
};

/** The result of a probe for one layer. */
export type LayerVerdict =
  /** The layer was tested, and the answers prove nothing. */
  | 'INCONCLUSIVE'
  /** The layer keeps sessions apart. */
  | 'ISOLATED'
  /** The layer mixes sessions up. */
  | 'LEAKING'
  /** The layer was not tested, or another leak hides it. */
  | 'NOT_TESTED';

/** The author of a message. */
export type MessageRole =
  /** The message is a finished answer of the assistant. */
  | 'ASSISTANT'
  /** The user sent the message. */
  | 'USER';

/** A piece of metadata of a message, as a name and a value. */
export type MetadataInput = {
  /** One of the `metadataNames` of the assistant. */
  name: string;
  /** The value of the metadata. */
  value: string;
};

/** A kind of content that is no text and is left out of an answer. */
export type OmittedContent =
  /** Speech. */
  | 'AUDIO'
  /** A card. */
  | 'CARD'
  /** Any other content, including tool results in a reply without text. */
  | 'OTHER';

/** A parameter of a message, as a name and a value. */
export type ParameterInput = {
  /** One of the `parameterNames` of the assistant. */
  name: string;
  /** The value of the parameter, which must be a string for a Bot. */
  value: unknown;
};

/** The assistants to probe and how thoroughly. */
export type ProbeAssistantInput = {
  /** The id or configured name of an assistant. The default is all assistants. */
  assistantId?: string | null | undefined;
  /** The most platform calls to make for each strategy, from 1 to 10,000. The default is 60. */
  budget?: number | null | undefined;
  /** Facts by which the knowledge base is tested. */
  knowledge?: Array<KnowledgeFactInput> | null | undefined;
  /** A message that makes the assistant ask a question and wait, by which pending questions are tested. */
  questionTrigger?: string | null | undefined;
  /** The number of pairs of sessions to try, from 1 to 100. The default is 2. */
  trials?: number | null | undefined;
};

/** The state of a probe. */
export type ProbeStatus =
  /** The probe has ended, and its verdicts are stored. */
  | 'COMPLETED'
  /** The probe could not go on; its last event explains why. */
  | 'FAILED'
  /** The probe is running. */
  | 'RUNNING';

/** The overall result of a probe. */
export type ProbeVerdict =
  /** The probe could not tell. */
  | 'INCONCLUSIVE'
  /** The probe found no leak. */
  | 'ISOLATED'
  /** The probe found that sessions are mixed up. */
  | 'LEAKING';

/** An answer and the rating to give it. */
export type RateAnswerInput = {
  /** A comment in the words of the user. At most 250 characters are accepted. */
  comment?: string | null | undefined;
  /** The id of the message with the answer. */
  messageId: string;
  /** The rating to give. */
  rating: Rating;
  /** Short reasons for the rating. At most 10 reasons of 30 characters each are accepted. */
  reasons?: Array<string> | null | undefined;
};

/** A user's opinion of an answer. */
export type Rating =
  /** The user dislikes the answer. */
  | 'DISLIKE'
  /** The user likes the answer. */
  | 'LIKE';

/** An answer whose rating is to be removed. */
export type RemoveRatingInput = {
  /** The id of the message with the answer. */
  messageId: string;
};

/** A conversation and its new title. */
export type RenameConversationInput = {
  /** The id of the conversation. */
  conversationId: string;
  /** The new title, of 1 to 100 characters. The default is the beginning of the first message. */
  title?: string | null | undefined;
};

/** A stable, machine-readable reason for the failure of a reply. */
export type ReplyFailureCode =
  /** The outputs of the tool calls did not come in time. */
  | 'ACTION_EXPIRED'
  /** The assistant asked for an action that is not supported. */
  | 'ACTION_UNSUPPORTED'
  /** Another chat runs in the conversation on the platform. */
  | 'CONVERSATION_BUSY'
  /** The message waited too long in the queue. */
  | 'EXPIRED'
  /** The gateway has a fault. */
  | 'INTERNAL'
  /** The reply belonged to another session or conversation and was withheld. */
  | 'ISOLATION_BREACH'
  /** The reply exceeded a limit of the gateway. */
  | 'LIMIT'
  /** The gateway was shut down before the reply could end. */
  | 'SHUTDOWN'
  /** The gateway's store has no room left. */
  | 'STORE_FULL'
  /** The gateway's store has lost the record of the reply. */
  | 'STORE_LOST'
  /** The gateway's store could not be written. */
  | 'STORE_UNAVAILABLE'
  /** The platform refused the gateway's credentials. */
  | 'UPSTREAM_AUTH'
  /** The platform reported an error of its own. */
  | 'UPSTREAM_ERROR'
  /** Nobody can tell whether the platform received the message, so it was not sent again. */
  | 'UPSTREAM_OUTCOME_UNKNOWN'
  /** The platform sent something that cannot be understood. */
  | 'UPSTREAM_PROTOCOL'
  /** The quota of the assistant's account is used up. */
  | 'UPSTREAM_QUOTA'
  /** The platform is receiving too many requests. */
  | 'UPSTREAM_RATE_LIMITED'
  /** The platform refused the message. */
  | 'UPSTREAM_REFUSED'
  /** The platform took too long to answer. */
  | 'UPSTREAM_TIMEOUT'
  /** The certificate of the assistant's platform was not accepted. */
  | 'UPSTREAM_TLS'
  /** The platform sent more than a reply may hold. */
  | 'UPSTREAM_TOO_LARGE'
  /** The platform ended the answer before it was whole. */
  | 'UPSTREAM_TRUNCATED'
  /** The assistant's platform could not be reached. */
  | 'UPSTREAM_UNAVAILABLE';

/** The state of a reply. */
export type ReplyStatus =
  /** The reply waits for the outputs of its tool calls until `actionExpiresAt`. */
  | 'ACTION_REQUIRED'
  /** The reply was stopped on request. */
  | 'CANCELLED'
  /** The reply has its whole answer. */
  | 'COMPLETED'
  /** The reply ended without a whole answer for the reason in `failure`. */
  | 'FAILED'
  /** The reply waits for its turn in the conversation. */
  | 'QUEUED'
  /** The assistant is writing the reply. */
  | 'RUNNING';

/** A message of the user and its destination. */
export type SendMessageInput = {
  /** The id or configured name of an assistant. The default is the first configured assistant. */
  assistantId?: string | null | undefined;
  /** The ids of attachments that were uploaded for the same assistant, each once. */
  attachmentIds?: Array<string> | null | undefined;
  /** The id of a conversation with that assistant. The default is the session's most recently used one, or a new one if there is none. */
  conversationId?: string | null | undefined;
  /** A key of at most 255 characters that makes every repetition of the same input return the same reply. */
  idempotencyKey?: string | null | undefined;
  /** The https URLs of images on `imageHosts` of the assistant, which Coze fetches and the gateway does not. */
  imageUrls?: Array<string> | null | undefined;
  /** The metadata of the message, each name once. */
  metadata?: Array<MetadataInput> | null | undefined;
  /** The treatment of the message while another reply is open in the conversation. */
  onBusy?: BusyPolicy | null | undefined;
  /** The parameters of the message, each name once. */
  parameters?: Array<ParameterInput> | null | undefined;
  /** The text of the message. */
  text: string;
};

/** The assistant and the title of a new conversation. */
export type StartConversationInput = {
  /** The id or configured name of an assistant. The default is the first configured assistant. */
  assistantId?: string | null | undefined;
  /** A key of at most 255 characters that makes every repetition of the same input return the same conversation. */
  idempotencyKey?: string | null | undefined;
  /** The title, of 1 to 100 characters. The default is the beginning of the first message. */
  title?: string | null | undefined;
};

/** The way in which an assistant is driven. */
export type StrategyKind =
  /** The assistant runs as a Coze Bot. */
  | 'BOT'
  /** The assistant runs as a Coze Workflow. */
  | 'WORKFLOW';

/** A reply that waits for tool outputs and the outputs. */
export type SubmitToolOutputsInput = {
  /** The outputs, exactly one for each of the `toolCalls` of the reply. */
  outputs: Array<ToolOutputInput>;
  /** The id of the reply. */
  replyId: string;
};

/** The kind of output that a tool call asks for. */
export type ToolCallKind =
  /** The output of a function that the client runs. */
  | 'FUNCTION'
  /** The user's answer to a question that the assistant has just asked. */
  | 'QUESTION';

/** The output of one tool call. */
export type ToolOutputInput = {
  /** The `callId` of the tool call. */
  callId: string;
  /** The output that the assistant gets to read. */
  output: string;
};

/** A file and the assistant to upload it for. */
export type UploadFileInput = {
  /** The id or configured name of an assistant. The default is the first configured assistant. */
  assistantId?: string | null | undefined;
  /** The file, sent as a part of a GraphQL multipart request. */
  file: Blob;
};

/** A stable, machine-readable reason for refusing a mutation. */
export type UserErrorCode =
  /** The assistant accepts no messages now. */
  | 'ASSISTANT_UNAVAILABLE'
  /** Another reply is open in the conversation. */
  | 'CONVERSATION_BUSY'
  /** The idempotency key was used before with another input. */
  | 'IDEMPOTENCY_MISMATCH'
  /** The input breaks a rule that the schema cannot state. */
  | 'INVALID_INPUT'
  /** The caller's session has no object with the given id. */
  | 'NOT_FOUND'
  /** The assistant or its platform cannot do what was asked. */
  | 'NOT_SUPPORTED'
  /** The conversation has as many waiting messages as it may have. */
  | 'QUEUE_FULL'
  /** The session has reached a limit for now. */
  | 'RATE_LIMITED'
  /** The file has more bytes than an upload may have. */
  | 'TOO_LARGE';

export type AssistantsQueryVariables = Exact<{ [key: string]: never; }>;


export type AssistantsQuery = { assistants: Array<{ id: string, name: string, isAvailable: boolean, greeting: string | null, suggestedOpenings: Array<string>, parameterNames: Array<string>, metadataNames: Array<string>, acceptsAttachments: boolean, imageHosts: Array<string> }> };

export type AssistantQueryVariables = Exact<{
  id: string;
}>;


export type AssistantQuery = { assistant: { id: string, name: string, isAvailable: boolean, greeting: string | null, suggestedOpenings: Array<string>, parameterNames: Array<string>, metadataNames: Array<string>, acceptsAttachments: boolean, imageHosts: Array<string> } | null };

export type CancelReplyMutationVariables = Exact<{
  input: CancelReplyInput;
}>;


export type CancelReplyMutation = { cancelReply:
    | { __typename: 'CancelReplySuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, isRequired: boolean }> } | null, toolCalls: Array<{ callId: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
   };

export type ClearConversationMutationVariables = Exact<{
  input: ClearConversationInput;
}>;


export type ClearConversationMutation = { clearConversation:
    | { __typename: 'ClearConversationSuccess', conversation: { id: string, lastUsedAt: string } }
    | { __typename: 'ConversationBusyError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
   };

export type ClearQuarantineMutationVariables = Exact<{
  input: ClearQuarantineInput;
}>;


export type ClearQuarantineMutation = { clearQuarantine:
    | { __typename: 'ClearQuarantineSuccess', assistant: { id: string, isAvailable: boolean, isolation: { verdict: IsolationVerdict } | null } }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
   };

export type ConversationQueryVariables = Exact<{
  id: string;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type ConversationQuery = { conversation: { id: string, title: string | null, createdAt: string, lastUsedAt: string, assistant: { id: string, name: string } | null, openReplies: Array<{ id: string, status: ReplyStatus }>, messages: { edges: Array<{ cursor: string, node: { id: string, role: MessageRole, text: string, createdAt: string, rating: Rating | null, imageUrls: Array<string>, attachments: Array<{ id: string, name: string, mediaType: string, byteSize: number }>, reply: { id: string, status: ReplyStatus } } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } } | null };

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
    | { __typename: 'ConversationBusyError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'DeleteConversationSuccess', deletedConversationId: string, upstreamCleanup: { deletedConversations: number, leftBehind: Array<string> } }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
   };

export type EraseSessionMutationVariables = Exact<{ [key: string]: never; }>;


export type EraseSessionMutation = { eraseSession:
    | { __typename: 'ConversationBusyError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'EraseSessionSuccess', deletedConversations: number, deletedMessages: number, deletedAttachments: number, upstreamCleanup: { deletedConversations: number, leftBehind: Array<string> } }
   };

export type IsolationQueryVariables = Exact<{ [key: string]: never; }>;


export type IsolationQuery = { assistants: Array<{ id: string, name: string, isAvailable: boolean, isolation: { verdict: IsolationVerdict, checkedAt: string | null, findings: Array<{ strategy: StrategyKind, layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ observedAt: string, summary: string, upstreamLogIds: Array<string>, sessionFingerprints: Array<string> }> }>, keying: Array<{ strategy: StrategyKind, layers: Array<{ layer: IsolationLayer, keyedBy: string }> }> } | null }> };

export type FindingFragment = { layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ observedAt: string, summary: string, upstreamLogIds: Array<string>, sessionFingerprints: Array<string> }> };

export type LoadQueryVariables = Exact<{ [key: string]: never; }>;


export type LoadQuery = { assistants: Array<{ name: string, load: { runningReplies: number, waitingReplies: number, maxRunningReplies: number, maxStartsPerSecond: number, circuit: CircuitState, circuitRetryAfterMs: number | null } | null }>, liveCounts: { startedAt: string, openSubscriptions: number, acceptedMessages: number, medianFirstDeltaMs: number | null, slowFirstDeltaMs: number | null, refusedMessages: Array<{ name: string, count: number }>, endedReplies: Array<{ name: string, count: number }>, endedSubscriptions: Array<{ name: string, count: number }>, upstreamErrors: Array<{ name: string, count: number }> } | null, probes: Array<{ id: string, status: ProbeStatus, startedAt: string, reports: Array<{ strategy: StrategyKind, verdict: ProbeVerdict }> }> | null };

export type NodeQueryVariables = Exact<{
  id: string;
}>;


export type NodeQuery = { node:
    | { __typename: 'Assistant', id: string }
    | { __typename: 'Attachment', id: string }
    | { __typename: 'Conversation', id: string }
    | { __typename: 'Message', id: string }
    | { __typename: 'Probe', id: string }
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
    | { __typename: 'Probe', id: string }
    | { __typename: 'Reply', id: string }
   | null> };

export type ProbeAssistantMutationVariables = Exact<{
  input: ProbeAssistantInput;
}>;


export type ProbeAssistantMutation = { probeAssistant:
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'ProbeAssistantSuccess', probe: { id: string, status: ProbeStatus, maxUpstreamCalls: number } }
    | { __typename: 'RateLimitedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
   };

export type ProbeProgressSubscriptionVariables = Exact<{
  probeId: string;
}>;


export type ProbeProgressSubscription = { probeProgress:
    | { __typename: 'ProbeCompleted', occurredAt: string, reports: Array<{ strategy: StrategyKind, verdict: ProbeVerdict, startedAt: string, endedAt: string, upstreamCalls: number, leftBehind: Array<string>, assistant: { id: string, name: string } | null, findings: Array<{ layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ observedAt: string, summary: string, upstreamLogIds: Array<string>, sessionFingerprints: Array<string> }> }>, exchanges: Array<{ sentAt: string, sessionNumber: number, upstreamConversationId: string, upstreamChatId: string, upstreamLogId: string | null, eventTypes: string }> }> }
    | { __typename: 'ProbeFailed', message: string, occurredAt: string }
    | { __typename: 'ProbeStep', step: string, occurredAt: string }
   };

export type ProbeQueryVariables = Exact<{
  id: string;
}>;


export type ProbeQuery = { probe: { id: string, status: ProbeStatus, startedAt: string, maxUpstreamCalls: number, reports: Array<{ strategy: StrategyKind, verdict: ProbeVerdict, startedAt: string, endedAt: string, upstreamCalls: number, leftBehind: Array<string>, assistant: { id: string, name: string } | null, findings: Array<{ layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ observedAt: string, summary: string, upstreamLogIds: Array<string>, sessionFingerprints: Array<string> }> }>, exchanges: Array<{ sentAt: string, sessionNumber: number, upstreamConversationId: string, upstreamChatId: string, upstreamLogId: string | null, eventTypes: string }> }>, events: Array<
      | { __typename: 'ProbeCompleted', occurredAt: string }
      | { __typename: 'ProbeFailed', message: string, occurredAt: string }
      | { __typename: 'ProbeStep', step: string, occurredAt: string }
    > } | null };

export type ReportFragment = { strategy: StrategyKind, verdict: ProbeVerdict, startedAt: string, endedAt: string, upstreamCalls: number, leftBehind: Array<string>, assistant: { id: string, name: string } | null, findings: Array<{ layer: IsolationLayer, verdict: LayerVerdict, reason: string, cause: string | null, remedy: string | null, evidence: Array<{ observedAt: string, summary: string, upstreamLogIds: Array<string>, sessionFingerprints: Array<string> }> }>, exchanges: Array<{ sentAt: string, sessionNumber: number, upstreamConversationId: string, upstreamChatId: string, upstreamLogId: string | null, eventTypes: string }> };

export type RateAnswerMutationVariables = Exact<{
  input: RateAnswerInput;
}>;


export type RateAnswerMutation = { rateAnswer:
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotSupportedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'RateAnswerSuccess', answer: { id: string, rating: Rating | null } }
   };

export type RemoveRatingMutationVariables = Exact<{
  input: RemoveRatingInput;
}>;


export type RemoveRatingMutation = { removeRating:
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotSupportedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'RemoveRatingSuccess', answer: { id: string, rating: Rating | null } }
   };

export type RenameConversationMutationVariables = Exact<{
  input: RenameConversationInput;
}>;


export type RenameConversationMutation = { renameConversation:
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'RenameConversationSuccess', conversation: { id: string, title: string | null } }
   };

export type RepliesSubscriptionVariables = Exact<{
  replyId?: string | null | undefined;
  conversationId?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type RepliesSubscription = { replies:
    | { __typename: 'ReplyActionRequired', expiresAt: string, cursor: string, replyId: string, toolCalls: Array<{ callId: string, kind: ToolCallKind, name: string | null, arguments: string | null }> }
    | { __typename: 'ReplyCancelled', upstreamCancelled: boolean, cursor: string, replyId: string }
    | { __typename: 'ReplyCompleted', text: string, followUps: Array<string>, omitted: Array<OmittedContent>, contextReset: boolean, cursor: string, replyId: string, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, isRequired: boolean }> } | null, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null }
    | { __typename: 'ReplyDelta', kind: DeltaKind, offset: number, text: string, cursor: string, replyId: string }
    | { __typename: 'ReplyFailed', cursor: string, replyId: string, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } }
    | { __typename: 'ReplyStarted', cursor: string, replyId: string }
   };

export type ReplyExplanationQueryVariables = Exact<{
  replyId: string;
}>;


export type ReplyExplanationQuery = { replyExplanation: { strategy: StrategyKind, reason: string, upstreamChatId: string | null, upstreamLogId: string | null, firstDeltaMs: number | null, retries: number, layers: Array<{ layer: IsolationLayer, keyedBy: string }> } | null };

export type ReplyStateFragment = { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, isRequired: boolean }> } | null, toolCalls: Array<{ callId: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } };

export type ReplyQueryVariables = Exact<{
  id: string;
}>;


export type ReplyQuery = { reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, answer: { id: string, text: string } | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, isRequired: boolean }> } | null, toolCalls: Array<{ callId: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } | null };

export type SendMessageMutationVariables = Exact<{
  input: SendMessageInput;
}>;


export type SendMessageMutation = { sendMessage:
    | { __typename: 'AssistantUnavailableError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'ConversationBusyError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'IdempotencyMismatchError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotSupportedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'QueueFullError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'RateLimitedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'SendMessageSuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, message: { id: string, text: string, imageUrls: Array<string>, attachments: Array<{ id: string, name: string }> }, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, isRequired: boolean }> } | null, toolCalls: Array<{ callId: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
   };

export type SessionExportQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type SessionExportQuery = { sessionExport: { document: unknown, nextCursor: string | null } };

export type StartConversationMutationVariables = Exact<{
  input: StartConversationInput;
}>;


export type StartConversationMutation = { startConversation:
    | { __typename: 'IdempotencyMismatchError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'StartConversationSuccess', conversation: { id: string, title: string | null, createdAt: string, assistant: { id: string, name: string } | null } }
   };

export type SubmitToolOutputsMutationVariables = Exact<{
  input: SubmitToolOutputsInput;
}>;


export type SubmitToolOutputsMutation = { submitToolOutputs:
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'SubmitToolOutputsSuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, omitted: Array<OmittedContent>, actionExpiresAt: string | null, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, question: { text: string, options: Array<string>, fields: Array<{ name: string, type: string, isRequired: boolean }> } | null, toolCalls: Array<{ callId: string, kind: ToolCallKind, name: string | null, arguments: string | null }>, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
   };

export type UploadFileMutationVariables = Exact<{
  input: UploadFileInput;
}>;


export type UploadFileMutation = { uploadFile:
    | { __typename: 'AssistantUnavailableError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'InvalidInputError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotFoundError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'NotSupportedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'RateLimitedError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'TooLargeError', code: UserErrorCode, message: string, field: Array<string> | null, retryAfterMs: number | null }
    | { __typename: 'UploadFileSuccess', attachment: { id: string, name: string, mediaType: string, byteSize: number, createdAt: string } }
   };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { sessionFingerprint: string, isGuest: boolean, isOperator: boolean, credentialExpiresAt: string, eventCursor: string, keepAliveMs: number, limits: { maxMessageLength: number, maxAttachments: number, maxUploadByteSize: number, uploadMediaTypes: Array<string>, messages: { limit: number, remaining: number, resetAt: string | null }, openReplies: { limit: number, remaining: number, resetAt: string | null }, uploads: { limit: number, remaining: number, resetAt: string | null } } } };

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
export const FindingFragmentDoc = new TypedDocumentString(`
    fragment Finding on IsolationFinding {
  layer
  verdict
  reason
  cause
  remedy
  evidence {
    observedAt
    summary
    upstreamLogIds
    sessionFingerprints
  }
}
    `, {"fragmentName":"Finding"}) as unknown as TypedDocumentString<FindingFragment, unknown>;
export const ReportFragmentDoc = new TypedDocumentString(`
    fragment Report on ProbeReport {
  assistant {
    id
    name
  }
  strategy
  verdict
  startedAt
  endedAt
  upstreamCalls
  findings {
    ...Finding
  }
  exchanges {
    sentAt
    sessionNumber
    upstreamConversationId
    upstreamChatId
    upstreamLogId
    eventTypes
  }
  leftBehind
}
    fragment Finding on IsolationFinding {
  layer
  verdict
  reason
  cause
  remedy
  evidence {
    observedAt
    summary
    upstreamLogIds
    sessionFingerprints
  }
}`, {"fragmentName":"Report"}) as unknown as TypedDocumentString<ReportFragment, unknown>;
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
      isRequired
    }
  }
  omitted
  toolCalls {
    callId
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
    isAvailable
    greeting
    suggestedOpenings
    parameterNames
    metadataNames
    acceptsAttachments
    imageHosts
  }
}
    `) as unknown as TypedDocumentString<AssistantsQuery, AssistantsQueryVariables>;
export const AssistantDocument = new TypedDocumentString(`
    query Assistant($id: ID!) {
  assistant(id: $id) {
    id
    name
    isAvailable
    greeting
    suggestedOpenings
    parameterNames
    metadataNames
    acceptsAttachments
    imageHosts
  }
}
    `) as unknown as TypedDocumentString<AssistantQuery, AssistantQueryVariables>;
export const CancelReplyDocument = new TypedDocumentString(`
    mutation CancelReply($input: CancelReplyInput!) {
  cancelReply(input: $input) {
    __typename
    ... on CancelReplySuccess {
      reply {
        ...ReplyState
      }
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
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
      isRequired
    }
  }
  omitted
  toolCalls {
    callId
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
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
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
        isAvailable
        isolation {
          verdict
        }
      }
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
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
    openReplies {
      id
      status
    }
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
            byteSize
          }
          imageUrls
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
      deletedConversationId
      upstreamCleanup {
        deletedConversations
        leftBehind
      }
    }
    ... on ConversationBusyError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
    }
  }
}
    `) as unknown as TypedDocumentString<DeleteConversationMutation, DeleteConversationMutationVariables>;
export const EraseSessionDocument = new TypedDocumentString(`
    mutation EraseSession {
  eraseSession {
    __typename
    ... on EraseSessionSuccess {
      deletedConversations
      deletedMessages
      deletedAttachments
      upstreamCleanup {
        deletedConversations
        leftBehind
      }
    }
    ... on ConversationBusyError {
      code
      message
      field
      retryAfterMs
    }
  }
}
    `) as unknown as TypedDocumentString<EraseSessionMutation, EraseSessionMutationVariables>;
export const IsolationDocument = new TypedDocumentString(`
    query Isolation {
  assistants {
    id
    name
    isAvailable
    isolation {
      verdict
      checkedAt
      findings {
        strategy
        ...Finding
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
    fragment Finding on IsolationFinding {
  layer
  verdict
  reason
  cause
  remedy
  evidence {
    observedAt
    summary
    upstreamLogIds
    sessionFingerprints
  }
}`) as unknown as TypedDocumentString<IsolationQuery, IsolationQueryVariables>;
export const LoadDocument = new TypedDocumentString(`
    query Load {
  assistants {
    name
    load {
      runningReplies
      waitingReplies
      maxRunningReplies
      maxStartsPerSecond
      circuit
      circuitRetryAfterMs
    }
  }
  liveCounts {
    startedAt
    openSubscriptions
    acceptedMessages
    refusedMessages {
      name
      count
    }
    endedReplies {
      name
      count
    }
    endedSubscriptions {
      name
      count
    }
    upstreamErrors {
      name
      count
    }
    medianFirstDeltaMs
    slowFirstDeltaMs
  }
  probes {
    id
    status
    startedAt
    reports {
      strategy
      verdict
    }
  }
}
    `) as unknown as TypedDocumentString<LoadQuery, LoadQueryVariables>;
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
      probe {
        id
        status
        maxUpstreamCalls
      }
    }
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
    }
    ... on RateLimitedError {
      code
      message
      field
      retryAfterMs
    }
  }
}
    `) as unknown as TypedDocumentString<ProbeAssistantMutation, ProbeAssistantMutationVariables>;
export const ProbeProgressDocument = new TypedDocumentString(`
    subscription ProbeProgress($probeId: ID!) {
  probeProgress(probeId: $probeId) {
    __typename
    occurredAt
    ... on ProbeStep {
      step
    }
    ... on ProbeCompleted {
      reports {
        ...Report
      }
    }
    ... on ProbeFailed {
      message
    }
  }
}
    fragment Finding on IsolationFinding {
  layer
  verdict
  reason
  cause
  remedy
  evidence {
    observedAt
    summary
    upstreamLogIds
    sessionFingerprints
  }
}
fragment Report on ProbeReport {
  assistant {
    id
    name
  }
  strategy
  verdict
  startedAt
  endedAt
  upstreamCalls
  findings {
    ...Finding
  }
  exchanges {
    sentAt
    sessionNumber
    upstreamConversationId
    upstreamChatId
    upstreamLogId
    eventTypes
  }
  leftBehind
}`) as unknown as TypedDocumentString<ProbeProgressSubscription, ProbeProgressSubscriptionVariables>;
export const ProbeDocument = new TypedDocumentString(`
    query Probe($id: ID!) {
  probe(id: $id) {
    id
    status
    startedAt
    maxUpstreamCalls
    reports {
      ...Report
    }
    events {
      __typename
      occurredAt
      ... on ProbeStep {
        step
      }
      ... on ProbeFailed {
        message
      }
    }
  }
}
    fragment Finding on IsolationFinding {
  layer
  verdict
  reason
  cause
  remedy
  evidence {
    observedAt
    summary
    upstreamLogIds
    sessionFingerprints
  }
}
fragment Report on ProbeReport {
  assistant {
    id
    name
  }
  strategy
  verdict
  startedAt
  endedAt
  upstreamCalls
  findings {
    ...Finding
  }
  exchanges {
    sentAt
    sessionNumber
    upstreamConversationId
    upstreamChatId
    upstreamLogId
    eventTypes
  }
  leftBehind
}`) as unknown as TypedDocumentString<ProbeQuery, ProbeQueryVariables>;
export const RateAnswerDocument = new TypedDocumentString(`
    mutation RateAnswer($input: RateAnswerInput!) {
  rateAnswer(input: $input) {
    __typename
    ... on RateAnswerSuccess {
      answer {
        id
        rating
      }
    }
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotSupportedError {
      code
      message
      field
      retryAfterMs
    }
  }
}
    `) as unknown as TypedDocumentString<RateAnswerMutation, RateAnswerMutationVariables>;
export const RemoveRatingDocument = new TypedDocumentString(`
    mutation RemoveRating($input: RemoveRatingInput!) {
  removeRating(input: $input) {
    __typename
    ... on RemoveRatingSuccess {
      answer {
        id
        rating
      }
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotSupportedError {
      code
      message
      field
      retryAfterMs
    }
  }
}
    `) as unknown as TypedDocumentString<RemoveRatingMutation, RemoveRatingMutationVariables>;
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
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
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
        callId
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
          isRequired
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
      failure {
        code
        message
        retryable
        retryAfterMs
      }
    }
    ... on ReplyCancelled {
      upstreamCancelled
    }
  }
}
    `) as unknown as TypedDocumentString<RepliesSubscription, RepliesSubscriptionVariables>;
export const ReplyExplanationDocument = new TypedDocumentString(`
    query ReplyExplanation($replyId: ID!) {
  replyExplanation(replyId: $replyId) {
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
    `) as unknown as TypedDocumentString<ReplyExplanationQuery, ReplyExplanationQueryVariables>;
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
      isRequired
    }
  }
  omitted
  toolCalls {
    callId
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
          imageUrls
        }
      }
    }
    ... on AssistantUnavailableError {
      code
      message
      field
      retryAfterMs
    }
    ... on ConversationBusyError {
      code
      message
      field
      retryAfterMs
    }
    ... on IdempotencyMismatchError {
      code
      message
      field
      retryAfterMs
    }
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotSupportedError {
      code
      message
      field
      retryAfterMs
    }
    ... on QueueFullError {
      code
      message
      field
      retryAfterMs
    }
    ... on RateLimitedError {
      code
      message
      field
      retryAfterMs
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
      isRequired
    }
  }
  omitted
  toolCalls {
    callId
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
export const SessionExportDocument = new TypedDocumentString(`
    query SessionExport($after: String) {
  sessionExport(after: $after) {
    document
    nextCursor
  }
}
    `) as unknown as TypedDocumentString<SessionExportQuery, SessionExportQueryVariables>;
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
    ... on IdempotencyMismatchError {
      code
      message
      field
      retryAfterMs
    }
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
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
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
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
      isRequired
    }
  }
  omitted
  toolCalls {
    callId
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
    mutation UploadFile($input: UploadFileInput!) {
  uploadFile(input: $input) {
    __typename
    ... on UploadFileSuccess {
      attachment {
        id
        name
        mediaType
        byteSize
        createdAt
      }
    }
    ... on AssistantUnavailableError {
      code
      message
      field
      retryAfterMs
    }
    ... on InvalidInputError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotFoundError {
      code
      message
      field
      retryAfterMs
    }
    ... on NotSupportedError {
      code
      message
      field
      retryAfterMs
    }
    ... on RateLimitedError {
      code
      message
      field
      retryAfterMs
    }
    ... on TooLargeError {
      code
      message
      field
      retryAfterMs
    }
  }
}
    `) as unknown as TypedDocumentString<UploadFileMutation, UploadFileMutationVariables>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    sessionFingerprint
    isGuest
    isOperator
    credentialExpiresAt
    eventCursor
    keepAliveMs
    limits {
      messages {
        limit
        remaining
        resetAt
      }
      openReplies {
        limit
        remaining
        resetAt
      }
      uploads {
        limit
        remaining
        resetAt
      }
      maxMessageLength
      maxAttachments
      maxUploadByteSize
      uploadMediaTypes
    }
  }
}
    `) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;