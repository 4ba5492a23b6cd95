import type { AnyGatewayError } from '../../errors.ts'
import {
  AssistantUnavailableError,
  ConversationBusyError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  QueueFullError,
  RateLimitedError,
  TooLargeError,
} from '../../errors.ts'
import { builder } from './builder.ts'

const UserErrorCode = builder.enumType('UserErrorCode', {
  description: 'A stable, machine-readable reason for refusing a mutation.',
  values: {
    INVALID_INPUT: { description: 'The input breaks a rule that the schema cannot state.' },
    NOT_FOUND: { description: "The caller's session has no object with the given id." },
    CONVERSATION_BUSY: { description: 'Another reply is open in the conversation.' },
    QUEUE_FULL: { description: 'The conversation has as many waiting messages as it may have.' },
    RATE_LIMITED: { description: 'The session has reached a limit for now.' },
    IDEMPOTENCY_MISMATCH: {
      description: 'The idempotency key was used before with another input.',
    },
    NOT_SUPPORTED: { description: 'The assistant or its platform cannot do what was asked.' },
    ASSISTANT_UNAVAILABLE: { description: 'The assistant accepts no messages now.' },
    TOO_LARGE: { description: 'The file has more bytes than an upload may have.' },
  },
})

type MemberCode = typeof UserErrorCode.$inferType
type MemberError = Extract<AnyGatewayError, { readonly code: MemberCode }>

const UserError = builder.interfaceRef<MemberError>('UserError').implement({
  description: 'A reason for refusing a mutation that the user or the client can act on.',
  fields: (t) => ({
    message: t.exposeString('message', {
      description: 'A sentence in English that explains the refusal.',
    }),
    code: t.expose('code', {
      type: UserErrorCode,
      description: 'The stable, machine-readable reason for the refusal.',
    }),
    field: t.stringList({
      nullable: true,
      description:
        'The path of the refused value in the input, such as `["conversationId"]`, or null if no single value is at fault.',
      resolve: ({ field }) => field && [...field],
    }),
    retryAfterMs: t.int({
      nullable: true,
      description:
        'The number of milliseconds to wait before asking again, or null if waiting does not help or the time is not known.',
      resolve: (error) => ('retryAfterMs' in error ? error.retryAfterMs : null),
    }),
  }),
})

const interfaces = [UserError]
builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The refusal of an input that breaks a rule the schema cannot state.',
  interfaces,
})
builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: "The refusal of an id that names nothing in the caller's session.",
  interfaces,
})
builder.objectType(ConversationBusyError, {
  name: 'ConversationBusyError',
  description: 'The refusal of a change to a conversation in which another reply is open.',
  interfaces,
})
builder.objectType(QueueFullError, {
  name: 'QueueFullError',
  description: 'The refusal of a message for a conversation with a full queue.',
  interfaces,
})
builder.objectType(IdempotencyMismatchError, {
  name: 'IdempotencyMismatchError',
  description: 'The refusal of an idempotency key that was used before with another input.',
  interfaces,
})
builder.objectType(RateLimitedError, {
  name: 'RateLimitedError',
  description: 'The refusal of more than the session may do for now.',
  interfaces,
})
builder.objectType(NotSupportedError, {
  name: 'NotSupportedError',
  description: 'The refusal of something that the assistant or its platform cannot do.',
  interfaces,
})
builder.objectType(AssistantUnavailableError, {
  name: 'AssistantUnavailableError',
  description: 'The refusal of a message for an assistant that accepts none now.',
  interfaces,
})
builder.objectType(TooLargeError, {
  name: 'TooLargeError',
  description: 'The refusal of a file with more bytes than an upload may have.',
  interfaces,
})
