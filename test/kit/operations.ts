/** The operations that tests send, and what they select. */

export const sendMessageDocument = `mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { id status queuePosition conversation { id } message { id } } }
    ... on Error { code message }
  }
}`

export const cancelReplyDocument = `mutation CancelReply($input: CancelReplyInput!) {
  cancelReply(input: $input) {
    __typename
    ... on CancelReplySuccess { reply { id status } }
    ... on Error { code message }
  }
}`

export const startConversationDocument = `mutation StartConversation($input: StartConversationInput!) {
  startConversation(input: $input) {
    __typename
    ... on StartConversationSuccess { conversation { id } }
    ... on Error { code message }
  }
}`

export const replyDocument = `query Reply($id: ID!) {
  reply(id: $id) { id status text reasoning queuePosition conversation { id } message { id } }
}`

export const viewerDocument = `query Viewer { viewer { cursor } }`

export interface ErrorMember {
  readonly code: string
  readonly message: string
}

export interface SentReply {
  readonly id: string
  readonly status: string
  readonly queuePosition: number | null
  readonly conversation: { readonly id: string }
  readonly message: { readonly id: string }
}

export type SendResult =
  | { readonly __typename: 'SendMessageSuccess'; readonly reply: SentReply }
  | ({ readonly __typename: 'OtherError' } & ErrorMember)

export interface ReplySnapshot {
  readonly id: string
  readonly status: string
  readonly text: string
  readonly reasoning: string
  readonly queuePosition: number | null
  readonly conversation: { readonly id: string }
}
