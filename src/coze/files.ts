import { TooLargeError } from '../errors.ts'
import type { CozeClient, CozeTarget } from './client.ts'
import type { CozeAnswer } from './envelope.ts'
import { CozeError } from './errors.ts'
import { findId, findObject } from './json.ts'

export interface FileRequest {
  readonly name: string
  readonly mediaType: string
  /** Read once, piece by piece, at the pace of the upstream. */
  readonly content: AsyncIterable<Uint8Array>
  /** More than this ends the upload. */
  readonly maxBytes: number
  /** Time for the whole upload, in ms. */
  readonly timeoutMs: number
  /** Parts the file from its form: unguessable, so that no content can hold it. */
  readonly boundary: string
}

export interface CozeFile {
  readonly id: string
  /** As we counted them. */
  readonly bytes: number
}

/**
 * Streams a file to the platform, which keeps it for the account (docs/coze-platform.md#conversations-messages-files). Never tried again.
 *
 * @throws {@link TooLargeError} for a file above `maxBytes`; whatever its content fails with; CozeError `file` when the
 * platform does not take it
 */
export async function uploadFile(
  client: CozeClient,
  target: CozeTarget,
  file: FileRequest,
  signal: AbortSignal,
): Promise<CozeFile> {
  const { boundary } = file
  let bytes = 0
  let broken: { readonly error: unknown } | undefined

  /** Fails only for reasons of the file itself: a connection that breaks merely stops reading. */
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const piece of file.content) {
        bytes += piece.length
        if (bytes > file.maxBytes) {
          throw new TooLargeError(`The file is larger than ${file.maxBytes} bytes.`)
        }
        yield piece
      }
    } catch (error) {
      broken = { error }
      throw error
    }
  }
  // Its length is not known before its end, so the body is sent in chunks.
  async function* form(): AsyncGenerator<Uint8Array, void, undefined> {
    yield Buffer.from(partHead(file))
    yield* read()
    yield Buffer.from(`\r\n--${boundary}--\r\n`)
  }

  try {
    const id = await client.upload(
      {
        call: 'upload',
        target,
        path: '/v1/files/upload',
        contentType: `multipart/form-data; boundary=${boundary}`,
        content: form(),
        timeoutMs: file.timeoutMs,
        read: readFileId,
      },
      signal,
    )
    return { id, bytes }
  } catch (error) {
    throw broken === undefined ? error : broken.error
  }
}

function readFileId({ body, logId }: CozeAnswer): string {
  const id = findId(findObject(body, 'data') ?? {}, 'id')
  if (id !== undefined) return id
  throw new CozeError('protocol', 'an uploaded file has no id', { accepted: 'yes', logId })
}

/** Names are escaped as browsers do it (WHATWG HTML, multipart/form-data): no name can write a header. */
function partHead({ name, mediaType, boundary }: FileRequest): string {
  const filename = name
    .toWellFormed()
    .replaceAll('"', '%22')
    .replaceAll('\r', '%0D')
    .replaceAll('\n', '%0A')
  const type = /^[\w.+-]+\/[\w.+-]+$/.test(mediaType) ? mediaType : 'application/octet-stream'
  return `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${filename}"\r\ncontent-type: ${type}\r\n\r\n`
}
