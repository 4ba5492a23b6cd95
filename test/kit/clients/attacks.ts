import type { Answer, Client } from './client.ts'
import {
  CancelReplyDocument,
  ClearConversationDocument,
  RateAnswerDocument,
  RemoveRatingDocument,
  RenameConversationDocument,
  RepliesDocument,
  SubmitToolOutputsDocument,
} from '../../../schema/operations/generated/graphql.ts'
import type { Person } from '../process/system.ts'

/** What one session has that another may want. */
export interface Loot {
  readonly replyId: string
  readonly conversationId: string
  readonly messageId: string
  /** Uploaded for the Bot. */
  readonly attachmentId: string
  readonly exportPlace: string
  readonly cursor: string
  readonly answerId: string
  readonly conversationRow: string
  readonly messageRow: string
  readonly idempotencyKey: string
  /** Under which a conversation was started. */
  readonly startKey: string
  /** The text that was sent under the key. */
  readonly text: string
}

/** Where the attacker stands: ids of its own that an attack may need beside the stolen value. */
export type Own = Pick<Loot, 'replyId' | 'conversationId' | 'text'>

export interface Attack {
  readonly steals: Exclude<keyof Loot, 'text'>
  run(client: Client, who: Person, value: string, own: Own): Promise<Answer>
}

const rows = 'edges { cursor node { __typename } } pageInfo { hasNextPage hasPreviousPage }'
const anything = `__typename id
  ... on Conversation { messages { ${rows} } }
  ... on Message { text }
  ... on Reply { text }`

const cancelDocument = CancelReplyDocument.toString()

