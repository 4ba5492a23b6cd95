import { type Config, ConfigError } from '../config/config.ts'

/**
 * Persisted documents are checked against the schema and the limits before anything is opened.
 * @throws {@link ConfigError} with every problem
 */
export async function checkPersistedDocuments({
  persistedDocuments,
  limits,
  introspection,
}: Config): Promise<void> {
  if (persistedDocuments === undefined) return
  const [{ schema }, { createDocuments }, { findDocumentProblems }] = await Promise.all([
    import('../graphql/schema.ts'),
    import('../server/graphql/documents.ts'),
    import('../server/graphql/persisted-documents.ts'),
  ])
  const { parse } = createDocuments(schema, { limits, introspection })
  const problems = findDocumentProblems(persistedDocuments, schema, parse)
  if (problems.length === 0) return
  throw new ConfigError(problems.map((problem) => `persistedDocuments.file: ${problem}`))
}
