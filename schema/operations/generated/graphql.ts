/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** What to do while another reply runs in the conversation. */
export type BusyPolicy =
  /** Cancel it, and go to the head of the queue. */
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

/** What a delta is a piece of. */
export type DeltaKind =
  /** The answer. */
  | 'ANSWER'
  /** The reasoning that leads to it. */
  | 'REASONING';

/** Why a mutation was refused; a code never changes its meaning. */
export type ErrorCode =
  /** Another reply runs in the conversation. */
  | 'CONVERSATION_BUSY'
  /** The idempotency key was used with another input. */
  | 'IDEMPOTENCY_MISMATCH'
  /** The input breaks a rule that the schema cannot state. */
  | 'INVALID_INPUT'
  /** What an id names does not exist in the session. */
  | 'NOT_FOUND'
  /** As many messages wait in the conversation as may. */
  | 'QUEUE_FULL';

/** Who wrote a message. */
export type MessageRole =
  /** The assistant: a finished answer. */
  | 'ASSISTANT'
  /** The user. */
  | 'USER';

/** Why a reply failed; a code never changes its meaning. */
export type ReplyFailureCode =
  | 'ACTION_UNSUPPORTED'
  | 'CONVERSATION_BUSY'
  | 'EXPIRED'
  | 'INTERNAL'
  | 'ISOLATION_BREACH'
  | 'LIMIT'
  | 'SHUTDOWN'
  | 'STORE_FULL'
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
  /** Default: the most recently used conversation with that assistant, else a new one; must not be with another assistant. */
  conversationId?: string | null | undefined;
  /** At most 255 characters: the same key with the same input answers the same reply, however often it is sent. */
  idempotencyKey?: string | null | undefined;
  /** What to do while another reply runs in the conversation. */
  onBusy?: BusyPolicy;
  /** What to say. */
  text: string;
};

/** With whom to begin a conversation. */
export type StartConversationInput = {
  /** The id or configured name of an assistant; default: the first configured. */
  assistantId?: string | null | undefined;
};

export type CancelReplyMutationVariables = Exact<{
  input: CancelReplyInput;
}>;


export type CancelReplyMutation = { cancelReply:
    | { __typename: 'CancelReplySuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
   };

export type ConversationQueryVariables = Exact<{
  id: string;
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type ConversationQuery = { conversation: { id: string, createdAt: string, lastUsedAt: string, assistant: { id: string, name: string } | null, messages: { edges: Array<{ cursor: string, node: { id: string, role: MessageRole, text: string, createdAt: string, reply: { id: string, status: ReplyStatus } } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } } | null };

export type ConversationsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type ConversationsQuery = { conversations: { edges: Array<{ cursor: string, node: { id: string, createdAt: string, lastUsedAt: string, assistant: { id: string, name: string } | null } }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } };

export type NodeQueryVariables = Exact<{
  id: string;
}>;


export type NodeQuery = { node:
    | { __typename: 'Assistant', id: string }
    | { __typename: 'Conversation', id: string }
    | { __typename: 'Message', id: string }
    | { __typename: 'Reply', id: string }
   | null };

export type NodesQueryVariables = Exact<{
  ids: Array<string> | string;
}>;


export type NodesQuery = { nodes: Array<
    | { __typename: 'Assistant', id: string }
    | { __typename: 'Conversation', id: string }
    | { __typename: 'Message', id: string }
    | { __typename: 'Reply', id: string }
   | null> };

export type RepliesSubscriptionVariables = Exact<{
  replyId?: string | null | undefined;
  conversationId?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type RepliesSubscription = { replies:
    | { __typename: 'ReplyCancelled', upstreamCancelled: boolean, cursor: string, replyId: string }
    | { __typename: 'ReplyCompleted', text: string, followUps: Array<string>, contextReset: boolean, cursor: string, replyId: string, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null }
    | { __typename: 'ReplyDelta', kind: DeltaKind, offset: number, text: string, cursor: string, replyId: string }
    | { __typename: 'ReplyFailed', code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null, cursor: string, replyId: string }
    | { __typename: 'ReplyStarted', cursor: string, replyId: string }
   };

export type ReplyStateFragment = { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } };

export type ReplyQueryVariables = Exact<{
  id: string;
}>;


export type ReplyQuery = { reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, answer: { id: string, text: string } | null, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } | null };

export type SendMessageMutationVariables = Exact<{
  input: SendMessageInput;
}>;


export type SendMessageMutation = { sendMessage:
    | { __typename: 'ConversationBusyError', code: ErrorCode, message: string }
    | { __typename: 'IdempotencyMismatchError', code: ErrorCode, message: string }
    | { __typename: 'InvalidInputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'QueueFullError', code: ErrorCode, message: string }
    | { __typename: 'SendMessageSuccess', reply: { id: string, status: ReplyStatus, text: string, reasoning: string, queuePosition: number | null, followUps: Array<string>, contextReset: boolean, upstreamCancelled: boolean, createdAt: string, startedAt: string | null, endedAt: string | null, message: { id: string, text: string }, usage: { inputTokens: number, outputTokens: number, totalTokens: number } | null, failure: { code: ReplyFailureCode, message: string, retryable: boolean, retryAfterMs: number | null } | null, conversation: { id: string } } }
   };

export type StartConversationMutationVariables = Exact<{
  input: StartConversationInput;
}>;


export type StartConversationMutation = { startConversation:
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'StartConversationSuccess', conversation: { id: string, createdAt: string, assistant: { id: string, name: string } | null } }
   };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { session: string, credentialExpiresAt: string, cursor: string }, assistants: Array<{ id: string, name: string }> };

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
export const ConversationDocument = new TypedDocumentString(`
    query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  conversation(id: $id) {
    id
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
    ... on ReplyCompleted {
      text
      followUps
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
        }
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
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    session
    credentialExpiresAt
    cursor
  }
  assistants {
    id
    name
  }
}
    `) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;