/** Selects nothing that time changes. */
const sendDocument = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { id message { text } } }
    ... on UserError { code message }
  }
}`

const startDocument = `mutation ($input: StartConversationInput!) {
  startConversation(input: $input) {
    __typename
    ... on StartConversationSuccess { conversation { id title } }
    ... on UserError { code message }
  }
}`

function ask(query: string, variables: (value: string, own: Own) => object): Attack['run'] {
  return (client, who, value, own) =>
    client.call({ token: who.token, query, variables: { ...variables(value, own) } })
}

/** Opens a stream and answers how it was received; of an accepted one what comes first, if it ends or tells at once. */
function subscribe(
  variables: (value: string) => object,
  header: (value: string) => string | undefined = () => undefined,
): Attack['run'] {
  return async (client, who, value) => {
    using stream = await client.stream({
      token: who.token,
      query: RepliesDocument.toString(),
      variables: { ...variables(value) },
      lastEventId: header(value),
    })
    const { status, headers } = stream
    return { status, headers, body: status === 200 ? 'accepted' : await stream.refusal }
  }
}

/** How each bearer of the schema is attacked. `shared`: what it names belongs to all sessions, by configuration. */
export const attacks: Readonly<Record<string, Attack | 'shared'>> = {
  'Query.reply.id': {
    steals: 'replyId',
    run: ask('query ($id: ID!) { reply(id: $id) { __typename text } }', (id) => ({ id })),
  },
  'Query.conversation.id': {
    steals: 'conversationId',
    run: ask(`query ($id: ID!) { conversation(id: $id) { messages { ${rows} } } }`, (id) => ({
      id,
    })),
  },
  'Query.node.id': {
    steals: 'messageId',
    run: ask(`query ($id: ID!) { node(id: $id) { ${anything} } }`, (id) => ({ id })),
  },
  'Query.nodes.ids': {
    steals: 'replyId',
    run: ask(`query ($ids: [ID!]!) { nodes(ids: $ids) { ${anything} } }`, (id) => ({ ids: [id] })),
  },
  'Query.conversations.after': {
    steals: 'conversationRow',
    run: ask(`query ($after: String) { conversations(after: $after) { ${rows} } }`, (after) => ({
      after,
    })),
  },
  'Query.conversations.before': {
    steals: 'conversationRow',
    run: ask(
      `query ($before: String) { conversations(last: 5, before: $before) { ${rows} } }`,
      (before) => ({ before }),
    ),
  },
  'Conversation.messages.after': {
    steals: 'messageRow',
    run: ask(
      `query ($id: ID!, $after: String) { conversation(id: $id) { messages(after: $after) { ${rows} } } }`,
      (after, own) => ({ id: own.conversationId, after }),
    ),
  },
  'Conversation.messages.before': {
    steals: 'messageRow',
    run: ask(
      `query ($id: ID!, $before: String) { conversation(id: $id) { messages(last: 5, before: $before) { ${rows} } } }`,
      (before, own) => ({ id: own.conversationId, before }),
    ),
  },
  'Mutation.cancelReply.input.replyId': {
    steals: 'replyId',
    run: ask(cancelDocument, (replyId) => ({ input: { replyId } })),
  },
  'Mutation.clearConversation.input.conversationId': {
    steals: 'conversationId',
    run: ask(ClearConversationDocument.toString(), (conversationId) => ({
      input: { conversationId },
    })),
  },
  'Mutation.deleteConversation.input.conversationId': {
    steals: 'conversationId',
    run: ask(
      `mutation ($input: DeleteConversationInput!) {
        deleteConversation(input: $input) {
          __typename
          ... on DeleteConversationSuccess { upstreamCleanup { deletedConversations } }
          ... on UserError { code message }
        }
      }`,
      (conversationId) => ({ input: { conversationId } }),
    ),
  },
  'Mutation.renameConversation.input.conversationId': {
    steals: 'conversationId',
    run: ask(RenameConversationDocument.toString(), (conversationId) => ({
      input: { conversationId, title: 'mine now' },
    })),
  },
  'Mutation.rateAnswer.input.messageId': {
    steals: 'answerId',
    run: ask(RateAnswerDocument.toString(), (messageId) => ({
      input: { messageId, rating: 'DISLIKE' },
    })),
  },
  'Mutation.removeRating.input.messageId': {
    steals: 'answerId',
    run: ask(RemoveRatingDocument.toString(), (messageId) => ({ input: { messageId } })),
  },
  'Mutation.submitToolOutputs.input.replyId': {
    steals: 'replyId',
    run: ask(SubmitToolOutputsDocument.toString(), (replyId) => ({
      input: { replyId, outputs: [{ callId: '1', output: 'x' }] },
    })),
  },
  // Names a call within the reply that the same input names.
  'Mutation.submitToolOutputs.input.outputs.callId': 'shared',
  'Mutation.sendMessage.input.attachmentIds': {
    steals: 'attachmentId',
    run: ask(sendDocument, (attachmentId) => ({
      input: { text: 'let me read it', assistantId: 'bot', attachmentIds: [attachmentId] },
    })),
  },
  'Mutation.uploadFile.input.assistantId': 'shared',
  'Query.sessionExport.after': {
    steals: 'exportPlace',
    run: ask(
      'query ($after: String) { sessionExport(after: $after) { document nextCursor } }',
      (after) => ({
        after,
      }),
    ),
  },
  'Mutation.sendMessage.input.conversationId': {
    steals: 'conversationId',
    run: ask(sendDocument, (conversationId) => ({
      input: { text: 'let me in', conversationId },
    })),
  },
  'Mutation.sendMessage.input.idempotencyKey': {
    steals: 'idempotencyKey',
    run: ask(sendDocument, (idempotencyKey, { text }) => ({
      input: { text, idempotencyKey },
    })),
  },
  'Mutation.startConversation.input.idempotencyKey': {
    steals: 'startKey',
    run: ask(startDocument, (idempotencyKey) => ({
      input: { assistantId: 'flow', idempotencyKey },
    })),
  },
  'Mutation.sendMessage.input.assistantId': 'shared',
  'Query.assistant.id': 'shared',
  'Mutation.clearQuarantine.input.assistantId': 'shared',
  'Mutation.probeAssistant.input.assistantId': 'shared',
  // Of operators, whatever their session.
  'Query.probe.id': 'shared',
  'Query.replyExplanation.replyId': 'shared',
  'Subscription.probeProgress.probeId': 'shared',
  'Mutation.startConversation.input.assistantId': 'shared',
  'Subscription.replies.replyId': { steals: 'replyId', run: subscribe((replyId) => ({ replyId })) },
  'Subscription.replies.conversationId': {
    steals: 'conversationId',
    run: subscribe((conversationId) => ({ conversationId })),
  },
  'Subscription.replies.after': { steals: 'cursor', run: subscribe((after) => ({ after })) },
}

/** Beyond the schema: the header that carries a cursor. */
export const headerAttack: Attack = {
  steals: 'cursor',
  run: subscribe(
    () => ({}),
    (cursor) => cursor,
  ),
}
