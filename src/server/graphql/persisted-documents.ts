import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations'
import { GraphQLError, validate, type DocumentNode, type GraphQLSchema } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { PersistedDocuments } from '../../config/sections/persisted-documents.ts'
import { BadRequestError, ForbiddenError, GatewayError } from '../../errors.ts'

/**
 * Executes requests that name a document. With `only`, other requests are refused, unless their text is one of the documents.
 * @param parse throws for a document over the limits
 * @throws `TypeError` for a document that does not fit the schema or the limits, since that is better seen now than at
 * its first use.
 */
export function usePersistedDocuments(
  { documents, only }: PersistedDocuments,
  schema: GraphQLSchema,
  parse: (source: string) => DocumentNode,
): Plugin {
  const [problem] = findDocumentProblems({ documents }, schema, parse)
  if (problem !== undefined) throw new TypeError(problem)
  const texts = new Set(documents.values())
  const { onParams, ...plugin } = usePersistedOperations({
    allowArbitraryOperations: !only,
    getPersistedOperation: (id) => documents.get(id) ?? null,
    customErrors: {
      notFound: () => new BadRequestError('There is no persisted document with this id.'),
      keyNotFound: () => new BadRequestError('The id of the document is malformed.'),
      persistedQueryOnly: () => new ForbiddenError('Only persisted documents are accepted.'),
    },
  })
  return {
    ...plugin,
    onParams(payload) {
      const { query } = payload.params
      return query !== undefined && texts.has(query) ? undefined : onParams?.(payload)
    },
  }
}

/**
 * The errors of the documents that could never be executed.
 * @param parse throws for a document over the limits
 */
export function findDocumentProblems(
  { documents }: Pick<PersistedDocuments, 'documents'>,
  schema: GraphQLSchema,
  parse: (source: string) => DocumentNode,
): readonly string[] {
  return [...documents].flatMap(([id, document]) => {
    const problem = problemOf(document, schema, parse)
    return problem === undefined ? [] : [`the persisted document ${id}: ${problem}`]
  })
}

function problemOf(
  document: string,
  schema: GraphQLSchema,
  parse: (source: string) => DocumentNode,
): string | undefined {
  try {
    return validate(schema, parse(document))[0]?.message
  } catch (error) {
    if (error instanceof GraphQLError || error instanceof GatewayError) return error.message
    throw error
  }
}
