import { GraphQLError } from 'graphql'
import { GatewayError } from '../../errors.ts'
import type { NewId } from '../../lib/id.ts'
import type { Logger } from '../../observe/logger.ts'
import type { RefusalLog } from '../../observe/refusals.ts'

/** Our own error behind a GraphQL error, if there is one. */
export function gatewayErrorOf(error: unknown): GatewayError | undefined {
  if (error instanceof GatewayError) return error
  return error instanceof GraphQLError && error.originalError
    ? gatewayErrorOf(error.originalError)
    : undefined
}

/** A request error of GraphQL itself (coercion of variables, an unknown operation) as the caller sees it. */
export function asInputError(error: GraphQLError): GraphQLError {
  return withCode(error, 'BAD_USER_INPUT', withoutValues(error.message))
}

/** The beginning of the message about a variable: its name, and the place in its value. */
const variableError = /^(Variable "\$\w+" has invalid value(?: at [.\w[\]]+)?)(: )/

/** The text that may follow: GraphQL's words, and names of the schema. Each ends where the value would follow. */
const reasons: readonly RegExp[] = [
  /^(?:Int|Float|String|Boolean|ID) cannot represent [a-z0-9 -]+/,
  /^Expected value of (?:non-null )?type "[\w![\]]+" (?:not to be null|to be an object|to include required field "\w+"|not to include unknown field)/,
  /^Expected value of type "[\w![\]]+", but encountered error "[^"]*"/,
  /does not exist in "\w+" enum/,
]

/**
 * The place of the error in a variable and what is expected there, without the value, which may be the text of a user or a
 * secret. graphql-js has only sentences for these errors. Of an unknown sentence only the place is shown.
 */
function withoutValues(message: string): string {
  const [start, place] = variableError.exec(message) ?? []
  if (start === undefined || place === undefined) return message
  const rest = message.slice(start.length)
  const [reason] = reasons.flatMap((pattern) => pattern.exec(rest)?.[0] ?? [])
  if (reason === undefined) return `${place}.`
  return `${place}: ${reason.startsWith('does not') ? 'The value ' : ''}${reason}.`
}

/** The same error, with a code, unless it has one. */
export function withCode(error: GraphQLError, code: string, message = error.message): GraphQLError {
  if (error.extensions['code'] !== undefined) return error
  return new GraphQLError(message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions: { ...error.extensions, code },
  })
}

export type PresentError = (error: unknown) => GraphQLError

/**
 * The only way of an error to a client: our own errors with their codes, GraphQL's errors as they are, and any other error as
 * INTERNAL_SERVER_ERROR with a reference id, under which the cause is logged. The reason of a refusal is logged, too.
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
