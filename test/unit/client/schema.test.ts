import { expectTypeOf, it } from 'vitest'
import type * as client from '../../../src/client/schema.ts'
import type { SendOptions } from '../../../src/client/reply.ts'
import type * as generated from '../../../schema/operations/generated/graphql.ts'

/** As the compiler generates no `readonly`, the client's types are compared without it. */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<T[Key]> }
    : T
type Nodes<Connection extends { edges: { node: unknown }[] }> = Connection['edges'][number]['node']

it('the types of the client are those of the schema', () => {
  type Event = generated.RepliesSubscription['replies']
  // The client also asks for the message of the answer.
  type ClientEvent =
    | Exclude<client.ReplyEvent, client.ReplyCompleted>
    | Omit<client.ReplyCompleted, 'reply'>
  expectTypeOf<Plain<ClientEvent>>().toEqualTypeOf<Plain<Event>>()

  type Sent = Extract<generated.SendMessageMutation['sendMessage'], { reply: object }>['reply']
  type State = Omit<Sent, 'createdAt' | 'startedAt' | 'endedAt' | 'message'> & {
    message: Pick<Sent['message'], 'id' | 'text'>
    answer: Pick<NonNullable<NonNullable<generated.ReplyQuery['reply']>['answer']>, 'id'> | null
  }
  expectTypeOf<Plain<client.ReplyState>>().toEqualTypeOf<Plain<State>>()

  expectTypeOf<Plain<client.Viewer>>().toEqualTypeOf<Plain<generated.ViewerQuery['viewer']>>()
  type Assistant = generated.AssistantsQuery['assistants'][number]
  expectTypeOf<Plain<client.Assistant>>().toEqualTypeOf<Plain<Assistant>>()
  type Conversation = Nodes<generated.ConversationsQuery['conversations']>
  expectTypeOf<Plain<client.Conversation>>().toEqualTypeOf<Plain<Conversation>>()
  type Messages = NonNullable<generated.ConversationQuery['conversation']>['messages']
  expectTypeOf<Plain<client.Message>>().toEqualTypeOf<Plain<Nodes<Messages>>>()
  expectTypeOf<Plain<client.Page<client.Message>['pageInfo']>>().toEqualTypeOf<
    Messages['pageInfo']
  >()
  type Uploaded = Extract<generated.UploadFileMutation['uploadFile'], { attachment: object }>
  expectTypeOf<Plain<client.Attachment>>().toEqualTypeOf<
    Plain<Omit<Uploaded['attachment'], 'createdAt'>>
  >()

  expectTypeOf<client.ReplyFailureCode>().toEqualTypeOf<generated.ReplyFailureCode>()
  expectTypeOf<client.UserErrorCode>().toEqualTypeOf<generated.UserErrorCode>()
  expectTypeOf<client.BusyPolicy>().toEqualTypeOf<generated.BusyPolicy>()
  expectTypeOf<client.Rating>().toEqualTypeOf<generated.Rating>()
  type Given = generated.SendMessageInput
  expectTypeOf<keyof Given>().toEqualTypeOf<'text' | keyof SendOptions>()
})
