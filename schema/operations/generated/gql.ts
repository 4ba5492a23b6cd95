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
    "mutation ClearConversation($input: ClearConversationInput!) {\n  clearConversation(input: $input) {\n    __typename\n    ... on ClearConversationSuccess {\n      conversation {\n        id\n        lastUsedAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.ClearConversationDocument,
    "query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  conversation(id: $id) {\n    id\n    title\n    assistant {\n      id\n      name\n    }\n    createdAt\n    lastUsedAt\n    messages(first: $first, after: $after, last: $last, before: $before) {\n      edges {\n        cursor\n        node {\n          id\n          role\n          text\n          createdAt\n          rating\n          attachments {\n            id\n            name\n            mediaType\n            bytes\n          }\n          reply {\n            id\n            status\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n}": typeof types.ConversationDocument,
    "query Conversations($first: Int, $after: String, $last: Int, $before: String) {\n  conversations(first: $first, after: $after, last: $last, before: $before) {\n    edges {\n      cursor\n      node {\n        id\n        title\n        assistant {\n          id\n          name\n        }\n        createdAt\n        lastUsedAt\n      }\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}": typeof types.ConversationsDocument,
    "mutation DeleteConversation($input: DeleteConversationInput!) {\n  deleteConversation(input: $input) {\n    __typename\n    ... on DeleteConversationSuccess {\n      deletedId\n      upstream {\n        deleted\n        remains\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.DeleteConversationDocument,
    "mutation EraseSession {\n  eraseSession {\n    __typename\n    ... on EraseSessionSuccess {\n      conversations\n      messages\n      attachments\n      upstream {\n        deleted\n        remains\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.EraseSessionDocument,
    "query ExplainReply($id: ID!) {\n  reply(id: $id) {\n    id\n    status\n    explain {\n      strategy\n      reason\n      layers {\n        layer\n        keyedBy\n      }\n      upstreamChatId\n      upstreamLogId\n      firstDeltaMs\n      retries\n    }\n  }\n}": typeof types.ExplainReplyDocument,
    "query ExportSession($after: String) {\n  exportSession(after: $after) {\n    document\n    next\n  }\n}": typeof types.ExportSessionDocument,
    "mutation GiveFeedback($input: GiveFeedbackInput!) {\n  giveFeedback(input: $input) {\n    __typename\n    ... on GiveFeedbackSuccess {\n      answer {\n        id\n        rating\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.GiveFeedbackDocument,
    "query Node($id: ID!) {\n  node(id: $id) {\n    __typename\n    id\n  }\n}\n\nquery Nodes($ids: [ID!]!) {\n  nodes(ids: $ids) {\n    __typename\n    id\n  }\n}": typeof types.NodeDocument,
    "mutation RenameConversation($input: RenameConversationInput!) {\n  renameConversation(input: $input) {\n    __typename\n    ... on RenameConversationSuccess {\n      conversation {\n        id\n        title\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.RenameConversationDocument,
    "subscription Replies($replyId: ID, $conversationId: ID, $after: String) {\n  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {\n    __typename\n    cursor\n    replyId\n    ... on ReplyDelta {\n      kind\n      offset\n      text\n    }\n    ... on ReplyActionRequired {\n      toolCalls {\n        id\n        kind\n        name\n        arguments\n      }\n      expiresAt\n    }\n    ... on ReplyCompleted {\n      text\n      followUps\n      question {\n        text\n        options\n        fields {\n          name\n          type\n          required\n        }\n      }\n      omitted\n      contextReset\n      usage {\n        inputTokens\n        outputTokens\n        totalTokens\n      }\n    }\n    ... on ReplyFailed {\n      code\n      message\n      retryable\n      retryAfterMs\n    }\n    ... on ReplyCancelled {\n      upstreamCancelled\n    }\n  }\n}": typeof types.RepliesDocument,
    "fragment ReplyState on Reply {\n  id\n  status\n  text\n  reasoning\n  queuePosition\n  followUps\n  question {\n    text\n    options\n    fields {\n      name\n      type\n      required\n    }\n  }\n  omitted\n  toolCalls {\n    id\n    kind\n    name\n    arguments\n  }\n  actionExpiresAt\n  contextReset\n  upstreamCancelled\n  usage {\n    inputTokens\n    outputTokens\n    totalTokens\n  }\n  failure {\n    code\n    message\n    retryable\n    retryAfterMs\n  }\n  conversation {\n    id\n  }\n  createdAt\n  startedAt\n  endedAt\n}\n\nquery Reply($id: ID!) {\n  reply(id: $id) {\n    ...ReplyState\n    answer {\n      id\n      text\n    }\n  }\n}": typeof types.ReplyStateFragmentDoc,
    "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessageSuccess {\n      reply {\n        ...ReplyState\n        message {\n          id\n          text\n          attachments {\n            id\n            name\n          }\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on AssistantUnavailableError {\n      retryAfterMs\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.SendMessageDocument,
    "mutation StartConversation($input: StartConversationInput!) {\n  startConversation(input: $input) {\n    __typename\n    ... on StartConversationSuccess {\n      conversation {\n        id\n        title\n        assistant {\n          id\n          name\n        }\n        createdAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.StartConversationDocument,
    "mutation SubmitToolOutputs($input: SubmitToolOutputsInput!) {\n  submitToolOutputs(input: $input) {\n    __typename\n    ... on SubmitToolOutputsSuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.SubmitToolOutputsDocument,
    "mutation UploadFile($file: File!, $assistantId: ID) {\n  uploadFile(file: $file, assistantId: $assistantId) {\n    __typename\n    ... on UploadFileSuccess {\n      attachment {\n        id\n        name\n        mediaType\n        bytes\n        createdAt\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on AssistantUnavailableError {\n      retryAfterMs\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": typeof types.UploadFileDocument,
    "query Viewer {\n  viewer {\n    session\n    isGuest\n    credentialExpiresAt\n    limits {\n      messagesLeft\n      openRepliesLeft\n      messageLength\n      attachments\n      uploadBytes\n      uploadMediaTypes\n    }\n    cursor\n  }\n  assistants {\n    id\n    name\n    messageParameters\n    messageMetadata\n    takesAttachments\n  }\n}": typeof types.ViewerDocument,
};
const documents: Documents = {
    "mutation CancelReply($input: CancelReplyInput!) {\n  cancelReply(input: $input) {\n    __typename\n    ... on CancelReplySuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.CancelReplyDocument,
    "mutation ClearConversation($input: ClearConversationInput!) {\n  clearConversation(input: $input) {\n    __typename\n    ... on ClearConversationSuccess {\n      conversation {\n        id\n        lastUsedAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.ClearConversationDocument,
    "query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  conversation(id: $id) {\n    id\n    title\n    assistant {\n      id\n      name\n    }\n    createdAt\n    lastUsedAt\n    messages(first: $first, after: $after, last: $last, before: $before) {\n      edges {\n        cursor\n        node {\n          id\n          role\n          text\n          createdAt\n          rating\n          attachments {\n            id\n            name\n            mediaType\n            bytes\n          }\n          reply {\n            id\n            status\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n}": types.ConversationDocument,
    "query Conversations($first: Int, $after: String, $last: Int, $before: String) {\n  conversations(first: $first, after: $after, last: $last, before: $before) {\n    edges {\n      cursor\n      node {\n        id\n        title\n        assistant {\n          id\n          name\n        }\n        createdAt\n        lastUsedAt\n      }\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}": types.ConversationsDocument,
    "mutation DeleteConversation($input: DeleteConversationInput!) {\n  deleteConversation(input: $input) {\n    __typename\n    ... on DeleteConversationSuccess {\n      deletedId\n      upstream {\n        deleted\n        remains\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.DeleteConversationDocument,
    "mutation EraseSession {\n  eraseSession {\n    __typename\n    ... on EraseSessionSuccess {\n      conversations\n      messages\n      attachments\n      upstream {\n        deleted\n        remains\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.EraseSessionDocument,
    "query ExplainReply($id: ID!) {\n  reply(id: $id) {\n    id\n    status\n    explain {\n      strategy\n      reason\n      layers {\n        layer\n        keyedBy\n      }\n      upstreamChatId\n      upstreamLogId\n      firstDeltaMs\n      retries\n    }\n  }\n}": types.ExplainReplyDocument,
    "query ExportSession($after: String) {\n  exportSession(after: $after) {\n    document\n    next\n  }\n}": types.ExportSessionDocument,
    "mutation GiveFeedback($input: GiveFeedbackInput!) {\n  giveFeedback(input: $input) {\n    __typename\n    ... on GiveFeedbackSuccess {\n      answer {\n        id\n        rating\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.GiveFeedbackDocument,
    "query Node($id: ID!) {\n  node(id: $id) {\n    __typename\n    id\n  }\n}\n\nquery Nodes($ids: [ID!]!) {\n  nodes(ids: $ids) {\n    __typename\n    id\n  }\n}": types.NodeDocument,
    "mutation RenameConversation($input: RenameConversationInput!) {\n  renameConversation(input: $input) {\n    __typename\n    ... on RenameConversationSuccess {\n      conversation {\n        id\n        title\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.RenameConversationDocument,
    "subscription Replies($replyId: ID, $conversationId: ID, $after: String) {\n  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {\n    __typename\n    cursor\n    replyId\n    ... on ReplyDelta {\n      kind\n      offset\n      text\n    }\n    ... on ReplyActionRequired {\n      toolCalls {\n        id\n        kind\n        name\n        arguments\n      }\n      expiresAt\n    }\n    ... on ReplyCompleted {\n      text\n      followUps\n      question {\n        text\n        options\n        fields {\n          name\n          type\n          required\n        }\n      }\n      omitted\n      contextReset\n      usage {\n        inputTokens\n        outputTokens\n        totalTokens\n      }\n    }\n    ... on ReplyFailed {\n      code\n      message\n      retryable\n      retryAfterMs\n    }\n    ... on ReplyCancelled {\n      upstreamCancelled\n    }\n  }\n}": types.RepliesDocument,
    "fragment ReplyState on Reply {\n  id\n  status\n  text\n  reasoning\n  queuePosition\n  followUps\n  question {\n    text\n    options\n    fields {\n      name\n      type\n      required\n    }\n  }\n  omitted\n  toolCalls {\n    id\n    kind\n    name\n    arguments\n  }\n  actionExpiresAt\n  contextReset\n  upstreamCancelled\n  usage {\n    inputTokens\n    outputTokens\n    totalTokens\n  }\n  failure {\n    code\n    message\n    retryable\n    retryAfterMs\n  }\n  conversation {\n    id\n  }\n  createdAt\n  startedAt\n  endedAt\n}\n\nquery Reply($id: ID!) {\n  reply(id: $id) {\n    ...ReplyState\n    answer {\n      id\n      text\n    }\n  }\n}": types.ReplyStateFragmentDoc,
    "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessageSuccess {\n      reply {\n        ...ReplyState\n        message {\n          id\n          text\n          attachments {\n            id\n            name\n          }\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on AssistantUnavailableError {\n      retryAfterMs\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.SendMessageDocument,
    "mutation StartConversation($input: StartConversationInput!) {\n  startConversation(input: $input) {\n    __typename\n    ... on StartConversationSuccess {\n      conversation {\n        id\n        title\n        assistant {\n          id\n          name\n        }\n        createdAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.StartConversationDocument,
    "mutation SubmitToolOutputs($input: SubmitToolOutputsInput!) {\n  submitToolOutputs(input: $input) {\n    __typename\n    ... on SubmitToolOutputsSuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.SubmitToolOutputsDocument,
    "mutation UploadFile($file: File!, $assistantId: ID) {\n  uploadFile(file: $file, assistantId: $assistantId) {\n    __typename\n    ... on UploadFileSuccess {\n      attachment {\n        id\n        name\n        mediaType\n        bytes\n        createdAt\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on AssistantUnavailableError {\n      retryAfterMs\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}": types.UploadFileDocument,
    "query Viewer {\n  viewer {\n    session\n    isGuest\n    credentialExpiresAt\n    limits {\n      messagesLeft\n      openRepliesLeft\n      messageLength\n      attachments\n      uploadBytes\n      uploadMediaTypes\n    }\n    cursor\n  }\n  assistants {\n    id\n    name\n    messageParameters\n    messageMetadata\n    takesAttachments\n  }\n}": types.ViewerDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation CancelReply($input: CancelReplyInput!) {\n  cancelReply(input: $input) {\n    __typename\n    ... on CancelReplySuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').CancelReplyDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation ClearConversation($input: ClearConversationInput!) {\n  clearConversation(input: $input) {\n    __typename\n    ... on ClearConversationSuccess {\n      conversation {\n        id\n        lastUsedAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').ClearConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Conversation($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {\n  conversation(id: $id) {\n    id\n    title\n    assistant {\n      id\n      name\n    }\n    createdAt\n    lastUsedAt\n    messages(first: $first, after: $after, last: $last, before: $before) {\n      edges {\n        cursor\n        node {\n          id\n          role\n          text\n          createdAt\n          rating\n          attachments {\n            id\n            name\n            mediaType\n            bytes\n          }\n          reply {\n            id\n            status\n          }\n        }\n      }\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n    }\n  }\n}"): typeof import('./graphql.ts').ConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Conversations($first: Int, $after: String, $last: Int, $before: String) {\n  conversations(first: $first, after: $after, last: $last, before: $before) {\n    edges {\n      cursor\n      node {\n        id\n        title\n        assistant {\n          id\n          name\n        }\n        createdAt\n        lastUsedAt\n      }\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}"): typeof import('./graphql.ts').ConversationsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation DeleteConversation($input: DeleteConversationInput!) {\n  deleteConversation(input: $input) {\n    __typename\n    ... on DeleteConversationSuccess {\n      deletedId\n      upstream {\n        deleted\n        remains\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').DeleteConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation EraseSession {\n  eraseSession {\n    __typename\n    ... on EraseSessionSuccess {\n      conversations\n      messages\n      attachments\n      upstream {\n        deleted\n        remains\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').EraseSessionDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query ExplainReply($id: ID!) {\n  reply(id: $id) {\n    id\n    status\n    explain {\n      strategy\n      reason\n      layers {\n        layer\n        keyedBy\n      }\n      upstreamChatId\n      upstreamLogId\n      firstDeltaMs\n      retries\n    }\n  }\n}"): typeof import('./graphql.ts').ExplainReplyDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query ExportSession($after: String) {\n  exportSession(after: $after) {\n    document\n    next\n  }\n}"): typeof import('./graphql.ts').ExportSessionDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation GiveFeedback($input: GiveFeedbackInput!) {\n  giveFeedback(input: $input) {\n    __typename\n    ... on GiveFeedbackSuccess {\n      answer {\n        id\n        rating\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').GiveFeedbackDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Node($id: ID!) {\n  node(id: $id) {\n    __typename\n    id\n  }\n}\n\nquery Nodes($ids: [ID!]!) {\n  nodes(ids: $ids) {\n    __typename\n    id\n  }\n}"): typeof import('./graphql.ts').NodeDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation RenameConversation($input: RenameConversationInput!) {\n  renameConversation(input: $input) {\n    __typename\n    ... on RenameConversationSuccess {\n      conversation {\n        id\n        title\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').RenameConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription Replies($replyId: ID, $conversationId: ID, $after: String) {\n  replies(replyId: $replyId, conversationId: $conversationId, after: $after) {\n    __typename\n    cursor\n    replyId\n    ... on ReplyDelta {\n      kind\n      offset\n      text\n    }\n    ... on ReplyActionRequired {\n      toolCalls {\n        id\n        kind\n        name\n        arguments\n      }\n      expiresAt\n    }\n    ... on ReplyCompleted {\n      text\n      followUps\n      question {\n        text\n        options\n        fields {\n          name\n          type\n          required\n        }\n      }\n      omitted\n      contextReset\n      usage {\n        inputTokens\n        outputTokens\n        totalTokens\n      }\n    }\n    ... on ReplyFailed {\n      code\n      message\n      retryable\n      retryAfterMs\n    }\n    ... on ReplyCancelled {\n      upstreamCancelled\n    }\n  }\n}"): typeof import('./graphql.ts').RepliesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "fragment ReplyState on Reply {\n  id\n  status\n  text\n  reasoning\n  queuePosition\n  followUps\n  question {\n    text\n    options\n    fields {\n      name\n      type\n      required\n    }\n  }\n  omitted\n  toolCalls {\n    id\n    kind\n    name\n    arguments\n  }\n  actionExpiresAt\n  contextReset\n  upstreamCancelled\n  usage {\n    inputTokens\n    outputTokens\n    totalTokens\n  }\n  failure {\n    code\n    message\n    retryable\n    retryAfterMs\n  }\n  conversation {\n    id\n  }\n  createdAt\n  startedAt\n  endedAt\n}\n\nquery Reply($id: ID!) {\n  reply(id: $id) {\n    ...ReplyState\n    answer {\n      id\n      text\n    }\n  }\n}"): typeof import('./graphql.ts').ReplyStateFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SendMessage($input: SendMessageInput!) {\n  sendMessage(input: $input) {\n    __typename\n    ... on SendMessageSuccess {\n      reply {\n        ...ReplyState\n        message {\n          id\n          text\n          attachments {\n            id\n            name\n          }\n        }\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on AssistantUnavailableError {\n      retryAfterMs\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').SendMessageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation StartConversation($input: StartConversationInput!) {\n  startConversation(input: $input) {\n    __typename\n    ... on StartConversationSuccess {\n      conversation {\n        id\n        title\n        assistant {\n          id\n          name\n        }\n        createdAt\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').StartConversationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SubmitToolOutputs($input: SubmitToolOutputsInput!) {\n  submitToolOutputs(input: $input) {\n    __typename\n    ... on SubmitToolOutputsSuccess {\n      reply {\n        ...ReplyState\n      }\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').SubmitToolOutputsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation UploadFile($file: File!, $assistantId: ID) {\n  uploadFile(file: $file, assistantId: $assistantId) {\n    __typename\n    ... on UploadFileSuccess {\n      attachment {\n        id\n        name\n        mediaType\n        bytes\n        createdAt\n      }\n    }\n    ... on RateLimitedError {\n      retryAfterMs\n    }\n    ... on AssistantUnavailableError {\n      retryAfterMs\n    }\n    ... on Error {\n      code\n      message\n    }\n  }\n}"): typeof import('./graphql.ts').UploadFileDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Viewer {\n  viewer {\n    session\n    isGuest\n    credentialExpiresAt\n    limits {\n      messagesLeft\n      openRepliesLeft\n      messageLength\n      attachments\n      uploadBytes\n      uploadMediaTypes\n    }\n    cursor\n  }\n  assistants {\n    id\n    name\n    messageParameters\n    messageMetadata\n    takesAttachments\n  }\n}"): typeof import('./graphql.ts').ViewerDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
