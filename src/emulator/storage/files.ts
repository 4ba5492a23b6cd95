import { Busboy } from '@fastify/busboy'
import type { IncomingMessage } from 'node:http'
import { extname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../lib/clock.ts'
import { ApiError } from '../errors.ts'
import { type Ids, unixSeconds } from '../ids.ts'
import type { Settings } from '../options.ts'
import type { Principal } from './ownership.ts'

/** What is kept of an uploaded file. Its content is not, since nothing can read it back (docs/coze-platform.md#conversations-messages-files). */
export interface StoredFile {
  readonly id: string
  readonly owner: Principal
  readonly name: string
  readonly bytes: number
  readonly createdAt: number
}

const maxFiles = 20_000

export interface Files {
  add(file: Omit<StoredFile, 'id' | 'createdAt'>): StoredFile
  /** Undefined also for a file that this principal may not use. */
  find(id: string, principal: Principal): StoredFile | undefined
}

export function createFiles({ switches }: Settings, clock: Clock, ids: Ids): Files {
  const files = new Map<string, StoredFile>()
  const mayUse = (principal: Principal, { owner }: StoredFile) =>
    switches.filesPrivateTo === 'account'
      ? principal.accountId === owner.accountId
      : principal.key === owner.key
  return {
    add(about) {
      const file = { ...about, id: ids.next(), createdAt: unixSeconds(clock) }
      files.set(file.id, file)
      const [oldest] = files.keys()
      if (files.size > maxFiles && oldest !== undefined) files.delete(oldest)
      return file
    },
    find(id, principal) {
      const file = files.get(id)
      return file && mayUse(principal, file) ? file : undefined
    },
  }
}

/** Reads a form with one part, `file`. @throws {ApiError} 4300 to 4304 */
export async function readForm(
  req: IncomingMessage,
  { maxFileBytes, fileTypes }: Settings,
): Promise<{ readonly name: string; readonly bytes: number }> {
  const { 'content-type': contentType = '' } = req.headers
  const found: { name: string; bytes: number }[] = []
  try {
    const form = new Busboy({ headers: { 'content-type': contentType } })
    form.on('file', (_part, stream, name) => {
      const file = { name, bytes: 0 }
      found.push(file)
      stream.on('data', (piece: Buffer) => (file.bytes += piece.length))
    })
    await pipeline(req, form)
  } catch (cause) {
    throw new ApiError(4304, 'The file is invalid.', { cause })
  }
  const [file, ...more] = found
  if (file === undefined || file.bytes === 0) throw new ApiError(4300, 'The file is empty.')
  if (more.length > 0) throw new ApiError(4301, 'Only one file can be uploaded.')
  if (file.bytes > maxFileBytes) throw new ApiError(4302, 'The file is too large.')
  if (fileTypes && !fileTypes.includes(extname(file.name).slice(1).toLowerCase())) {
    throw new ApiError(4303, 'The type of the file is not supported.')
  }
  return file
}
