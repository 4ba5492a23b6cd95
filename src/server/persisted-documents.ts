import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations'
import { GraphQLError, parse, validate } from 'graphql'
import type { GraphQLSchema } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { PersistedDocuments } from '../config/persisted-documents.ts'
import { BadRequestError, ForbiddenError } from '../errors.ts'

/**
 * Answers requests that name a document; with `only`, no others.
 * @throws `TypeError` for a document that does not fit the schema: better now than at its first use.
 */
export function createPersistedDocuments(
  { documents, only }: PersistedDocuments,
  schema: GraphQLSchema,
): Plugin {
  for (const [id, document] of documents) {
    const problem = problemOf(document, schema)
    if (problem !== undefined) throw new TypeError(`the persisted document ${id}: ${problem}`)
  }
  return usePersistedOperations({
    allowArbitraryOperations: !only,
    getPersistedOperation: (id) => documents.get(id) ?? null,
    customErrors: {
      notFound: () => new BadRequestError('There is no persisted document of this id.'),
      keyNotFound: () => new BadRequestError('The id of the document is malformed.'),
      persistedQueryOnly: () => new ForbiddenError('Only persisted documents are answered.'),
    },
  })
}

function problemOf(document: string, schema: GraphQLSchema): string | undefined {
  try {
    return validate(schema, parse(document))[0]?.message
  } catch (error) {
    if (error instanceof GraphQLError) return error.message
    throw error
  }
}
