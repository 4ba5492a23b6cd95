/* eslint-disable */
import * as types from './graphql.ts';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "mutation CancelReply($input: CancelReplyInput!) {\n  cancelReply(input: $input) {\n    __typename\n    ... on CancelReplySuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.CancelReplyDocument,
    "query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  conversation(id: $id) {\n    id\n    assistant {\n      id\n      name\n    }\n    createdAt\n    lastUsedAt\n    messages(first: $first, after: $after, last: $last, before: $before) {\n      edges {\n        cursor\n        node {\n          id\n          role\n          text\n          createdAt\n          reply {\n            id\n            status\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n}": typeof types.ConversationDocument,
    "query Conversations($first: Int, $after: String, $last: Int, $before: String) {\n  conversations(first: $first, after: $after, last: $last, before: $before) {\n    edges {\n      cursor\n      node {\n        id\n        assistant {\n          id\n          name\n        }\n        createdAt\n        lastUsedAt\n      }\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}": typeof types.ConversationsDocument,
    "query Node($id: ID!) {\n  node(id: $id) {\n    __typename\n    id\n  }\n}\n\nquery Nodes($ids: [ID!]!) {\n  nodes(ids: $ids) {\n    __typename\n    id\n  }\n}": typeof types.NodeDocument,
    "subscription Replies($replyId: ID, $conversationId: ID, $after: String) {\n  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {\n    __typename\n    cursor\n    replyId\n    ... on ReplyDelta {\n      kind\n      offset\n      text\n    }\n    ... on ReplyCompleted {\n      text\n      followUps\n      contextReset\n      usage {\n        inputTokens\n        outputTokens\n        totalTokens\n      }\n    }\n    ... on ReplyFailed {\n      code\n      message\n      retryable\n      retryAfterMs\n    }\n    ... on ReplyCancelled {\n      upstreamCancelled\n    }\n  }\n}": typeof types.RepliesDocument,
    "fragment ReplyState on Reply {\n  id\n  status\n  text\n  reasoning\n  queuePosition\n  followUps\n  contextReset\n  upstreamCancelled\n  usage {\n    inputTokens\n    outputTokens\n    totalTokens\n  }\n  failure {\n    code\n    message\n    retryable\n    retryAfterMs\n  }\n  conversation {\n    id\n  }\n  createdAt\n  startedAt\n  endedAt\n}\n\nquery Reply($id: ID!) {\n  reply(id: $id) {\n    ...ReplyState\n    answer {\n      id\n      text\n    }\n  }\n}": typeof types.ReplyStateFragmentDoc,
    "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessageSuccess {\n      reply {\n        ...ReplyState\n        message {\n          id\n          text\n        }\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.SendMessageDocument,
    "mutation StartConversation($input: StartConversationInput!) {\n  startConversation(input: $input) {\n    __typename\n    ... on StartConversationSuccess {\n      conversation {\n        id\n        assistant {\n          id\n          name\n        }\n        createdAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.StartConversationDocument,
    "query Viewer {\n  viewer {\n    session\n    credentialExpiresAt\n    cursor\n  }\n  assistants {\n    id\n    name\n  }\n}": typeof types.ViewerDocument,
};
const documents: Documents = {
    "mutation CancelReply($input: CancelReplyInput!) {\n  cancelReply(input: $input) {\n    __typename\n    ... on CancelReplySuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.CancelReplyDocument,
    "query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  conversation(id: $id) {\n    id\n    assistant {\n      id\n      name\n    }\n    createdAt\n    lastUsedAt\n    messages(first: $first, after: $after, last: $last, before: $before) {\n      edges {\n        cursor\n        node {\n          id\n          role\n          text\n          createdAt\n          reply {\n            id\n            status\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n}": types.ConversationDocument,
    "query Conversations($first: Int, $after: String, $last: Int, $before: String) {\n  conversations(first: $first, after: $after, last: $last, before: $before) {\n    edges {\n      cursor\n      node {\n        id\n        assistant {\n          id\n          name\n        }\n        createdAt\n        lastUsedAt\n      }\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}": types.ConversationsDocument,
    "query Node($id: ID!) {\n  node(id: $id) {\n    __typename\n    id\n  }\n}\n\nquery Nodes($ids: [ID!]!) {\n  nodes(ids: $ids) {\n    __typename\n    id\n  }\n}": types.NodeDocument,
    "subscription Replies($replyId: ID, $conversationId: ID, $after: String) {\n  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {\n    __typename\n    cursor\n    replyId\n    ... on ReplyDelta {\n      kind\n      offset\n      text\n    }\n    ... on ReplyCompleted {\n      text\n      followUps\n      contextReset\n      usage {\n        inputTokens\n        outputTokens\n        totalTokens\n      }\n    }\n    ... on ReplyFailed {\n      code\n      message\n      retryable\n      retryAfterMs\n    }\n    ... on ReplyCancelled {\n      upstreamCancelled\n    }\n  }\n}": types.RepliesDocument,
    "fragment ReplyState on Reply {\n  id\n  status\n  text\n  reasoning\n  queuePosition\n  followUps\n  contextReset\n  upstreamCancelled\n  usage {\n    inputTokens\n    outputTokens\n    totalTokens\n  }\n  failure {\n    code\n    message\n    retryable\n    retryAfterMs\n  }\n  conversation {\n    id\n  }\n  createdAt\n  startedAt\n  endedAt\n}\n\nquery Reply($id: ID!) {\n  reply(id: $id) {\n    ...ReplyState\n    answer {\n      id\n      text\n    }\n  }\n}": types.ReplyStateFragmentDoc,
    "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessageSuccess {\n      reply {\n        ...ReplyState\n        message {\n          id\n          text\n        }\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.SendMessageDocument,
    "mutation StartConversation($input: StartConversationInput!) {\n  startConversation(input: $input) {\n    __typename\n    ... on StartConversationSuccess {\n      conversation {\n        id\n        assistant {\n          id\n          name\n        }\n        createdAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.StartConversationDocument,
    "query Viewer {\n  viewer {\n    session\n    credentialExpiresAt\n    cursor\n  }\n  assistants {\n    id\n    name\n  }\n}": types.ViewerDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation CancelReply($input: CancelReplyInput!) {\n  cancelReply(input: $input) {\n    __typename\n    ... on CancelReplySuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').CancelReplyDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  conversation(id: $id) {\n    id\n    assistant {\n      id\n      name\n    }\n    createdAt\n    lastUsedAt\n    messages(first: $first, after: $after, last: $last, before: $before) {\n      edges {\n        cursor\n        node {\n          id\n          role\n          text\n          createdAt\n          reply {\n            id\n            status\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n}"): typeof import('./graphql.ts').ConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Conversations($first: Int, $after: String, $last: Int, $before: String) {\n  conversations(first: $first, after: $after, last: $last, before: $before) {\n    edges {\n      cursor\n      node {\n        id\n        assistant {\n          id\n          name\n        }\n        createdAt\n        lastUsedAt\n      }\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}"): typeof import('./graphql.ts').ConversationsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Node($id: ID!) {\n  node(id: $id) {\n    __typename\n    id\n  }\n}\n\nquery Nodes($ids: [ID!]!) {\n  nodes(ids: $ids) {\n    __typename\n    id\n  }\n}"): typeof import('./graphql.ts').NodeDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription Replies($replyId: ID, $conversationId: ID, $after: String) {\n  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {\n    __typename\n    cursor\n    replyId\n    ... on ReplyDelta {\n      kind\n      offset\n      text\n    }\n    ... on ReplyCompleted {\n      text\n      followUps\n      contextReset\n      usage {\n        inputTokens\n        outputTokens\n        totalTokens\n      }\n    }\n    ... on ReplyFailed {\n      code\n      message\n      retryable\n      retryAfterMs\n    }\n    ... on ReplyCancelled {\n      upstreamCancelled\n    }\n  }\n}"): typeof import('./graphql.ts').RepliesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "fragment ReplyState on Reply {\n  id\n  status\n  text\n  reasoning\n  queuePosition\n  followUps\n  contextReset\n  upstreamCancelled\n  usage {\n    inputTokens\n    outputTokens\n    totalTokens\n  }\n  failure {\n    code\n    message\n    retryable\n    retryAfterMs\n  }\n  conversation {\n    id\n  }\n  createdAt\n  startedAt\n  endedAt\n}\n\nquery Reply($id: ID!) {\n  reply(id: $id) {\n    ...ReplyState\n    answer {\n      id\n      text\n    }\n  }\n}"): typeof import('./graphql.ts').ReplyStateFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessageSuccess {\n      reply {\n        ...ReplyState\n        message {\n          id\n          text\n        }\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').SendMessageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation StartConversation($input: StartConversationInput!) {\n  startConversation(input: $input) {\n    __typename\n    ... on StartConversationSuccess {\n      conversation {\n        id\n        assistant {\n          id\n          name\n        }\n        createdAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').StartConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Viewer {\n  viewer {\n    session\n    credentialExpiresAt\n    cursor\n  }\n  assistants {\n    id\n    name\n  }\n}"): typeof import('./graphql.ts').ViewerDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
