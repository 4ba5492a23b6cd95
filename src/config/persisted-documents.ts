import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { errorCode } from '../lib/error-code.ts'
import type { SecretSource } from './secret-source.ts'

/** Documents that a request may name instead of sending them. */
export interface PersistedDocuments {
  /** By id: usually the SHA-256 of the document. */
  readonly documents: ReadonlyMap<string, string>
  /** Whether nothing else is answered. Default false. */
  readonly only: boolean
}

const documentsSchema = z.record(z.string().min(1).max(128), z.string().min(1))

/** `{ "file": PATH, "only": true }`; the file is what GraphQL code generators write: `{ "id": "query …" }`. */
export function persistedDocumentsSchema({
  baseDir,
  readFile,
}: Pick<SecretSource, 'baseDir' | 'readFile'>) {
  return z
    .strictObject({ file: z.string().min(1), only: z.boolean().default(false) })
    .transform(({ file, only }, context): PersistedDocuments => {
      const path = isAbsolute(file) ? file : resolve(baseDir, file)
      const documents = readDocuments(path, readFile)
      if (typeof documents !== 'string') return { documents, only }
      context.addIssue({ code: 'custom', message: `names the file ${path}, which ${documents}` })
      return z.NEVER
    })
}

/** The documents, or why there are none. */
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
    return new Map(Object.entries(documentsSchema.parse(JSON.parse(text))))
  } catch {
    return 'is not a JSON object of documents by their ids'
  }
}
