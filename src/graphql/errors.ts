import { GraphQLError } from 'graphql'
import {
  AssistantUnavailableError,
  ConversationBusyError,
  GatewayError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  QueueFullError,
  RateLimitedError,
  TooLargeError,
} from '../errors.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { RefusalLog } from '../observe/refusals.ts'
import { builder } from './builder.ts'

const ErrorCode = builder.enumType('ErrorCode', {
  description: 'Why a mutation was refused; a code never changes its meaning.',
  values: {
    INVALID_INPUT: { description: 'The input breaks a rule that the schema cannot state.' },
    NOT_FOUND: { description: 'What an id names does not exist in the session.' },
    CONVERSATION_BUSY: { description: 'Another reply runs in the conversation.' },
    QUEUE_FULL: { description: 'As many messages wait in the conversation as may.' },
    RATE_LIMITED: { description: 'More than the session may do now; wait for `retryAfterMs`.' },
    IDEMPOTENCY_MISMATCH: { description: 'The idempotency key was used with another input.' },
    NOT_SUPPORTED: { description: 'The assistant, or its platform, cannot do this.' },
    ASSISTANT_UNAVAILABLE: { description: 'The assistant takes nothing now.' },
    TOO_LARGE: { description: 'The file has more bytes than one may have.' },
  },
})

type MemberCode = typeof ErrorCode.$inferType
type MemberError = GatewayError & { readonly code: MemberCode }

const ErrorInterface = builder.interfaceRef<MemberError>('Error').implement({
  description: 'What a user can act on when a mutation is refused.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What is wrong, in words.' }),
    code: t.expose('code', { type: ErrorCode, description: 'What is wrong, for programs.' }),
  }),
})

const interfaces = [ErrorInterface]
builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input breaks a rule that the schema cannot state.',
  interfaces,
})
builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'What an id names does not exist in the session.',
  interfaces,
})
builder.objectType(ConversationBusyError, {
  name: 'ConversationBusyError',
  description: 'Another reply runs in the conversation, and the message asked not to wait.',
  interfaces,
  fields: (t) => ({
    retryAfterMs: t.exposeInt('retryAfterMs', {
      nullable: true,
      description: 'How long to wait before asking again, in ms.',
    }),
  }),
})
builder.objectType(QueueFullError, {
  name: 'QueueFullError',
  description: 'As many messages wait in the conversation as may.',
  interfaces,
  fields: (t) => ({
    retryAfterMs: t.exposeInt('retryAfterMs', {
      nullable: true,
      description: 'How long to wait before asking again, in ms.',
    }),
  }),
})
builder.objectType(IdempotencyMismatchError, {
  name: 'IdempotencyMismatchError',
  description: 'The idempotency key was used before with another input.',
  interfaces,
})
builder.objectType(RateLimitedError, {
  name: 'RateLimitedError',
  description: 'More than the session may do now.',
  interfaces,
  fields: (t) => ({
    // Nullable as its namesake below: a client can select both at once.
    retryAfterMs: t.exposeInt('retryAfterMs', {
      nullable: true,
      description: 'How long to wait, in ms.',
    }),
  }),
})
builder.objectType(NotSupportedError, {
  name: 'NotSupportedError',
  description: 'What is asked is something that this assistant, or its platform, cannot do.',
  interfaces,
})
builder.objectType(AssistantUnavailableError, {
  name: 'AssistantUnavailableError',
  description: 'The assistant takes nothing now: out of service, or its platform does not answer.',
  interfaces,
  fields: (t) => ({
    retryAfterMs: t.exposeInt('retryAfterMs', {
      nullable: true,
      description: 'How long to wait, in ms; null: an operator must act.',
    }),
  }),
})
builder.objectType(TooLargeError, {
  name: 'TooLargeError',
  description: 'The file has more bytes than one may have.',
  interfaces,
})

/** The error of ours behind a GraphQL error, if there is one. */
export function gatewayErrorOf(error: unknown): GatewayError | undefined {
  if (error instanceof GatewayError) return error
  return error instanceof GraphQLError && error.originalError
    ? gatewayErrorOf(error.originalError)
    : undefined
}

/** What a request error of GraphQL itself (coercion of variables, no such operation) is to its caller. */
export function asInputError(error: GraphQLError): GraphQLError {
  return withCode(error, 'BAD_USER_INPUT')
}

/** The same error, with a code, unless it has one. */
export function withCode(error: GraphQLError, code: string): GraphQLError {
  if (error.extensions['code'] !== undefined) return error
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions: { ...error.extensions, code },
  })
}

export type PresentError = (error: unknown) => GraphQLError

/**
 * The one way an error leaves: ours with its code, GraphQL's own as it is, anything else as INTERNAL_SERVER_ERROR with
 * a reference id under which its cause is logged. Why a caller was refused is logged, too.
 */
export function createPresentError(options: {
  readonly newId: NewId
  readonly logger: Logger
  readonly refusals: Pick<RefusalLog, 'note'>
}): PresentError {
  const presented = new WeakSet<GraphQLError>()
  return (error) => {
    const located = error instanceof GraphQLError ? error : undefined
    if (located && presented.has(located)) return located
    const shown = present(error, located)
    presented.add(shown)
    return shown
  }

  function present(error: unknown, located: GraphQLError | undefined): GraphQLError {
    const place = { nodes: located?.nodes, path: located?.path }
    const ours = gatewayErrorOf(error)
    if (ours) {
      options.refusals.note(ours)
      const extensions = {
        code: ours.code,
        ...(ours.retryable && { retryable: true }),
        ...('retryAfterMs' in ours && { retryAfterMs: ours.retryAfterMs }),
      }
      return new GraphQLError(ours.message, { ...place, extensions, originalError: ours })
    }
    if (located && !located.originalError) return located
    const reference = options.newId()
    options.logger.error({ reference, err: located?.originalError ?? error }, 'internal error')
    return new GraphQLError('internal error', {
      ...place,
      extensions: { code: 'INTERNAL_SERVER_ERROR', reference },
    })
  }
}
