import { GraphQLError, validate } from 'graphql'
import type { GraphQLSchema } from 'graphql'
import type { PersistedDocuments } from '../config/persisted-documents.ts'
import { BadRequestError, ForbiddenError, GatewayError } from '../errors.ts'
import { isObject } from './body.ts'
import type { GraphParams } from './body.ts'
import type { Documents } from './documents.ts'

/** The text of the document that a request asks for, by itself or by its id. */
export type FindSource = (params: GraphParams) => string

/**
 * Answers requests that name a document; with `only`, no others.
 * @throws `TypeError` for a document that does not fit the schema or the limits: better now than at its first use.
 */
export function createPersistedDocuments(
  { documents, only }: PersistedDocuments,
  schema: GraphQLSchema,
  parser: Documents,
): FindSource {
  for (const [id, document] of documents) {
    const problem = problemOf(document, schema, parser)
    if (problem !== undefined) throw new TypeError(`the persisted document ${id}: ${problem}`)
  }
  return ({ query, extensions }) => {
    if (query !== undefined) {
      if (only) throw new ForbiddenError('Only persisted documents are answered.')
      return query
    }
    const id = idOf(extensions?.['persistedQuery'])
    if (id === undefined) throw new BadRequestError('The id of the document is malformed.')
    const document = documents.get(id)
    if (document === undefined) {
      throw new BadRequestError('There is no persisted document of this id.')
    }
    return document
  }
}

/** Undefined: it is not what the extension of Apollo has. */
function idOf(named: unknown): string | undefined {
  if (!isObject(named) || named['version'] !== 1) return undefined
  const { sha256Hash: id } = named
  return typeof id === 'string' ? id : undefined
}

function problemOf(document: string, schema: GraphQLSchema, parser: Documents): string | undefined {
  try {
    return validate(schema, parser.parse(document).document)[0]?.message
  } catch (error) {
    if (error instanceof GraphQLError || error instanceof GatewayError) return error.message
    throw error
  }
}
