import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { errorCode } from '../../lib/error-code.ts'
import type { SecretSource } from '../secret-source.ts'

/** Documents that a request may name by id. */
export interface PersistedDocuments {
  /** By id: usually the SHA-256 of the document. */
  readonly documents: ReadonlyMap<string, string>
  /** Whether requests with other documents are refused. */
  readonly only: boolean
}

const id = z.string().min(1).max(128)
const document = z.string().min(1)

/** The form of Relay's compiler and GraphQL Code Generator: `{ "id": "query …" }`. */
const mapSchema = z.record(id, document).transform((documents) => Object.entries(documents))

/** @see https://www.apollographql.com/docs/graphos/platform/security/persisted-queries#manifest-format */
const manifestSchema = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(z.object({ id, body: document })),
  })
  .transform(({ operations }) =>
    operations.map((operation) => [operation.id, operation.body] as const),
  )

const documentsSchema = z.union([manifestSchema, mapSchema])

export function persistedDocumentsSchema({
  baseDir,
  readFile,
}: Pick<SecretSource, 'baseDir' | 'readFile'>) {
  return z
    .strictObject({
      file: z.string().min(1).meta({
        description:
          'The path of a JSON file with the documents by id, as GraphQL code generators write it, or of an Apollo manifest.',
        isPath: true,
      }),
      only: z
        .boolean()
        .default(false)
        .meta({ description: 'Whether requests with other documents are refused.' }),
    })
    .transform(({ file, only }, context): PersistedDocuments => {
      const path = isAbsolute(file) ? file : resolve(baseDir, file)
      const documents = readDocuments(path, readFile)
      if (typeof documents === 'string') return refuse(documents)
      if (only && documents.size === 0) {
        return refuse('has no document: with "only" nothing is answered')
      }
      return { documents, only }

      function refuse(problem: string) {
        context.addIssue({
          code: 'custom',
          message: `names the file ${path}, which ${problem}`,
        })
        return z.NEVER
      }
    })
    .meta({
      description:
        'Documents that a request may name by id: by `documentId`, by `doc_id` or `id` as Relay does, or by `extensions.persistedQuery` as Apollo does.',
    })
}

/** The documents, or the problem of the file. */
function readDocuments(
  path: string,
  readFile: (path: string) => string,
): ReadonlyMap<string, string> | string {
  let text: string
  try {
    text = readFile(path).replace(/^\ufeff/, '')
  } catch (error) {
    return `cannot be read${errorCode(error)}`
  }
  try {
    return new Map(documentsSchema.parse(JSON.parse(text)))
  } catch {
    return "is neither a JSON object of documents by their ids nor a manifest of Apollo's, of version 1"
  }
}
